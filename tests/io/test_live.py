"""Live views: the published names over whatever stands in the partition files, at any moment, without a lock."""

from __future__ import annotations

import os
from collections import Counter
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from gland_assets.core.errors import GlandError
from gland_assets.core.records import Duplicate
from gland_assets.core.tables import TABLES, VIEWS
from gland_assets.io.live import LIVE_SQL, TRIES, connect_live, steady, write_live
from gland_assets.io.parquet import write_parquet
from gland_assets.io.partitions import EMPTY, Partitions
from gland_assets.io.sql import literal, useful_questions
from tests import rows
from tests.io.sessions import session

AWKWARD = "it's [a] b=c * ? ünï"


def live(warehouse: Path, query: str, project: Any = None) -> list[Any]:
    with closing(connect_live(project or rows.project(), warehouse)) as connection:
        return connection.execute(query).fetchall()


def test_a_new_warehouse_has_every_table_empty_and_typed(tmp_path: Path) -> None:
    with closing(connect_live(rows.project(()), tmp_path / "warehouse")) as connection:
        for table in (*TABLES.values(), *VIEWS):
            described = connection.execute(f"describe {table.name}").fetchall()
            declared = connection.execute("describe select " + ", ".join(f"null::{c.type} as {c.name}" for c in table.columns)).fetchall()
            assert [row[:2] for row in described] == [row[:2] for row in declared], table.name
            assert connection.execute(f"from {table.name}").fetchall() == []


def test_what_was_dropped_stands_by_similarity_and_between_disciplines(tmp_path: Path) -> None:
    partitions = Partitions(tmp_path)
    rows.store(partitions, rows.made("logic"), rows.made("optics"))
    alike = (("a", "logic", "logic", 0.7), ("b", "logic", "logic", 0.74), ("c", "logic", "optics", 1.0), ("d", "optics", "logic", 0.99))
    found = [Duplicate(one, "k", own, kept, "exact" if value == 1 else "near", value) for one, own, kept, value in alike]
    rows.store_duplicates(partitions, *found)
    assert live(tmp_path, "from similarities") == [("logic", 0.7, 0.75, 2), ("logic", 1.0, 1.0, 1), ("optics", 0.95, 1.0, 1)]
    between = live(tmp_path, "select * replace (round(mean, 6) as mean) from duplicates_between")
    assert between == [("logic", "logic", 0, 2, 0.7, 0.72), ("logic", "optics", 1, 0, 1.0, 1.0), ("optics", "logic", 0, 1, 0.99, 0.99)]


@pytest.mark.parametrize("old", [b"", b"PAR1"], ids=["of nothing", "cut off"])
def test_an_empty_file_that_is_not_as_it_should_be_is_written_again(tmp_path: Path, old: bytes) -> None:
    partitions = Partitions(tmp_path)
    rows.store(partitions, rows.made("logic", pairs=2))
    partitions.path("answers", EMPTY).write_bytes(old)
    assert live(tmp_path, "select count(*) from dataset") == [(2,)]


def test_an_empty_file_of_an_older_version_is_written_again(tmp_path: Path) -> None:
    partitions = Partitions(tmp_path)
    rows.store(partitions, rows.made("logic", pairs=2))
    write_parquet(partitions.path("answers", EMPTY), pa.table({"answer_id": pa.array([], pa.string())}))
    assert live(tmp_path, "select count(*) from dataset") == [(2,)]


def test_every_stored_row_stands_in_its_table(tmp_path: Path) -> None:
    made = rows.made("logic", pairs=7, subjects=3), rows.made("optics", pairs=4)
    rows.store(Partitions(tmp_path), *made)
    rows.store_ledger(tmp_path, *made)
    counts = {name: live(tmp_path, f"select count(*) from {name}")[0][0] for name in TABLES}
    sessions = [session for one in made for syllabus in one.syllabi for session in syllabus.sessions]
    assert counts == {
        "fields": 1, "subfields": 2, "disciplines": 2, "subjects": 5, "syllabi": 5, "sessions": len(sessions),
        "key_concepts": sum(len(session.concepts) for session in sessions), "questions": 11, "question_concepts": 22, "answers": 11,
        "signatures": 11, "duplicates": 0, "contamination": 0, "benchmarks": 0, "prompts": 1, "builds": 1, "requests": 22, "failures": 0,
    }  # fmt: skip
    found = live(tmp_path, "select session_id, syllabus_id, subject_id, discipline, position, title, description from sessions")
    assert Counter(found) == Counter(
        (each.session_id, syllabus.syllabus_id, syllabus.subject_id, one.discipline, each.position, each.title, each.description)
        for one in made for syllabus in one.syllabi for each in syllabus.sessions
    )  # fmt: skip
    assert live(tmp_path, "select answer_id, text, made_at from answers order by all") == sorted(
        (answer.answer_id, answer.text, answer.made_at) for one in made for answer in one.answers
    )


def test_a_pair_of_the_dataset_has_its_whole_ancestry(tmp_path: Path) -> None:
    one = rows.made("logic", pairs=3)
    rows.store(Partitions(tmp_path), one)
    rows.store_ledger(tmp_path, one)
    question, answer = one.questions[1], one.answers[1]
    subject = next(each for each in one.subjects if each.subject_id == question.subject_id)
    sessions = {each.session_id: each for syllabus in one.syllabi for each in syllabus.sessions}
    names = {concept.concept_id: concept.name for each in sessions.values() for concept in each.concepts}
    with closing(connect_live(rows.project(), tmp_path)) as connection:
        found = connection.execute("select * from dataset where id = ?", [question.question_id])
        columns = [column[0] for column in found.description]
        (row,) = found.fetchall()
    assert dict(zip(columns, row, strict=True)) == {
        "id": question.question_id, "discipline": "logic", "subfield": "studies-l", "field": "knowledge", "subject": subject.name,
        "level": subject.level, "strategy": "one_session", "sessions": sorted({sessions[c.session_id].title for c in question.concepts}),
        "key_concepts": [names[key] for key in sorted(c.concept_id for c in question.concepts)], "question": question.text,
        "answer": answer.text, "tokens": 60, "question_model": rows.MODEL, "answer_model": rows.MODEL,
        "question_prompt": "questions.one_session.txt", "question_prompt_hash": rows.PROMPT, "usd": Decimal("0.002"),
    }  # fmt: skip


def test_a_pair_without_a_record_of_what_it_cost_is_still_in_the_dataset(tmp_path: Path) -> None:
    rows.store(Partitions(tmp_path), rows.made("logic", pairs=2))
    assert live(tmp_path, "select question_model, question_prompt, usd from dataset") == [(None, None, 0)] * 2


def test_the_status_says_what_became_of_each_question(tmp_path: Path) -> None:
    partitions = Partitions(tmp_path)
    one = rows.with_failed_answer(rows.made("logic", pairs=6), 1)
    one = rows.with_question(one, 2, text=None, tokens=None, failure=rows.failure("questions", one.questions[2].question_id))
    one = replace(one, answers=tuple(answer for index, answer in enumerate(one.answers) if index not in (2, 5)))
    rows.store(partitions, one)
    ids = [question.question_id for question in one.questions]
    rows.store_duplicates(
        partitions,
        Duplicate(ids[3], ids[0], "logic", "logic", "exact", 1.0),
        Duplicate(ids[4], ids[0], "logic", "logic", "near", 0.8),
        Duplicate(ids[1], ids[0], "logic", "logic", "near", 0.8),
    )
    found = dict(live(tmp_path, "select question_id, status from questions"))
    assert [found[key] for key in ids] == ["kept", "failed", "failed", "exact_duplicate", "near_duplicate", None]
    assert live(tmp_path, "select id from dataset") == [(ids[0],)]
    failed = live(tmp_path, "select stage, row_id, cause, attempts, discipline from failures order by stage")
    assert failed == [("answers", one.answers[1].answer_id, "refused", 3, "logic"), ("questions", ids[2], "refused", 3, "logic")]
    assert live(tmp_path, "select count(*) from answers where text is null") == [(0,)]


def test_a_discipline_says_how_far_it_has_come(tmp_path: Path) -> None:
    partitions = Partitions(tmp_path)
    slugs = ("built", "failing", "half", "missing", "started", "lost")
    rows.store(partitions, rows.made("built", pairs=3), rows.with_failed_answer(rows.made("failing", pairs=3), 0))
    half = rows.made("half", pairs=3)
    rows.store(partitions, replace(half, answers=half.answers[:1]))
    rows.store_level(partitions, "subjects", "started", rows.made("started").subjects)
    lost = replace(rows.made("lost").subjects[0], name=None, failure=rows.failure("subjects", "lost"))
    rows.store_level(partitions, "subjects", "lost", [lost])
    found = live(tmp_path, "select discipline, state, pairs_wanted, built_at is null from disciplines", rows.project(slugs, 3))
    assert {slug: (state, wanted, unbuilt) for slug, state, wanted, unbuilt in found} == {
        "built": ("built", 3, False), "failing": ("failed_rows", 3, False), "half": ("partial", 3, False), "missing": ("missing", 3, True),
        "started": ("partial", 3, True), "lost": ("failed_rows", 3, True),
    }  # fmt: skip


def test_only_disciplines_of_the_taxonomy_show_but_what_was_paid_stays(tmp_path: Path) -> None:
    partitions = Partitions(tmp_path)
    logic, optics = rows.made("logic", pairs=3), rows.made("optics", pairs=2)
    rows.store(partitions, logic, optics)
    rows.store_ledger(tmp_path, logic, optics)
    gone = Duplicate(logic.questions[0].question_id, optics.questions[0].question_id, "logic", "optics", "near", 0.9)
    rows.store_duplicates(partitions, gone)
    project = rows.project(["logic"])
    for name, table in TABLES.items():
        if "discipline" in table.column_names and name != "requests":
            assert {row[0] for row in live(tmp_path, f"select discipline from {name}", project)} <= {"logic"}, name
    assert live(tmp_path, "select status, count(*) from questions group by all", project) == [("kept", 3)]
    assert live(tmp_path, "select count(*) from requests", project) == [(10,)]
    assert live(tmp_path, "select count(*) from dataset") == [(4,)]


def test_live_sql_runs_in_any_plain_session_and_again(tmp_path: Path) -> None:
    warehouse = tmp_path / AWKWARD / "warehouse"
    partitions, one = Partitions(warehouse), rows.made("logic", pairs=4)
    rows.store(partitions, one)
    rows.store_ledger(warehouse, one)
    text = write_live(rows.project(), warehouse).read_text(encoding="utf-8")
    with closing(duckdb.connect()) as connection:
        for _ in range(2):
            connection.execute(text)
            assert connection.execute("select count(*), sum(usd) from dataset").fetchall() == [(4, Decimal("0.008"))]
        rows.store(partitions, rows.made("logic", pairs=6))
        assert connection.execute("select count(*) from dataset").fetchall() == [(6,)]
        comments = connection.execute(
            "select table_name, column_name, comment from duckdb_columns() where schema_name = 'main' and not internal"
        ).fetchall()
    assert {(table, column): comment for table, column, comment in comments} == {
        (table.name, column.name): column.meaning for table in (*TABLES.values(), *VIEWS) for column in table.columns
    }


def test_live_sql_is_rewritten_for_the_taxonomy_of_the_latest_build(tmp_path: Path) -> None:
    rows.store(Partitions(tmp_path), rows.made("logic", pairs=2), rows.made("optics", pairs=3))
    counts = []
    for slugs in (["logic", "optics"], ["optics"], ["optics", "new"]):
        write_live(rows.project(slugs), tmp_path)
        with closing(duckdb.connect()) as connection:
            connection.execute((tmp_path / LIVE_SQL).read_text(encoding="utf-8"))
            counts += connection.execute("select (select count(*) from dataset), (select count(*) from disciplines)").fetchall()
    assert counts == [(5, 2), (3, 1), (3, 2)]


def test_live_sql_leaves_a_published_file_alone(tmp_path: Path) -> None:
    path = write_live(rows.project(), tmp_path)
    with closing(duckdb.connect(str(tmp_path / "mine.duckdb"))) as connection:
        connection.execute("create table questions as select 42 as mine")
        with pytest.raises(duckdb.CatalogException, match="questions"):
            connection.execute(path.read_text(encoding="utf-8"))
        assert connection.execute("select * from questions").fetchall() == [(42,)]


def test_no_lock_is_taken_and_none_waited_for(tmp_path: Path) -> None:
    rows.store(Partitions(tmp_path), rows.made("logic", pairs=2))
    count = "select count(*) from dataset"
    with (
        session(tmp_path / "gland.duckdb", "create table mine(i int)", reads=False),
        closing(connect_live(rows.project(), tmp_path)) as one,
        closing(connect_live(rows.project(), tmp_path)) as other,
    ):
        assert one.execute(count).fetchall() == other.execute(count).fetchall() == [(2,)]


def test_a_partition_replaced_shows_in_an_open_connection_at_once(tmp_path: Path) -> None:
    """Also when the new file is as long as the old one and of the same moment, so that no cache may take it for the same."""
    partitions = Partitions(tmp_path)
    path = partitions.path("answers", "logic")
    rows.store(partitions, rows.made("logic", pairs=1))
    with closing(connect_live(rows.project(), tmp_path)) as connection:
        for letter in "abcabc":
            one = rows.made("logic", pairs=1)
            rows.store_level(partitions, "answers", "logic", [replace(one.answers[0], text=letter * 50)])
            os.utime(path, (1_800_000_000, 1_800_000_000))
            assert connection.execute("select answer from dataset").fetchall() == [(letter * 50,)]


def test_a_read_that_a_replacement_tears_is_read_again(tmp_path: Path) -> None:
    partitions, one = Partitions(tmp_path), rows.made("logic", pairs=3)
    rows.store(partitions, one)
    path = partitions.path("answers", "logic")
    whole = path.read_bytes()
    with closing(connect_live(rows.project(), tmp_path)) as connection:
        path.write_bytes(whole[:4] + b"\0" * 300 + whole[304:])
        tried = 0

        def read() -> list[Any]:
            nonlocal tried
            tried += 1
            try:
                return connection.execute("select count(answer), max(answer) from dataset").fetchall()
            finally:
                path.write_bytes(whole)

        assert steady(read)[0][0] == 3 and tried == 2


@pytest.mark.parametrize(
    ("query", "tries"), [("select no_such_column from dataset", 1), ("select 1 / from", 1), ("from read_csv('nowhere')", TRIES)]
)
def test_only_what_reading_again_may_cure_is_read_again(tmp_path: Path, query: str, tries: int) -> None:
    tried = 0
    with closing(connect_live(rows.project(), tmp_path)) as connection:

        def read() -> None:
            nonlocal tried
            tried += 1
            connection.execute(query)

        with pytest.raises(duckdb.Error):
            steady(read)
    assert tried == tries


def test_times_are_told_in_utc(tmp_path: Path) -> None:
    rows.store(Partitions(tmp_path), rows.made("logic", pairs=1))
    assert live(tmp_path, "select made_at::text from questions") == [("2026-03-01 12:00:00+00",)]


def test_a_warehouse_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "warehouse").write_text("a file")
    with pytest.raises(GlandError, match="cannot be written"):
        connect_live(rows.project(), tmp_path / "warehouse")


def test_the_ten_useful_questions_have_titles_and_run(tmp_path: Path) -> None:
    made = rows.with_failed_answer(rows.made("logic", pairs=5), 0), rows.made("optics", pairs=5)
    rows.store(Partitions(tmp_path), *made)
    rows.store_ledger(tmp_path, *made)
    dropped, kept = made[0].questions[1].question_id, made[1].questions[0].question_id
    rows.store_duplicates(Partitions(tmp_path), Duplicate(dropped, kept, "logic", "optics", "near", 0.75))
    asked = useful_questions()
    assert len(asked) == 10
    answers = {}
    for title, query in asked.items():
        assert query.startswith("-- one row a ") and title == title.strip().lower().replace("_", " ")
        answers[title] = live(tmp_path, query)
    assert answers["how much there is and where"][0] == (None, None, None, 8, 480)
    assert [row[:3] for row in answers["what a kept pair costs"]] == [("logic", Decimal("0.01"), 3), ("optics", Decimal("0.01"), 5)]
    assert [(row[1], row[4], row[6]) for row in answers["what each build cost"]] == [("b1", "answers", 10), ("b1", "questions", 10)]
    assert answers["what became of the questions"] == [
        ("logic", "failed_rows", 10, 5, 3, 0, 1, 0, 1),
        ("optics", "built", 10, 5, 5, 0, 0, 0, 0),
    ]
    assert len(answers["show me some"]) == 8
    assert 0 < len(answers["concepts no question covers"]) < 36
    assert answers["is the threshold right"] == [(0.75, made[0].questions[1].text, made[1].questions[0].text)]
    assert answers["benchmark leaks"] == []
    assert [row[:4] for row in answers["what failed"]] == [("refused", "answers", None, 1)]
    assert [row[2:5] for row in answers["what made a question"]] == [("questions.one_session.txt", "Write one question.", rows.MODEL)]


def test_text_is_safe_in_sql() -> None:
    with closing(duckdb.connect()) as connection:
        for text in ("it's", "'; drop table x; --", "\\", "'''", ""):
            assert connection.execute(f"select {literal(text)}").fetchall() == [(text,)]
