"""The direct road and litellm's own: for every provider of the first, both send the same and read the same from what comes back."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gland_assets.core.project import Deployment, StageSettings
from gland_assets.core.requests import Message, Request
from gland_assets.core.structured import check_schema, json_of
from gland_assets.io import direct, plain
from gland_assets.io.faults import ProviderFault
from gland_assets.io.providers import Completion, Providers, _completion, load_litellm
from tests.io.asking import deployment, request
from tests.server import ModelServer

MODELS = {
    "openai": "openai/some-model", "gpt-4o": "gpt-4o", "gpt-5": "openai/gpt-5-mini", "o3": "openai/o3-mini",
    "hosted_vllm": "hosted_vllm/Qwen/Qwen2.5-7B-Instruct", "openrouter": "openrouter/meta-llama/llama-3.3-70b-instruct",
    "groq": "groq/llama-3.3-70b-versatile", "gpt-oss": "groq/openai/gpt-oss-120b",
    "together_ai": "together_ai/meta-llama/Llama-3.3-70B-Instruct-Turbo",
    "mistral": "mistral/mistral-small-latest", "deepseek": "deepseek/deepseek-chat", "ollama_chat": "ollama_chat/qwen2.5:7b",
    "llamafile": "llamafile/some-model", "lm_studio": "lm_studio/some-model", "litellm_proxy": "litellm_proxy/some-model",
    "anthropic": "anthropic/claude-haiku-4-5", "claude-3": "anthropic/claude-3-haiku-20240307",
}  # fmt: skip
SCHEMA = {
    "type": "object", "properties": {"name": {"type": "string"}, "level": {"enum": ["low", "high"]}}, "required": ["name", "level"],
    "additionalProperties": False,
}  # fmt: skip
TALK = (Message("system", "Be brief."), Message("user", "One?"), Message("assistant", "Two."), Message("user", "Three? ü 漢"))
TOLD = (
    "authorization",
    "x-api-key",
    "anthropic-version",
    "anthropic-beta",
    "http-referer",
    "x-title",
    "openai-organization",
    "openai-project",
)
"""Headers that a provider goes by; the rest name the client that sends."""


@contextmanager
def long_road() -> Iterator[None]:
    """No provider has a direct road."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(direct, "HOMES", {})
        yield


def there(server: ModelServer, name: str, **changed: Any) -> Deployment:
    """A deployment of the model `name` that the server stands in for."""
    rootless = MODELS[name].startswith(("anthropic/", "ollama_chat/"))
    return deployment(server.root if rootless else server.url, model=MODELS[name], key_env="THEIR_KEY", **changed)


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THEIR_KEY", "sk-of-theirs")


def outcome(asked: Request, declared: Deployment) -> Completion | tuple[str, float | None]:
    try:
        return asyncio.run(Providers({declared.name: declared}).complete(declared.name, asked))
    except ProviderFault as fault:
        return fault.cause, fault.retry_after


def both(server: ModelServer, asked: Request, declared: Deployment, **fault: Any) -> tuple[Any, Any]:
    """What each road does: the body sent, the headers that count, the path, and the outcome."""
    seen = []
    for road in (None, long_road()):
        server.reset()
        if fault:
            server.fail(**fault)
        if road is None:
            done = outcome(asked, declared)
        else:
            with road:
                done = outcome(asked, declared)
        (sent,) = server.log
        seen.append((sent["path"], sent["body"], {name: sent["headers"].get(name) for name in TOLD}, done))
    return seen[0], seen[1]


def test_every_provider_of_the_direct_road_is_compared() -> None:
    litellm = load_litellm()
    assert {litellm.get_llm_provider(model)[1] for model in MODELS.values()} == set(direct.HOMES)


STEPS = {
    "validate_environment": "api_base api_key headers litellm_params messages model optional_params",
    "get_complete_url": "api_base api_key litellm_params model optional_params stream",
    "transform_request": "headers litellm_params messages model optional_params",
    "transform_extra_body": "extra_body litellm_params model request",
    "sign_request": "api_base api_key fake_stream headers model optional_params request_data stream",
    "transform_response": (
        "api_key encoding json_mode litellm_params logging_obj messages model model_response optional_params raw_response request_data"
    ),
    "get_error_class": "error_message headers status_code",
}


@pytest.mark.parametrize("name", MODELS)
def test_litellms_steps_are_those_that_the_direct_road_takes(name: str) -> None:
    litellm = load_litellm()
    model, provider, *_ = litellm.get_llm_provider(MODELS[name])
    config = litellm.ProviderConfigManager.get_provider_chat_config(model=model, provider=litellm.LlmProviders(provider))
    for step, taken in STEPS.items():
        known = " ".join(sorted(inspect.signature(getattr(config, step)).parameters))
        assert known == taken, (
            f"litellm's {step} for {provider} changed: read what it does now, and mend io/direct.py, before raising its pin"
        )
    assert not config.uses_async_transform_request


@given(
    st.sampled_from(["openai", "o3", "hosted_vllm", "mistral", "deepseek", "ollama_chat", "anthropic"]),
    st.lists(st.builds(Message, st.sampled_from(["system", "user", "assistant"]), st.text(min_size=1)), max_size=3),
    st.text(min_size=1),
    st.builds(StageSettings, st.just(("main",)), st.floats(0, 2), st.floats(0.01, 1), st.integers(1, 4000)),
    st.integers(0, 2**31 - 1),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_asked_both_roads_ask_it_alike(
    server: ModelServer, name: str, talk: list[Message], last: str, chosen: StageSettings, seed: int
) -> None:
    messages = (*talk, Message("user", last))
    direct_road, long = both(server, request(messages=messages, settings=chosen, seed=seed), there(server, name))
    assert direct_road == long


@pytest.mark.parametrize("structured", ["json_schema", "json_object", "none", "no schema"])
@pytest.mark.parametrize("name", MODELS)
def test_both_roads_send_and_read_the_same(server: ModelServer, name: str, structured: Any) -> None:
    schema = None if structured == "no schema" else SCHEMA
    changed = {} if schema is None else {"structured": structured}
    direct_road, long = both(server, request(messages=TALK, seed=77, schema=schema), there(server, name, **changed))
    assert direct_road == long
    done = direct_road[3]
    assert isinstance(done, Completion), done
    assert done.finish_reason in ("stop", "tool_calls")
    if schema is not None:
        check_schema(json_of(done.text), schema)


NUMBERS = st.sampled_from([0, 1, 7])
USAGE = st.fixed_dictionaries(
    {"prompt_tokens": NUMBERS, "completion_tokens": NUMBERS, "total_tokens": NUMBERS},
    optional={
        "prompt_tokens_details": st.sampled_from([None, {}, {"cached_tokens": 4}, {"cached_tokens": None}]),
        "completion_tokens_details": st.sampled_from([None, {"reasoning_tokens": 0}, {"reasoning_tokens": 3}]),
        "prompt_cache_hit_tokens": NUMBERS, "cache_read_input_tokens": NUMBERS, "reasoning_tokens": NUMBERS, "queue_time": st.just(0.25),
    },
)  # fmt: skip
SAID = st.lists(st.sampled_from(["<think>", "</think>", "\n", " ", "I think so", "word", "\ud83d", "{}"]), max_size=5).map("".join)
MESSAGE: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"role": st.just("assistant"), "content": SAID},
    optional={
        "refusal": st.sampled_from([None, "no"]), "reasoning_content": st.sampled_from([None, "", "because"]),
        "reasoning": st.sampled_from([None, "because"]), "tool_calls": st.sampled_from([None, []]),
    },
)  # fmt: skip


@given(MESSAGE, st.sampled_from(["stop", "length", "content_filter", "eos", None]), USAGE)
@example(
    {"role": "assistant", "content": "Yes."}, "stop",
    {"prompt_tokens": 9, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 4}, "prompt_cache_hit_tokens": 0},
)  # fmt: skip
@settings(max_examples=300, deadline=None)
def test_a_plain_reply_is_read_as_litellm_reads_it(message: dict[str, Any], ends: str | None, usage: dict[str, Any]) -> None:
    raw = json.dumps({
        "id": "one", "object": "chat.completion", "created": 1, "model": "served", "usage": usage,
        "choices": [{"index": 0, "finish_reason": ends, "message": message}],
    }).encode()  # fmt: skip
    read = plain.plain_reply(raw)
    if read is None:
        return
    litellm = load_litellm()
    by_litellm = litellm.OpenAIGPTConfig().transform_response(
        model="served", raw_response=httpx.Response(200, content=raw), model_response=litellm.ModelResponse(), logging_obj=direct.Silent(),
        request_data={}, messages=[], optional_params={}, litellm_params={}, encoding=None,
    )  # fmt: skip
    main = deployment("http://127.0.0.1:1")
    assert _completion(read, {}, request(), main) == _completion(by_litellm, {}, request(), main)


@pytest.mark.parametrize(
    ("usage", "quick"),
    [({"queue_time": 0.1}, True), ({"prompt_cache_hit_tokens": 4}, False), ({"cache_read_input_tokens": 0}, True)],
)
def test_only_what_needs_litellm_is_left_to_it(usage: dict[str, Any], quick: bool) -> None:
    reply = {
        "model": "served", "usage": {"prompt_tokens": 5, "completion_tokens": 3} | usage,
        "choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": "I think so."}}],
    }  # fmt: skip
    assert (plain.plain_reply(json.dumps(reply).encode()) is not None) == quick


@pytest.mark.parametrize("counted", [10**30, 10**16, -50])
def test_a_count_that_cannot_be_gives_way_to_an_estimate(counted: int) -> None:
    reply = {
        "model": "served", "usage": {"prompt_tokens": counted, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": counted}},
        "choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": "Three words said."}}],
    }  # fmt: skip
    read = plain.plain_reply(json.dumps(reply).encode())
    done = _completion(read, {}, request("word " * 80), deployment("http://127.0.0.1:1"))
    assert (done.prompt_tokens, done.completion_tokens) == (100, 5)
    assert 0 <= done.cached_tokens <= 100


@pytest.mark.parametrize("name", MODELS)
def test_the_direct_road_is_taken(server: ModelServer, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(**_: Any) -> None:
        raise AssertionError("litellm.acompletion was called")

    monkeypatch.setattr(load_litellm(), "acompletion", never)
    assert isinstance(outcome(request(), there(server, name)), Completion)


FAULTS: dict[str, tuple[str, dict[str, Any]]] = {
    "429": ("rate_limited", {"retry_after": 2.0}),
    "500": ("provider_error", {}),
    "503": ("provider_error", {}),
    "529": ("provider_error", {}),
    "400": ("bad_request", {}),
    "401": ("auth_error", {"message": "bad key sk-of-theirs"}),
    "403": ("forbidden", {}),
    "404": ("not_found", {}),
    "reset": ("connection", {}),
    "truncated": ("connection", {}),
    "broken_chunks": ("connection", {}),
    "garbage": ("provider_error", {}),
}


@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize("name", ["openai", "hosted_vllm", "anthropic", "ollama_chat", "mistral", "openrouter", "groq"])
def test_both_roads_tell_the_same_fault(server: ModelServer, name: str, kind: str) -> None:
    cause, more = FAULTS[kind]
    direct_road, long = both(server, request(), there(server, name), kind=kind, **more)
    assert direct_road[3] == (cause, more.get("retry_after"))
    assert long[3] == direct_road[3]


PASSED_ON = {
    "top_k": 20, "stop": ["END"], "presence_penalty": 0.5, "extra_body": {"guided": {"deep": [1, 2]}}, "reasoning_effort": "low",
    "chat_template_kwargs": {"enable_thinking": False},
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("setting", PASSED_ON)
def test_extra_settings_are_passed_on_alike(server: ModelServer, name: str, setting: str) -> None:
    declared = there(server, name, extra={setting: PASSED_ON[setting]})
    direct_road, long = both(server, request(), declared)
    assert direct_road == long


@pytest.mark.parametrize(
    "extra", [{"extra_headers": {"X-Team": "blue"}}, {"max_tokens": 7}, {"ssl_verify": False}, {"organization": "org-1"}, {"n": 1}]
)
def test_what_litellm_interprets_is_left_to_it(server: ModelServer, extra: dict[str, Any]) -> None:
    done, long = both(server, request(), there(server, "openai", extra=extra))
    assert done == long
    assert server.log[0]["headers"].get("x-team") == extra.get("extra_headers", {}).get("X-Team")
    assert server.log[0]["headers"].get("openai-organization") == extra.get("organization")
    assert server.log[0]["body"]["max_tokens"] == extra.get("max_tokens", 200)


def test_requests_leave_no_trace_in_one_another(server: ModelServer) -> None:
    declared = there(server, "anthropic")
    asked = [request(f"question {number}", seed=number, schema=SCHEMA if number % 2 else None, messages=TALK) for number in range(6)]

    async def all_at_once() -> list[Completion]:
        providers = Providers({"main": declared})
        return await asyncio.gather(*(providers.complete("main", one) for one in asked * 2))

    done = asyncio.run(all_at_once())
    assert done[:6] == done[6:]
    assert done[:6] == [outcome(one, declared) for one in asked]


@pytest.mark.parametrize("name", ["openai", "hosted_vllm", "llamafile", "lm_studio", "litellm_proxy"])
def test_a_server_of_ones_own_is_not_sent_the_openai_key(server: ModelServer, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-openai")
    done, long = both(server, request(), deployment(server.url, model=MODELS[name]))
    assert done[2]["authorization"] == long[2]["authorization"] == "Bearer none"


def test_the_key_and_the_place_may_come_from_the_environment(server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-openai")
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    monkeypatch.setenv("OPENAI_ORGANIZATION", "org-2")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-3")
    done, long = both(server, request(), Deployment("main", "openai/some-model"))
    assert done == long
    assert (done[2]["authorization"], done[2]["openai-organization"], done[2]["openai-project"]) == (
        "Bearer sk-of-openai", "org-2", "proj-3",
    )  # fmt: skip
