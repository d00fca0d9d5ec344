"""`gland plan`: the JSON of the contract, and a text that stays readable at any size."""

from __future__ import annotations

from pathlib import Path

from gland_assets.core.levels import PARTITIONED
from gland_assets.io.partitions import Partitions
from gland_assets.io.project import load_project
from tests import rows
from tests.cli.running import HEAD, TREE, declare, gland, store_fresh


def states(found: dict[str, list[dict[str, str]]]) -> dict[tuple[str, str], str]:
    return {(part["asset"], part["discipline"]): part["state"] for part in found["partitions"]}


def test_json_is_one_object_of_the_contract(made: Path) -> None:
    found = gland(made, "plan", "--json").json
    assert set(found) >= {"partitions", "disciplines", "requests"}
    assert set(found["requests"]) == {"calls", "reused", "prompt_tokens", "completion_tokens", "usd"}
    assert all(set(part) == {"asset", "discipline", "state", "because"} for part in found["partitions"])
    assert found["disciplines"] == ["music"]
    assert {state for (_, slug), state in states(found).items() if slug == "music"} == {"missing"}
    assert {state for (_, slug), state in states(found).items() if slug != "music"} == {"fresh"}
    assert found["requests"]["calls"] > 0 and found["requests"]["usd"] > 0


def test_an_edit_of_one_setting_names_the_level_it_touches_and_why(made: Path) -> None:
    (made / "taxonomy.toml").write_text(HEAD + "[stage.answers]\ntemperature = 0.2\n" + TREE)
    found = gland(made, "plan", "--json", "-d", "logic").json
    assert {key for key, state in states(found).items() if state != "fresh"} == {("answers", "logic"), ("contamination", "logic")}
    because = [part["because"] for part in found["partitions"] if part["state"] == "stale"]
    assert because == [["temperature 0.7 → 0.2"]]
    assert "temperature 0.7 → 0.2" in gland(made, "plan", "-d", "logic").out


def test_each_discipline_says_what_it_takes(made: Path) -> None:
    (made / "taxonomy.toml").write_text(HEAD + "[stage.answers]\ntemperature = 0.2\n" + TREE)
    found = gland(made, "plan", "--json").json
    taken = found["by_discipline"]
    assert set(taken) == {"logic", "optics", "music"}
    assert all(set(part) == set(found["requests"]) for part in taken.values())
    assert {name: sum(part[name] for part in taken.values()) for name in ("calls", "reused", "prompt_tokens")} == {
        name: found["requests"][name] for name in ("calls", "reused", "prompt_tokens")
    }
    assert (taken["logic"]["calls"], taken["optics"]["calls"]) == (10, 10)
    lines = gland(made, "plan").out.splitlines()
    alike = next(place for place, line in enumerate(lines) if line.strip() == "logic, optics")
    assert lines[alike + 1].strip().startswith("20 new calls, 0 from the store, ")


def test_what_lies_below_a_stale_level_waits(made: Path) -> None:
    (made / "taxonomy.toml").write_text(HEAD.replace("pairs = 10", "pairs = 12") + TREE)
    found = states(gland(made, "plan", "--json").json)
    assert (found["questions", "logic"], found["answers", "logic"], found["subjects", "logic"]) == ("stale", "waiting", "fresh")


def test_a_discipline_that_left_the_taxonomy_is_an_orphan(made: Path) -> None:
    (made / "taxonomy.toml").write_text(HEAD + TREE.replace('"Logic", ', ""))
    found = gland(made, "plan", "--json").json
    assert {key[1] for key, state in states(found).items() if state == "orphan"} == {"logic"}
    assert "logic" not in found["disciplines"]
    assert "1 discipline no longer in the taxonomy" in gland(made, "plan").out


def test_an_unknown_price_is_said(tmp_path: Path) -> None:
    folder = declare(tmp_path, head=HEAD.replace("usd_per_million = { input = 1.0, output = 2.0 }\n", ""))
    assert gland(folder, "plan", "--json").json["requests"]["usd"] is None
    assert "price unknown" in gland(folder, "plan").out


def test_what_a_budget_leaves_is_said(tmp_path: Path) -> None:
    folder = declare(tmp_path, head=HEAD.replace("[defaults]", "[budget]\nusd = 0.05\ntokens = 1000000\n[defaults]"))
    said = gland(folder, "plan").out
    assert "$0 of the budget of $0.05 are spent; it will stop before it is done." in said
    assert "0 of the budget of 1.0 M tokens are spent." in said


def test_many_alike_disciplines_are_one_line(tmp_path: Path) -> None:
    names = ", ".join(f'"Study {number}"' for number in range(218))
    folder = declare(tmp_path, tree=f'[[field]]\nname = "All"\n[[field.subfield]]\nname = "Of it"\ndisciplines = [{names}]\n')
    ran = gland(folder, "plan")
    assert "218 disciplines: not made yet" in ran.out
    assert len(ran.out.splitlines()) < 20
    assert len(gland(folder, "plan", "--json").json["partitions"]) == 218 * len(PARTITIONED)


def test_all_up_to_date_says_that_no_model_would_be_asked(made: Path) -> None:
    store_fresh(load_project(made / "taxonomy.toml"), Partitions(made / "warehouse"), rows.made("music"))
    gland(made, "publish")
    ran = gland(made, "plan")
    assert (ran.code, ran.out) == (0, "All 3 disciplines are up to date: a build would ask no model.\n")


def test_a_setting_that_touches_duplicates_alone_is_told(made: Path) -> None:
    store_fresh(load_project(made / "taxonomy.toml"), Partitions(made / "warehouse"), rows.made("music"))
    gland(made, "publish")
    (made / "taxonomy.toml").write_text(HEAD + "[dedup]\nthreshold = 0.5\n" + TREE)
    found = gland(made, "plan", "--json").json
    assert found["disciplines"] == []
    assert found["duplicates"] == {"state": "stale", "because": ["threshold 0.7 → 0.5"]}
    assert "~ duplicates, to be looked for again: threshold 0.7 → 0.5" in gland(made, "plan").out
    said = gland(made, "build").out
    assert "No model was asked." in said and "Duplicates looked for again (threshold 0.7 → 0.5): 0 questions left out." in said
    assert gland(made, "plan", "--json").json["duplicates"] == {"state": "fresh", "because": []}


def test_a_damaged_partition_counts_as_missing_and_is_named(made: Path) -> None:
    (made / "warehouse" / "answers" / "logic.parquet").write_bytes(b"no parquet")
    ran = gland(made, "plan")
    assert "answers/logic.parquet" in ran.err and "cannot be read" in ran.err
    assert states(gland(made, "plan", "--json").json)["answers", "logic"] == "missing"


def test_an_unknown_discipline_is_refused_with_the_nearest_one(made: Path) -> None:
    ran = gland(made, "plan", "-d", "logik", "-d", "zzz")
    assert ran.code == 2 and ran.out == ""
    assert "'logik'; did you mean 'logic'?" in ran.err and "'zzz'; it has: logic, music, optics" in ran.err
