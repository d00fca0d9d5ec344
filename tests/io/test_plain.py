"""What is read here of a plain reply is what litellm reads of it; what is not plain is left to litellm."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gland_assets.io.direct import Silent
from gland_assets.io.faults import ProviderFault
from gland_assets.io.plain import plain_reply
from gland_assets.io.providers import Completion, _completion, load_litellm
from tests.io.asking import deployment, request

TEXTS = st.text(max_size=40) | st.sampled_from(["", "<think>hm</think>yes", "a plain answer", "half an emoji \ud83d"])
COUNTS = st.integers(0, 10_000) | st.sampled_from([0, None])
EMPTY: Any = st.sampled_from([None, [], {}, ""])
MESSAGES = st.fixed_dictionaries(
    {"role": st.just("assistant"), "content": TEXTS | st.none()},
    optional={"refusal": EMPTY, "annotations": EMPTY, "reasoning_content": st.none() | st.just("I thought"), "tool_calls": st.none()},
)
BODIES = st.fixed_dictionaries(
    {
        "id": st.just("chatcmpl-1"), "object": st.just("chat.completion"), "created": st.just(1),
        "model": st.sampled_from(["m-2026", "a/b"]),
        "choices": st.lists(
            st.fixed_dictionaries(
                {"index": st.just(0), "message": MESSAGES, "finish_reason": st.sampled_from(["stop", "length", "content_filter", "eos"])}
            ),
            min_size=1, max_size=2,
        ),
    },
    optional={
        "usage": st.fixed_dictionaries(
            {"prompt_tokens": COUNTS, "completion_tokens": COUNTS, "total_tokens": st.just(1)},
            optional={
                "prompt_tokens_details": st.none() | st.fixed_dictionaries({"cached_tokens": COUNTS}),
                "completion_tokens_details": st.none() | st.fixed_dictionaries({"reasoning_tokens": COUNTS}),
            },
        ),
        "service_tier": st.just("default"),
    },
)  # fmt: skip


def by_litellm(body: bytes) -> Completion:
    import httpx

    litellm = load_litellm()
    reply = litellm.ModelResponse()
    reply.usage = litellm.Usage()
    read = litellm.OpenAIGPTConfig().transform_response(
        model="m", raw_response=httpx.Response(200, content=body), model_response=reply, logging_obj=Silent(), request_data={}, messages=[],
        optional_params={}, litellm_params={}, encoding=None,
    )  # fmt: skip
    return _completion(read, {}, request(), deployment("http://127.0.0.1:9/v1"))


@settings(deadline=None)  # the first one loads litellm
@given(BODIES)
def test_both_read_the_same(reply: dict[str, Any]) -> None:
    body = json.dumps(reply).encode()
    if (read := plain_reply(body)) is not None:
        assert _completion(read, {}, request(), deployment("http://127.0.0.1:9/v1")) == by_litellm(body)


def plain(**changed: Any) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": "A lemma is a small theorem.", "refusal": None, "annotations": []}
    usage = {"prompt_tokens": 9, "completion_tokens": 7, "total_tokens": 16}
    return {"model": "m-2026", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": usage} | changed


def test_what_most_servers_send_is_plain() -> None:
    read = plain_reply(json.dumps(plain()).encode())
    assert read is not None
    assert read.choices[0].message.content == "A lemma is a small theorem."


@pytest.mark.parametrize(
    "changed",
    [
        {"choices": []},
        {"choices": [{"index": 0, "message": {"role": "assistant", "content": None}, "finish_reason": "stop"}]},
        {"choices": [{"index": 0, "message": {"content": "yes", "reasoning_content": "I thought"}, "finish_reason": "stop"}]},
        {"choices": [{"index": 0, "message": {"content": "yes", "tool_calls": [{"id": "1"}]}, "finish_reason": "stop"}]},
        {"choices": [{"index": 0, "message": {"content": "yes"}, "finish_reason": "tool_calls"}]},
        {"usage": None},
        {"usage": {"prompt_tokens": "9", "completion_tokens": 7}},
        {"error": {"message": "overloaded"}},
        {"model": None},
    ],
)
def test_what_is_not_plain_is_left_to_litellm(changed: dict[str, Any]) -> None:
    assert plain_reply(json.dumps(plain(**changed)).encode()) is None


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"\xff", b"<html>", b'{"choices": [1]}', b"[" * 100_000])
def test_garbage_is_left_to_litellm(body: bytes) -> None:
    assert plain_reply(body) is None


def test_a_reply_without_choices_is_a_fault_for_both() -> None:
    with pytest.raises(ProviderFault, match="no choices"):
        by_litellm(json.dumps(plain(choices=[])).encode())
