"""`gland why`: a discipline's levels and what it will ask for, a row's request, and what became of a request."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gland_assets.io.partitions import Partitions
from gland_assets.io.store import ResponseStore
from tests.building import build, edit, foreseen, served
from tests.cli.running import gland
from tests.server import ModelServer


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory, _running_server: ModelServer) -> Path:
    """Logic built, and Optics not; to be copied."""
    _running_server.reset()
    folder = served(tmp_path_factory.mktemp("once"), _running_server, pairs=4)
    build(folder, "logic")
    return folder


@pytest.fixture
def built(once: Path, tmp_path: Path, server: ModelServer) -> Iterator[Path]:
    shutil.copytree(once, tmp_path / "project")
    yield tmp_path / "project"


def rows(folder: Path, level: str) -> list[dict[str, object]]:
    return Partitions(folder / "warehouse").rows(level, "logic")


def stage(folder: Path, name: str, setting: str) -> None:
    edit(folder, {"[defaults]": f"[stage.{name}]\n{setting}\n[defaults]"})


def forget(folder: Path, *keys: str) -> None:
    store = ResponseStore(folder / "warehouse" / "responses.sqlite")
    store.remove(keys)
    store.close()


def test_a_discipline_up_to_date_says_when_and_by_which_build(built: Path) -> None:
    answer = gland(built, "why", "logic", "--json").json
    assert (answer["kind"], answer["discipline"], answer["missing"]) == ("discipline", "logic", [])
    levels = {level["asset"]: level for level in answer["levels"]}
    assert {level["state"] for level in levels.values()} == {"fresh"}
    assert levels["answers"]["build_id"] and levels["answers"]["built_at"] and levels["answers"]["rows"] == 4
    said = gland(built, "why", "logic").out
    assert levels["answers"]["build_id"] in said and "up to date" in said


def test_an_edit_is_told_as_the_setting_and_the_part_of_the_key_that_moved(built: Path) -> None:
    stage(built, "questions", "temperature = 0.2")
    answer = gland(built, "why", "logic", "--json").json
    [stale] = [level for level in answer["levels"] if level["state"] == "stale"]
    assert (stale["asset"], stale["because"]) == ("questions", ["temperature 1.0 → 0.2"])
    [group] = answer["missing"]
    assert (group["stage"], group["requests"], group["because"]) == ("questions", 4, "temperature 1.0 → 0.2")
    assert group["nearest"]["relation"] == "same row"
    assert answer["requests"]["calls"] == foreseen(built, "logic").calls == 8
    assert any(line.split()[:5] == ["questions", "4", "temperature", "1.0", "→"] for line in gland(built, "why", "logic").out.splitlines())


def test_new_rows_and_rows_above_that_changed_are_told_apart(built: Path) -> None:
    edit(built, {"pairs = 4": "pairs = 6", "sessions = [3, 4]": "sessions = [3, 5]"})
    syllabi = len(rows(built, "syllabi"))
    groups = {(group["stage"], group["because"]): group["requests"] for group in gland(built, "why", "logic", "--json").json["missing"]}
    assert groups == {("syllabi", "what the prompt was filled with"): syllabi}
    edit(built, {"sessions = [3, 5]": "sessions = [3, 4]"})
    [group] = gland(built, "why", "logic", "--json").json["missing"]
    assert (group["stage"], group["requests"], group["because"], group["nearest"]["relation"]) == (
        "questions",
        2,
        "new rows",
        "another row",
    )
    nothing = gland(built, "why", "optics", "--json").json
    assert [group["because"] for group in nothing["missing"]] == ["nothing of this stage is stored"]
    assert "all levels" in gland(built, "why", "optics").out


def test_an_edited_prompt_misses_in_its_turn_alone(built: Path) -> None:
    (built / "prompts").mkdir()
    (built / "prompts" / "syllabi.extract.txt").write_text("Now as JSON.")
    edit(built, {'name = "served"': 'name = "served"\nprompts = "prompts"'})
    [group] = gland(built, "why", "logic", "--json").json["missing"]
    assert (group["stage"], group["because"]) == ("syllabi", "the prompt's text")
    assert gland(built, "why", group["key"]).out.count("the prompt's text") == 1


def test_what_was_stored_by_an_older_gland_is_said_to_be_too_old(built: Path) -> None:
    with closing(sqlite3.connect(built / "warehouse" / "responses.sqlite", isolation_level=None)) as store:
        store.execute("update responses set parts = null")
    stage(built, "answers", "temperature = 0.1")
    [group] = gland(built, "why", "logic", "--json").json["missing"]
    assert "too old to compare" in group["because"] and group["nearest"]["relation"] == "too old"


@pytest.mark.parametrize("level", ["subjects", "syllabi", "questions", "answers"])
def test_a_row_leads_to_its_partition_its_request_and_who_paid(built: Path, level: str) -> None:
    row = rows(built, level)[0]
    identity = {"subjects": "subject_id", "syllabi": "syllabus_id", "questions": "question_id", "answers": "answer_id"}[level]
    answer = gland(built, "why", str(row[identity])[:10], "--json").json
    assert (answer["id"], answer["partition"]["asset"], answer["partition"]["state"]) == (row[identity], level, "fresh")
    request = answer["request"]
    assert (request["request_key"], request["stored"], request["asked"]) == (row["request_key"], True, True)
    assert request["paid"]["build_id"] == answer["partition"]["build_id"] and request["paid"]["usd"] > 0


def test_a_session_and_a_key_concept_lead_to_their_syllabus(built: Path) -> None:
    syllabus = rows(built, "syllabi")[0]
    session = syllabus["sessions"][0]  # type: ignore[index]
    for identity, kind in ((session["session_id"], "session"), (session["concepts"][0]["concept_id"], "key concept")):
        answer = gland(built, "why", identity, "--json").json
        assert (answer["kind"], answer["request"]["request_key"]) == (kind, syllabus["request_key"])


def test_a_row_made_again_from_the_store_names_both_builds(built: Path) -> None:
    paid_by = gland(built, "why", "logic", "--json").json["levels"][-1]["build_id"]
    shutil.rmtree(built / "warehouse" / "answers")
    made_by = build(built, "logic")
    row = rows(built, "answers")[0]
    answer = gland(built, "why", str(row["answer_id"]), "--json").json
    assert (answer["partition"]["build_id"], answer["request"]["paid"]["build_id"]) == (made_by, paid_by)
    said = gland(built, "why", str(row["answer_id"])).out
    assert f"made by build {made_by} from the store" in said and paid_by in said


def test_a_stored_request_says_whether_anything_still_asks_for_it(built: Path) -> None:
    key = str(rows(built, "questions")[0]["request_key"])
    asked = gland(built, "why", key[:8], "--json").json
    assert (asked["request_key"], asked["stage"], asked["discipline"], asked["asked"]) == (key, "questions", "logic", True)
    assert asked["row"] == rows(built, "questions")[0]["question_id"] and asked["paid"]["accepted"] is True
    stage(built, "questions", "temperature = 0.2")
    assert gland(built, "why", key, "--json").json["asked"] is False
    stage(built, "syllabi", "temperature = 0.2")
    assert gland(built, "why", key, "--json").json["asked"] is None, "which questions there will be is not known yet"
    edit(built, {'"Logic", ': ""})
    assert gland(built, "why", key, "--json").json["asked"] is False
    assert "nothing in the taxonomy as it is asks for it" in gland(built, "why", key).out


def test_a_first_turn_is_known_by_its_key_too(built: Path) -> None:
    named = {row["request_key"] for row in rows(built, "subjects")}
    with closing(sqlite3.connect(built / "warehouse" / "responses.sqlite")) as store:
        keys = [key for (key,) in store.execute("select request_key from responses where stage = 'subjects'") if key not in named]
    answer = gland(built, "why", keys[0], "--json").json
    assert (answer["stage"], answer["turn"], answer["rows"], answer["asked"]) == ("subjects", 1, [], True)
    assert gland(built, "why", str(rows(built, "subjects")[0]["request_key"]), "--json").json["turn"] == 2


def test_a_request_no_provider_answered_is_found_by_the_key_its_failure_names(
    built: Path, server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gland_assets.io.sending.Waits.before", lambda *_: 0.0)
    edit(built, {"pairs = 4": "pairs = 5"})
    server.fail("500", times=100, match="Key concepts")
    build(built, "logic")
    [failed] = [row for row in rows(built, "questions") if row["failure"]]
    key = str(failed["request_key"])
    answer = gland(built, "why", key[:12], "--json").json
    assert (answer["request_key"], answer["stored"], answer["asked"], answer["paid"]) == (key, False, True, None)
    assert answer["because"] == "new rows"
    assert answer["rows"] == [{"asset": "questions", "discipline": "logic", "row_id": failed["question_id"]}]
    by_row = gland(built, "why", str(failed["question_id"])).out
    assert "provider_error" in by_row and "no provider answered" in by_row and "the next build asks for it" in by_row


def test_a_missing_request_says_which_part_differs_from_the_nearest(built: Path) -> None:
    stage(built, "answers", "temperature = 0.1\nmax_tokens = 300")
    [group] = gland(built, "why", "logic", "--json").json["missing"]
    answer = gland(built, "why", group["key"][:9], "--json").json
    assert (answer["request_key"], answer["stored"], answer["asked"]) == (group["key"], False, True)
    assert answer["because"] == "temperature 0.7 → 0.1, max_tokens 2048 → 300"
    assert answer["nearest"]["key"] in {row["request_key"] for row in rows(built, "answers")}
    assert "the next build asks for it: temperature 0.7 → 0.1, max_tokens 2048 → 300" in gland(built, "why", group["key"]).out


def test_a_reply_that_was_pruned_and_one_that_was_lost_are_told_apart(built: Path) -> None:
    row = rows(built, "answers")[0]
    stage(built, "answers", "temperature = 0.1")
    build(built, "logic")
    assert gland(built, "prune", "--responses", "--yes").code == 0
    pruned = gland(built, "why", str(row["request_key"]), "--json").json
    assert (pruned["request_key"], pruned["stored"], pruned["pruned"], pruned["asked"]) == (row["request_key"], False, True, False)
    assert pruned["paid"]["usd"] > 0 and "gland prune" in gland(built, "why", str(row["request_key"])).out
    lost = str(rows(built, "answers")[0]["request_key"])
    forget(built, lost)
    answer = gland(built, "why", lost, "--json").json
    assert (answer["stored"], answer["pruned"]) == (False, False) and answer["paid"]["usd"] > 0
    assert "the store has lost it" in gland(built, "why", lost).out
    shutil.rmtree(built / "warehouse" / "answers")
    [group] = gland(built, "why", "logic", "--json").json["missing"]
    assert (group["requests"], group["nearest"]["relation"]) == (1, "lost")


def test_what_is_not_there_is_said_with_what_was_looked_for(built: Path) -> None:
    unknown = gland(built, "why", "feedfacefeed")
    assert unknown.code == 2 and "nothing has an id or a key that begins with feedfacefeed" in unknown.err
    assert "responses.sqlite" in unknown.err and "the next build will make" in unknown.err
    assert "did you mean 'logic'" in gland(built, "why", "logik").err
    with closing(sqlite3.connect(built / "warehouse" / "ledger.sqlite", isolation_level=None)) as ledger:
        for key in ("abcdabcd1", "abcdabcd2"):
            ledger.execute(
                "insert into requests select null, ?, build_id, discipline, stage, prompt_hash, deployment, model, 1, 0, 1, 1, 1, 1, 1, "
                "sent_at from requests limit 1", [key],
            )  # fmt: skip
    several = gland(built, "why", "abcdabcd")
    assert several.code == 2 and "abcdabcd1" in several.err and "abcdabcd2" in several.err


def test_a_discipline_that_left_the_taxonomy_says_so(built: Path) -> None:
    edit(built, {'"Logic", ': ""})
    answer = gland(built, "why", "logic", "--json").json
    assert {level["state"] for level in answer["levels"]} == {"orphan"}
    assert "no longer in the taxonomy" in gland(built, "why", "logic").out
