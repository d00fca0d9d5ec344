"""The direct road and litellm's own: for every provider of the first, both send the same and read the same from what comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from gland_assets.core.project import Deployment
from gland_assets.core.requests import Message, Request
from gland_assets.core.structured import check_schema, json_of
from gland_assets.io import direct
from gland_assets.io.faults import ProviderFault
from gland_assets.io.providers import Completion, Providers, load_litellm
from tests.io.asking import deployment, request
from tests.server import ModelServer

MODELS = {
    "openai": "openai/some-model", "gpt-4o": "gpt-4o", "gpt-5": "openai/gpt-5-mini", "o3": "openai/o3-mini",
    "hosted_vllm": "hosted_vllm/Qwen/Qwen2.5-7B-Instruct", "openrouter": "openrouter/meta-llama/llama-3.3-70b-instruct",
    "groq": "groq/llama-3.3-70b-versatile", "together_ai": "together_ai/meta-llama/Llama-3.3-70B-Instruct-Turbo",
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
