"""Whole builds, as a user runs them, against a local server that counts what it is asked."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from pathlib import Path

import duckdb
import pytest

from gland_assets.io.project import load_project
from gland_assets.io.sql import useful_questions
from tests.building import HEAD
from tests.cli.running import declare, environment, gland_alone, gland_process
from tests.server import ModelServer

KEY = {"SMALL_KEY": "canary-7f1b6c"}
SERVED = HEAD.replace("[3, 4]", "[2, 3]")  # smaller
PARALLEL = 8
CONTENT = "select * exclude (usd) from dataset order by id"


def served(folder: Path, server: ModelServer, pairs: int = 6) -> Path:
    """A project of three disciplines whose model is the local server."""
    return declare(folder, head=SERVED.format(url=server.url, pairs=pairs, parallel=PARALLEL))


def build(folder: Path, *arguments: str) -> tuple[int, str]:
    done = gland_alone(folder, "build", "--yes", *arguments, env=KEY)
    return done.code, done.out + done.err


def rows(folder: Path, query: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(folder / "warehouse" / "gland.duckdb"), read_only=True) as connection:
        return connection.execute(query).fetchall()


def asked_twice(server: ModelServer) -> list[str]:
    """The bodies of requests that the server answered more than once."""
    bodies = Counter(json.dumps(entry["body"], sort_keys=True) for entry in server.log if entry["fault"] is None)
    return [body for body, count in bodies.items() if count > 1]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, _running_server: ModelServer) -> tuple[Path, int, str]:
    """A project built once: its folder, the requests the server saw, and what the build printed."""
    _running_server.reset()
    folder = served(tmp_path_factory.mktemp("built"), _running_server)
    code, said = build(folder)
    assert code == 0, said
    return folder, _running_server.answered, said


def test_what_was_paid_is_what_the_tables_say(built: tuple[Path, int, str]) -> None:
    folder, answered, _ = built
    [(requests, usd)] = rows(folder, "select count(*), sum(usd) from requests")
    [(calls, reused, build_usd, outcome)] = rows(folder, "select calls, reused, usd, outcome from builds")
    assert requests == calls == answered
    assert (reused, outcome) == (0, "done")
    assert usd == build_usd > 0  # type: ignore[operator]


def test_every_pair_leads_up_to_its_field_and_to_the_request_that_made_it(built: tuple[Path, int, str]) -> None:
    folder, _, _ = built
    [(pairs, kept)] = rows(folder, "select (select count(*) from dataset), (select count(*) from questions where status = 'kept')")
    assert pairs == kept == 18
    incomplete = """select id from dataset where question = '' or answer = '' or field is null or subfield is null or subject is null
      or level is null or question_model is null or question_prompt is null or usd is null or len(sessions) = 0 or len(key_concepts) = 0"""
    assert rows(folder, incomplete) == []
    strays = """select c.question_id from question_concepts c anti join
      (select k.concept_id, k.session_id, s.subject_id from key_concepts k join sessions s using (session_id)) k
      on c.concept_id = k.concept_id and c.session_id = k.session_id
        and k.subject_id = (select q.subject_id from questions q where q.question_id = c.question_id)"""
    assert rows(folder, strays) == []
    assert rows(folder, "select strategy from questions group by all order by all") == [("one_session",), ("two_sessions",)]


def test_a_question_prompt_holds_the_whole_syllabus_and_the_sampled_concepts(built: tuple[Path, int, str]) -> None:
    folder, _, _ = built
    project = load_project(folder / "taxonomy.toml")
    assert all("{syllabus}" in project.prompts[f"questions.{strategy}.txt"] for strategy in ("one_session", "two_sessions"))
    used = rows(folder, "select distinct p.stage, p.name from prompts p join requests using (prompt_hash) order by all")
    assert {stage for stage, _ in used} == {"subjects", "syllabi", "questions", "answers"}


def test_the_ten_useful_queries_answer_from_the_published_file(built: tuple[Path, int, str]) -> None:
    folder, _, _ = built
    assert len(useful_questions()) == 10
    for title, query in useful_questions().items():
        assert isinstance(rows(folder, query), list), title


def test_after_a_build_there_is_nothing_to_rebuild(built: tuple[Path, int, str], server: ModelServer) -> None:
    folder, _, _ = built
    plan = gland_alone(folder, "plan", "--json").json
    assert plan["disciplines"] == []
    assert {part["state"] for part in plan["partitions"]} == {"fresh"}
    assert plan["requests"]["calls"] == 0
    code, said = build(folder)
    assert code == 0
    assert "Nothing to do" in said
    assert server.count == 0


def test_editing_one_discipline_makes_exactly_that_one_stale_and_asks_only_for_it(tmp_path: Path, server: ModelServer) -> None:
    folder = served(tmp_path / "edited", server)
    assert build(folder)[0] == 0
    before = {str(row[0]): row for row in rows(folder, CONTENT)}
    taxonomy = folder / "taxonomy.toml"
    taxonomy.write_text(taxonomy.read_text().replace('"Logic"', '{ name = "Logic", pairs = 8 }'))
    plan = gland_alone(folder, "plan", "--json").json
    assert plan["disciplines"] == ["logic"]
    stale = {(part["asset"], part["state"]) for part in plan["partitions"] if part["state"] != "fresh"}
    assert stale == {("questions", "stale"), ("answers", "waiting"), ("signatures", "waiting"), ("contamination", "waiting")}
    assert plan["requests"]["calls"] == 4  # two more questions and their answers
    server.reset()
    assert build(folder)[0] == 0
    assert server.answered == 4
    after = {str(row[0]): row for row in rows(folder, CONTENT)}
    assert len(after) == len(before) + 2
    assert all(after[identity] == row for identity, row in before.items())


def test_a_removed_discipline_drops_out_and_a_new_one_costs_only_itself(tmp_path: Path, server: ModelServer) -> None:
    folder = served(tmp_path / "swapped", server)
    assert build(folder)[0] == 0
    taxonomy = folder / "taxonomy.toml"
    text = taxonomy.read_text()
    taxonomy.write_text(text.replace('["Logic", "Optics"]', '["Logic"]'))
    server.reset()
    assert build(folder)[0] == 0
    assert server.count == 0
    assert rows(folder, "select distinct discipline from dataset order by all") == [("logic",), ("music",)]
    taxonomy.write_text(text)
    assert build(folder)[0] == 0
    assert server.count == 0, "what was paid for once is still there when the discipline comes back"
    assert len(rows(folder, "select distinct discipline from dataset")) == 3


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_stopping_is_clean_and_says_how_to_go_on(tmp_path: Path, server: ModelServer, how: signal.Signals) -> None:
    folder = served(tmp_path / "stopped", server)
    server.state.latency = 0.3
    process = gland_process(folder, "build", "--yes", env=KEY, apart=True)
    while server.answered < 4 and process.poll() is None:
        time.sleep(0.05)
    os.killpg(process.pid, how)  # the build and its workers, as a terminal and a service manager do it
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, out + err
    assert "gland build" in out + err and "Traceback" not in out + err
    server.state.latency = 0.0
    code, said = build(folder)
    assert code == 0, said
    assert asked_twice(server) == []  # what was on its way was waited for
    assert len(rows(folder, "select id from dataset")) == 18


def test_nohup_keeps_a_build_at_work_when_its_terminal_hangs_up(tmp_path: Path, server: ModelServer) -> None:
    folder = served(tmp_path / "left", server, pairs=1)
    server.state.latency = 0.3
    process = gland_process(folder, "build", "--yes", env=KEY, apart=True, through=["nohup"])
    while server.answered < 4 and process.poll() is None:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGHUP)
    server.state.latency = 0.0
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, out + err
    assert len(rows(folder, "select id from dataset")) == 3


def test_rows_that_fail_are_told_and_no_answer_shifts_onto_another_question(tmp_path: Path, server: ModelServer) -> None:
    folder = served(tmp_path / "failing", server)
    server.fail("loop", times=10_000, match="Music")
    code, said = build(folder)
    assert code == 1, said
    failures = rows(folder, "select distinct discipline, stage, cause from failures")
    assert {row[0] for row in failures} == {"music"} and {row[2] for row in failures} == {"loop"}
    assert rows(folder, "select discipline, count(*) from dataset group by all order by all") == [("logic", 6), ("optics", 6)]
    paid = rows(folder, "select accepted, count(*) from requests where discipline = 'music' group by all")
    assert paid == [(False, 8)]  # two queries, four tries each, every one in the table with what it cost


def test_rows_that_no_provider_answered_are_asked_for_again_by_the_next_build(tmp_path: Path, server: ModelServer) -> None:
    folder = served(tmp_path / "outage", server, pairs=3)
    (folder / "prompts").mkdir()
    for strategy in ("one_session", "two_sessions"):
        (folder / "prompts" / f"questions.{strategy}.txt").write_text("Quiz of {discipline}.\n{syllabus}\n{sessions}\n{concepts}\n")
    taxonomy = folder / "taxonomy.toml"
    taxonomy.write_text(taxonomy.read_text().replace('name = "served"', 'name = "served"\nprompts = "prompts/"'))
    assert build(folder)[0] == 0
    taxonomy.write_text(taxonomy.read_text().replace('"Logic"', '{ name = "Logic", pairs = 4 }'))
    server.fail("500", times=1000, match="Quiz of Logic.")
    code, said = build(folder)
    assert code == 1, said
    assert rows(folder, "select discipline, stage, cause from failures") == [("logic", "questions", "provider_error")]
    assert len(rows(folder, "select id from dataset")) == 9
    server.reset()
    plan = gland_alone(folder, "plan", "--json").json
    assert plan["disciplines"] == ["logic"]
    code, said = build(folder)
    assert code == 0, said
    assert server.answered == 2  # the question, and its answer
    assert rows(folder, "select count(*) from failures") == [(0,)]
    assert len(rows(folder, "select id from dataset")) == 10


def test_a_missing_key_is_named_before_anything_is_asked(tmp_path: Path, server: ModelServer) -> None:
    folder = served(tmp_path / "keyless", server)
    process = gland_process(folder, "build", "--yes", env={"SMALL_KEY": ""})
    out, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "SMALL_KEY" in err + out and "Traceback" not in err
    assert server.count == 0
    assert "SMALL_KEY" not in environment()
