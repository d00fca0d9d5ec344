"""`gland init`: what it writes holds, and nothing of the user's is ever overwritten."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gland_assets.cli.init import Provider, contents
from gland_assets.core.project import LOCAL_MODEL
from gland_assets.io.project import load_project
from tests.cli.running import gland


@pytest.mark.parametrize("provider", list(Provider))
def test_a_new_project_validates_and_plans(provider: Provider, tmp_path: Path) -> None:
    folder = tmp_path / "new"
    ran = gland(tmp_path, "init", str(folder), "--provider", provider)
    assert ran.code == 0 and "gland build" in ran.out
    assert {"taxonomy.toml", "definitions.py", ".gitignore"} <= {path.name for path in folder.iterdir()}
    assert gland(folder, "validate").code == 0
    found = gland(folder, "plan", "--json").json
    assert len(found["disciplines"]) == 3 and found["requests"]["calls"] > 0
    project = load_project(folder / "taxonomy.toml")
    assert project.name == "new" and len(project.fields) == 2
    assert any(deployment.local for deployment in project.deployments.values()) == (provider is Provider.local)


def test_a_project_without_a_provider_asks_the_local_model(tmp_path: Path) -> None:
    gland(tmp_path, "init", str(tmp_path / "new"))
    assert {each.model for each in load_project(tmp_path / "new" / "taxonomy.toml").deployments.values()} == {LOCAL_MODEL}


@pytest.mark.parametrize("standing", ["taxonomy.toml", "definitions.py", ".gitignore", "prompts/answers.txt"])
def test_nothing_is_written_where_something_stands(standing: str, tmp_path: Path) -> None:
    path = tmp_path / standing
    path.parent.mkdir(exist_ok=True)
    path.write_text("mine")
    ran = gland(tmp_path, "init", str(tmp_path))
    assert ran.code == 2 and standing in ran.err
    assert path.read_text() == "mine"
    assert [each for each in tmp_path.rglob("*") if each.is_file()] == [path]


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    ran = gland(tmp_path, "init", str(tmp_path / "file"))
    assert ran.code == 2 and "name a folder" in ran.err


def test_an_unknown_provider_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    ran = gland(tmp_path, "init", str(tmp_path / "new"), "--provider", "openia")
    assert ran.code == 2 and "anthropic" in ran.err
    assert not (tmp_path / "new").exists()


@given(name=st.text(max_size=120))
def test_any_folder_name_gives_a_taxonomy_that_parses(name: str) -> None:
    import tomllib

    files = contents(name, Provider.local)
    assert tomllib.loads(files["taxonomy.toml"])["dataset"]["name"]
    ast.parse(files["definitions.py"])


def test_the_next_commands_begin_with_going_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "cd new" in gland(tmp_path, "init", "new").out
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert "cd " not in gland(tmp_path, "init").out
