"""The blocks of docs/providers.md: each loads, and each is asked for real from a server that speaks its provider's protocol."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import replace
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from gland_assets.core.project import Deployment
from gland_assets.core.structured import check_schema, json_of
from gland_assets.io import direct, extras
from gland_assets.io.faults import CAUSES, ProviderFault
from gland_assets.io.prices import price_of
from gland_assets.io.project import check_environment, load_project
from gland_assets.io.providers import Providers
from tests.cli.running import TREE
from tests.io.asking import request
from tests.io.test_roads import SCHEMA
from tests.server import TOKEN, ModelServer

DOCS = (Path(__file__).parents[2] / "docs" / "providers.md").read_text()
BLOCKS = {found[2]: found[1] for found in re.finditer(r"```toml\n(\[deployment\.(\w+)\]\n.*?)```", DOCS, re.DOTALL)}
ROOTED = ("anthropic/", "ollama_chat/", "gemini/", "azure/", "bedrock/", "vertex_ai/")
KEY = "sk-of-the-block"


def declared(folder: Path, name: str) -> Deployment:
    path = folder / "taxonomy.toml"
    path.write_text(BLOCKS[name] + TREE)
    (found,) = load_project(path).deployments.values()
    return found


@pytest.fixture
def clouds(server: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the clouds' own tools go by."""
    for name, value in {"ACCESS_KEY_ID": "AKIAOFTHETEST", "SECRET_ACCESS_KEY": KEY}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    account = {
        "type": "service_account", "project_id": "my-project", "private_key_id": "1", "private_key": private.decode(),
        "client_email": "gland@my-project.example", "client_id": "1", "token_uri": f"{server.root}/token",
    }  # fmt: skip
    (tmp_path / "account.json").write_text(json.dumps(account))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "account.json"))


@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_loads_and_its_price_is_known(tmp_path: Path, name: str) -> None:
    assert price_of(declared(tmp_path, name)) is not None


@pytest.mark.parametrize("name", BLOCKS)
@pytest.mark.usefixtures("clouds")
def test_a_block_is_asked_for_text_and_for_json(server: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    found = declared(tmp_path, name)
    route = found.route or found.model
    here = replace(found, api_base=(server.root if route.startswith(ROOTED) else server.url,))
    if here.key_env:
        monkeypatch.setenv(here.key_env, KEY)

    async def ask() -> None:
        providers = Providers({name: here})
        assert (await providers.complete(name, request())).text
        check_schema(json_of((await providers.complete(name, request(schema=SCHEMA))).text), SCHEMA)

    asyncio.run(ask())
    headers = [server.log[0]["headers"].get(each, "") for each in ("authorization", "x-api-key", "api-key", "x-goog-api-key")]
    shown = {"bedrock": "Credential=AKIAOFTHETEST/", "vertex": f"Bearer {TOKEN}", "ollama": ""}.get(name, KEY if here.key_env else "none")
    assert any(shown in each for each in headers)
    assert server.count == 2


def test_the_docs_name_what_goes_the_direct_road_and_every_cause() -> None:
    section = DOCS[DOCS.index("## Two roads") : DOCS.index("| direct road")]
    assert set(re.findall(r"`(\w+)`", section)) - {"extra"} == set(direct.HOMES)
    assert set(re.findall(r"`(\w+)`", DOCS[DOCS.index("| cause |") :])) >= set(CAUSES) - {"unexpected"}


@pytest.mark.parametrize(("name", "package"), [("bedrock", "gland[bedrock]"), ("vertex", "gland[vertex]")])
def test_a_missing_package_is_named(server: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, package: str) -> None:
    def lacking(module: str) -> ModuleSpec | None:
        raise ModuleNotFoundError(module)

    monkeypatch.setattr(extras, "find_spec", lacking)
    found = declared(tmp_path, name)
    with pytest.raises(ProviderFault) as raised:
        asyncio.run(Providers({name: replace(found, api_base=(server.root,))}).complete(name, request()))
    assert raised.value.cause == "missing_package"
    assert f"pip install '{package}'" in raised.value.detail
    assert server.count == 0
    (fault,) = check_environment(load_project(tmp_path / "taxonomy.toml"), {})
    assert (fault.line, package in fault.fix) == (3, True)


@pytest.mark.parametrize(
    ("kind", "cause", "words"),
    [
        ("429", "rate_limited", ""),
        ("401", "auth_error", ""),
        ("503", "provider_error", ""),
        ("reset", "connection", ""),
        ("truncated", "connection", ""),
        ("hang", "timeout", "no first byte within 0.4 s"),
        ("huge", "provider_error", "longer than 32 MiB"),
        ("307", "not_found", "redirects to http://elsewhere.invalid/[key]"),
    ],
)
@pytest.mark.parametrize("name", ["azure", "gemini", "bedrock", "vertex"])
@pytest.mark.usefixtures("clouds")
def test_what_goes_wrong_with_a_cloud_has_its_name(
    server: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, kind: str, cause: str, words: str
) -> None:
    found = replace(declared(tmp_path, name), api_base=(server.root,), first_byte_timeout=0.4 if kind == "hang" else None)
    if found.key_env:
        monkeypatch.setenv(found.key_env, KEY)
    server.fail(kind, message=f"not now, {KEY}", headers={"Location": f"http://elsewhere.invalid/{KEY}"} if kind == "307" else None)
    with pytest.raises(ProviderFault) as raised:
        asyncio.run(Providers({name: found}).complete(name, request()))
    assert raised.value.cause == cause
    assert words in raised.value.detail
    assert KEY not in str(raised.value)
    assert raised.value.__context__ is None
    assert server.count == 1
