"""Calls to providers, over real sockets: what is sent, what comes back, every fault by name, and no key in any text."""

from __future__ import annotations

import asyncio
import gc
import json
import socket
import subprocess
import sys
import warnings
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

from gland_assets.core.cost import FREE
from gland_assets.core.project import LOCAL_MODEL, Deployment, Price
from gland_assets.core.requests import Message, Request
from gland_assets.core.structured import check_schema, json_of
from gland_assets.io.faults import CAUSES, ProviderFault, Redactor, fault_of
from gland_assets.io.prices import price_of, price_table
from gland_assets.io.probe import probe
from gland_assets.io.providers import NO_KEY, Completion, Providers
from tests.io.asking import PRICE, deployment, project_of, request
from tests.server import ModelServer

CANARY = "sk-canary/4711+secret=="
SCHEMA = {
    "type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"], "additionalProperties": False,
}  # fmt: skip


def complete(asked: Request, *deployments: Deployment) -> Completion:
    return asyncio.run(Providers({each.name: each for each in deployments}).complete(deployments[0].name, asked))


def fault(asked: Request, *deployments: Deployment) -> ProviderFault:
    with pytest.raises(ProviderFault) as raised:
        complete(asked, *deployments)
    assert raised.value.__cause__ is None  # what lies below holds the request's headers
    return raised.value


def connections_to(server: ModelServer) -> int:
    port = urlsplit(server.url).port
    return sum(bool(each.raddr) and each.raddr.port == port for each in psutil.Process().net_connections() if each.status == "ESTABLISHED")


def closed_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def test_everything_that_shapes_the_reply_is_sent(server: ModelServer) -> None:
    asked = request(messages=(Message("user", "one"), Message("assistant", "two"), Message("user", "three")), seed=77)
    done = complete(asked, deployment(server.url, extra={"top_k": 20, "chat_template_kwargs": {"enable_thinking": False}}))
    assert server.log[0]["body"] == {
        "model": "main-model",
        "messages": [{"role": role, "content": said} for role, said in (("user", "one"), ("assistant", "two"), ("user", "three"))],
        "temperature": 0.7, "top_p": 0.95, "max_tokens": 200, "seed": 77, "top_k": 20, "chat_template_kwargs": {"enable_thinking": False},
    }  # fmt: skip
    assert (done.finish_reason, done.model, done.cached_tokens) == ("stop", "main-model-served", 4)
    assert done.prompt_tokens > 4
    assert done.completion_tokens > 4
    assert done.text


def test_the_route_is_called_and_the_model_is_only_a_name(server: ModelServer) -> None:
    complete(request(), deployment(server.url, model="gpt-4o", route="openai/prod-eu"))
    assert server.log[0]["body"]["model"] == "prod-eu"


@pytest.mark.parametrize("structured", ["json_schema", "json_object", "none"])
def test_a_schema_is_asked_for_as_the_deployment_takes_it(server: ModelServer, structured: Any) -> None:
    done = complete(request(schema=SCHEMA), deployment(server.url, structured=structured))
    check_schema(json_of(done.text), SCHEMA)
    body = server.log[0]["body"]
    said = json.dumps(SCHEMA) in body["messages"][-1]["content"]
    assert said == (structured != "json_schema")
    assert body.get("response_format", {}).get("type") == (None if structured == "none" else structured)
    if structured == "json_schema":
        assert body["response_format"]["json_schema"] == {"name": "answers", "schema": SCHEMA, "strict": True}


def test_the_caller_says_which_endpoint_is_asked(server: ModelServer) -> None:
    second = ModelServer().start()
    try:
        main = deployment((server.url, second.url))
        providers = Providers({"main": main})

        async def ask() -> None:
            for endpoint in (1, 0, 1):
                await providers.complete("main", request(), endpoint)

        asyncio.run(ask())
        assert (server.count, second.count) == (1, 2)
    finally:
        second.stop()


def test_the_key_is_sent_and_a_server_without_one_does_not_get_another_services(
    server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-openai")
    monkeypatch.setenv("THEIR_KEY", CANARY)
    complete(request(), deployment(server.url, key_env="THEIR_KEY"))
    complete(request(), deployment(server.url))
    assert [each["authorization"] for each in server.log] == [f"Bearer {CANARY}", f"Bearer {NO_KEY}"]


@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_missing_key_names_its_variable_and_calls_nobody(server: ModelServer, monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    if value is None:
        monkeypatch.delenv("THEIR_KEY", raising=False)
    else:
        monkeypatch.setenv("THEIR_KEY", value)
    found = fault(request(), deployment(server.url, key_env="THEIR_KEY"))
    assert found.cause == "missing_key"
    assert "THEIR_KEY" in found.detail
    assert server.count == 0


@pytest.mark.parametrize(
    ("kind", "message", "cause"),
    [
        ("400", "bad", "bad_request"),
        ("400", "This model's maximum context length is 4096 tokens", "context_length"),
        ("401", "no", "auth_error"),
        ("402", "pay", "out_of_credit"),
        ("403", "no", "forbidden"),
        ("404", "what", "not_found"),
        ("408", "late", "timeout"),
        ("409", "again", "provider_error"),
        ("413", "large", "context_length"),
        ("422", "bad", "bad_request"),
        ("429", "slow down", "rate_limited"),
        ("429", "You exceeded your current quota", "out_of_credit"),
        ("500", "oh", "provider_error"),
        ("502", "oh", "provider_error"),
        ("503", "oh", "provider_error"),
        ("529", "overloaded", "provider_error"),
        ("reset", "", "connection"),
        ("garbage", "", "provider_error"),
        ("no_choices", "", "provider_error"),
    ],
)
@pytest.mark.parametrize("provider", ["openai", "hosted_vllm"])
def test_every_fault_has_its_name(server: ModelServer, kind: str, message: str, cause: str, provider: str) -> None:
    server.fail(kind, message=message)
    found = fault(request(), deployment(server.url, model=f"{provider}/main-model"))
    assert found.cause == cause
    assert found.cause in CAUSES
    assert server.count == 1  # litellm itself repeats nothing


def test_a_server_that_hangs_is_a_timeout(server: ModelServer) -> None:
    server.fail("hang")
    found = fault(request(), deployment(server.url, timeout=0.2))
    assert (found.cause, server.count) == ("timeout", 1)


@pytest.mark.parametrize("provider", ["openai", "hosted_vllm", "ollama_chat"])
def test_a_server_that_is_not_there_is_unreachable(provider: str) -> None:
    assert fault(request(), deployment(f"http://127.0.0.1:{closed_port()}/v1", model=f"{provider}/m")).cause == "unreachable"


def test_a_model_without_a_provider_is_named_as_such(server: ModelServer) -> None:
    assert fault(request(), deployment(server.url, model="nobodys-model")).cause == "unknown_provider"


@pytest.mark.parametrize(("asked", "heard"), [(2.0, 2.0), (0.5, 0.5), (None, None)])
@pytest.mark.parametrize("provider", ["openai", "hosted_vllm"])
def test_retry_after_is_heard(server: ModelServer, asked: float | None, heard: float | None, provider: str) -> None:
    server.fail("429", retry_after=asked)
    assert fault(request(), deployment(server.url, model=f"{provider}/m")).retry_after == heard


def test_tokens_are_estimated_where_the_server_counts_none(server: ModelServer) -> None:
    server.fail("no_usage")
    done = complete(request("word " * 80), deployment(server.url))
    assert done.prompt_tokens == 100
    assert done.completion_tokens > 0


@pytest.mark.parametrize("kind", ["401", "400", "500", "429"])
def test_no_key_is_ever_told(server: ModelServer, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setenv("THEIR_KEY", CANARY)
    server.fail(kind, message=f"Incorrect key provided: {CANARY} or sk%2Dx, see http://user:{CANARY}@host/")
    found = fault(request(), deployment(server.url, key_env="THEIR_KEY", extra={"extra_headers": {"X-Api-Key": "hidden-header"}}))
    assert "canary" not in f"{found} {found.detail} {found!r}"
    assert "[key]" in found.detail


def test_secrets_are_blanked_wherever_they_come_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAMED", "value-of-named")
    monkeypatch.setenv("SOME_API_TOKEN", "value-of-token")
    monkeypatch.setenv("SHORT_KEY", "abc")
    redact = Redactor(["NAMED"], [{"extra_headers": {"Authorization": "Bearer value-of-header"}, "top_k": "value-of-top-k"}])
    text = "value-of-named value-of-token value-of-header Bearer value-of-header abc value-of-top-k https://me:pass@host/x"
    assert redact(text) == "[key] [key] [key] [key] abc value-of-top-k https://[key]@host/x"


def test_any_exception_becomes_a_declared_fault() -> None:
    for error in (ValueError("odd"), KeyError("k"), TimeoutError(), ConnectionRefusedError("no"), RuntimeError()):
        assert fault_of(error, Redactor()).cause in CAUSES


def test_each_event_loop_leaves_nothing_open(server: ModelServer) -> None:
    providers = Providers({"main": deployment(server.url), "vllm": deployment(server.url, "vllm", model="hosted_vllm/m")})

    async def ask() -> None:
        await asyncio.gather(*(providers.complete(name, request()) for name in ("main", "vllm")))

    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        for _ in range(3):
            asyncio.run(ask())
            assert connections_to(server) == 0
        gc.collect()
    assert [str(each.message) for each in warned if issubclass(each.category, ResourceWarning)] == []
    assert server.answered == 6


QUIET = """
import asyncio, logging, sys
logging.basicConfig(level=logging.INFO)
from gland_assets.io.providers import Providers, ProviderFault
from tests.io.asking import deployment, request
assert "litellm" not in sys.modules
providers = Providers({"main": deployment(sys.argv[1])})
async def ask():
    try:
        await providers.complete("main", request("one"))
    except ProviderFault:
        pass
    await providers.complete("main", request("two"))
asyncio.run(ask())
asyncio.run(ask())
"""


def test_nothing_is_printed_and_litellm_waits_for_the_first_call(server: ModelServer) -> None:
    server.fail("500", match="one")
    ran = subprocess.run([sys.executable, "-c", QUIET, server.url], capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("declared", "price"),
    [
        (Deployment("x", "openai/anything", price=PRICE), PRICE),
        (Deployment("x", LOCAL_MODEL), FREE),
        (Deployment("x", "ollama_chat/qwen2.5:7b"), FREE),
        (Deployment("x", "hosted_vllm/Qwen2.5-72B-Instruct"), None),
        (Deployment("x", "openai/no-such-model"), None),
    ],
)
def test_a_deployments_price(declared: Deployment, price: Price | None) -> None:
    assert price_of(declared) == price


def test_prices_are_read_from_litellms_package() -> None:
    found = price_of(Deployment("x", "gpt-4o", route="azure/prod-4o-eu"))
    assert found is not None
    assert 0 < found.input < found.output < 1000
    assert len(price_table()) > 500


def test_a_probe_reports_each_deployment(server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THEIR_KEY", CANARY)
    server.fail("bad_json", match="loose-model")
    server.fail("401", match="barred-model", message=f"bad key {CANARY}")
    server.fail("reasoning_only", match="deep-model")
    project = project_of(
        deployment(server.url),
        deployment(server.url, "loose"),
        deployment(server.url, "barred", key_env="THEIR_KEY"),
        deployment(server.url, "keyless", key_env="NOT_SET_ANYWHERE"),
        deployment(server.url, "deep"),
        replace(deployment(server.url, "words"), structured="none"),
    )
    results = {each.deployment: each for each in asyncio.run(probe(project))}
    assert list(results) == ["main", "loose", "barred", "keyless", "deep", "words"]
    main = results["main"]
    assert (main.ok, main.structured, main.model, main.error) == (True, True, "main-model-served", None)
    assert main.latency_s is not None
    assert (main.price, results["words"].structured, results["words"].form) == (PRICE, True, "none")
    assert (results["loose"].ok, results["loose"].structured) == (True, False)
    assert "set structured to json_object or none" in (results["loose"].error or "")
    assert (results["deep"].ok, results["deep"].structured) == (True, None)
    assert "raise max_tokens" in (results["deep"].error or "")
    assert (results["barred"].ok, results["keyless"].ok) == (False, False)
    assert "NOT_SET_ANYWHERE" in (results["keyless"].error or "")
    assert "canary" not in repr(results)


@pytest.mark.parametrize("kind", ["", "404", "307", "hang"])
def test_a_key_in_the_path_of_an_address_is_shown_nowhere(server: ModelServer, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setenv("THEIR_KEY", "sk-canary-4711")
    place = f"{server.root}/sk-canary-4711/v1"
    server.fail(kind, message=f"no such path: {place}", headers={"Location": f"{place}/there"})
    (result,) = asyncio.run(probe(project_of(deployment(place, key_env="THEIR_KEY", timeout=0.5 if kind == "hang" else 20.0))))
    assert server.log[0]["path"].startswith("/sk-canary-4711/v1")
    assert (result.ok, result.endpoint) == (not kind, f"{server.root}/[key]/v1")
    assert "canary" not in repr(result)


@pytest.mark.parametrize(("provider", "variable"), [("openai", "OPENAI_BASE_URL"), ("hosted_vllm", "HOSTED_VLLM_API_BASE")])
def test_a_password_in_the_environments_address_is_told_at_once(
    server: ModelServer, monkeypatch: pytest.MonkeyPatch, provider: str, variable: str
) -> None:
    monkeypatch.setenv("THEIR_KEY", CANARY)
    monkeypatch.setenv(variable, server.url.replace("://", "://me:canary-of-url@"))
    found = fault(request(), deployment((), model=f"{provider}/main-model", key_env="THEIR_KEY"))
    assert found.cause == "auth_error" and "holds a password" in found.detail
    assert "canary" not in str(found) and server.count == 0


def test_a_probe_asks_every_endpoint(server: ModelServer) -> None:
    gone = f"http://127.0.0.1:{closed_port()}/v1"
    first, second = asyncio.run(probe(project_of(deployment((server.url, gone)))))
    assert (first.endpoint, first.ok) == (server.url, True)
    assert (second.endpoint, second.ok) == (gone, False)
    assert "unreachable" in (second.error or "")
