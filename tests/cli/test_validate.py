"""`gland validate`: needs no key and no network, unless it is asked to try."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.running import HEAD, TREE, declare, gland
from tests.server import ModelServer


def live(folder: Path, url: str, more: str = "") -> Path:
    head = HEAD.replace('key_env = "SMALL_KEY"\n', f'key_env = "SMALL_KEY"\napi_base = "{url}"\n')
    return declare(folder, head=head + more)


def test_a_sound_taxonomy_is_summed_up(tmp_path: Path) -> None:
    ran = gland(declare(tmp_path, head=HEAD + '[stage.answers]\nmodels = ["large"]\n'), "validate")
    assert ran.code == 0 and ran.out.startswith("small: no faults.\n")
    for count, name in ((2, "fields"), (2, "subfields"), (3, "disciplines"), (30, "pairs wanted")):
        assert any(line.split()[0] == str(count) and name in line for line in ran.out.splitlines() if line.strip())
    assert "large = openai/large-1" in ran.out


def test_what_differs_between_disciplines_is_counted(tmp_path: Path) -> None:
    head = HEAD.replace("[defaults]", '[deployment.small]\nmodel = "s"\n[defaults]\nmodels = ["large"]')
    tree = TREE.replace('"Optics"', '{ name = "Optics", stage.answers.models = ["small"] }')
    out = gland(declare(tmp_path, tree, head), "validate").out
    assert "large = openai/large-1 (2 disciplines); small = s (1 discipline)" in out


def test_a_missing_key_is_a_note_and_with_live_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SMALL_KEY", raising=False)
    ran = gland(declare(tmp_path), "validate")
    assert ran.code == 0 and "SMALL_KEY is unset" in ran.out
    ran = gland(tmp_path, "validate", "--live")
    assert ran.code == 2 and "SMALL_KEY is unset" in ran.err and ran.out == ""


def test_live_shows_what_each_deployment_did(server: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMALL_KEY", "sk-of-the-test")
    ran = gland(live(tmp_path, server.url), "validate", "--live")
    assert ran.code == 0, ran.err
    row = next(line for line in ran.out.splitlines() if line.startswith("  large ") and "yes" in line)
    assert "large-1-served" in row and "1.0 in, 2.0 out" in row
    assert server.count == 1 and "sk-of-the-test" not in ran.out + ran.err


def test_live_ends_with_2_when_a_deployment_cannot_be_used(server: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMALL_KEY", "sk-of-the-test")
    server.fail("401", times=9, message="no such key")
    ran = gland(live(tmp_path, server.url), "validate", "--live")
    assert ran.code == 2 and "large" in ran.err and "Traceback" not in ran.err
    assert "sk-of-the-test" not in ran.out + ran.err


def test_live_names_the_endpoint_of_several_that_does_not_answer(
    server: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMALL_KEY", "sk-of-the-test")
    head = HEAD.replace('key_env = "SMALL_KEY"\n', f'key_env = "SMALL_KEY"\napi_base = ["{server.url}", "http://127.0.0.1:9/v1"]\n')
    ran = gland(declare(tmp_path, head=head), "validate", "--live")
    assert ran.code == 2
    rows = [line for line in ran.out.splitlines() if line.startswith("  large ")]
    assert any(server.url in row and "yes, json_schema" in row for row in rows)
    assert any("http://127.0.0.1:9/v1" in row and " no" in row for row in rows)
    assert ran.err.startswith("large at http://127.0.0.1:9/v1: unreachable")
