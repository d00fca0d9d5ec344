"""`gland status`: true numbers, as JSON and as text."""

from __future__ import annotations

from pathlib import Path

from gland_assets.io.partitions import Partitions
from gland_assets.io.project import load_project
from tests import rows
from tests.cli.running import HEAD, TREE, declare, gland, store_fresh


def by_slug(found: dict[str, list[dict[str, object]]]) -> dict[object, dict[str, object]]:
    return {each["discipline"]: each for each in found["disciplines"]}


def test_json_counts_what_stands_failed_and_was_kept(made: Path) -> None:
    found = gland(made, "status", "--json").json
    logic, optics, music = (by_slug(found)[slug] for slug in ("logic", "optics", "music"))
    assert logic["rows"] == {
        "subjects": {"rows": 2, "failed": 0}, "syllabi": {"rows": 2, "failed": 0}, "questions": {"rows": 10, "failed": 0},
        "answers": {"rows": 9, "failed": 1},
    }  # fmt: skip
    assert (logic["kept"], optics["kept"], music["kept"]) == (8, 10, 0)
    assert (logic["state"], music["state"], music["built_at"]) == ("built", "missing", None)
    assert found["all"]["rows"]["answers"] == {"rows": 19, "failed": 1} and found["all"]["kept"] == 18
    assert found["last_build"]["build_id"] == "b1" and found["last_build"]["calls"] == 40


def test_an_edit_makes_a_discipline_stale(made: Path) -> None:
    (made / "taxonomy.toml").write_text(HEAD + TREE.replace('"Optics"', '{ name = "Optics", pairs = 11 }'))
    found = by_slug(gland(made, "status", "--json").json)
    assert (found["logic"]["state"], found["optics"]["state"]) == ("built", "stale")


def test_text_has_a_line_a_made_discipline_a_total_and_names_the_rest(made: Path) -> None:
    ran = gland(made, "status")
    lines = {line.split()[0]: line.split() for line in ran.out.splitlines() if line.strip()}
    assert lines["logic"][:8] == ["logic", "built", "2", "2", "10", "9", "8", "1"]
    assert lines["all"][1:7] == ["4", "4", "20", "19", "18", "1"]
    assert "1 discipline not made yet: music" in ran.out and "Last build: done" in ran.out


def test_before_anything_is_made(tmp_path: Path) -> None:
    ran = gland(declare(tmp_path), "status")
    assert ran.code == 0 and "3 disciplines not made yet" in ran.out
    assert not (tmp_path / "warehouse").exists(), "looking makes nothing"
    assert gland(tmp_path, "status", "--json").json["last_build"] is None


def test_a_large_taxonomy_stays_readable(tmp_path: Path) -> None:
    names = ", ".join(f'"Study {number}"' for number in range(218))
    folder = declare(tmp_path, tree=f'[[field]]\nname = "All"\n[[field.subfield]]\nname = "Of it"\ndisciplines = [{names}]\n')
    project = load_project(folder / "taxonomy.toml")
    store_fresh(project, Partitions(folder / "warehouse"), rows.made("study-7"))
    ran = gland(folder, "status")
    assert "217 disciplines not made yet" in ran.out and len(ran.out.splitlines()) < 12


def test_it_works_while_the_published_file_is_held(made: Path) -> None:
    import duckdb

    gland(made, "publish")
    with duckdb.connect(str(made / "warehouse" / "gland.duckdb")):
        assert by_slug(gland(made, "status", "--json").json)["logic"]["kept"] == 9  # publishing counted duplicates anew
