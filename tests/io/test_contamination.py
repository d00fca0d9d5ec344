"""From stored pairs and a benchmark's file to what is published: a pair that repeats an item is dropped, and keeps no other out."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gland_assets.core.project import DecontaminationSet, Project
from gland_assets.core.state import PartitionMeta
from gland_assets.io.benchmarks import stamped
from gland_assets.io.contamination import find_leaks, looked_for
from gland_assets.io.live import connect_live, write_live
from gland_assets.io.minhash import compute_duplicates
from gland_assets.io.partitions import ALL, Partitions
from gland_assets.io.sql import query
from gland_assets.io.stored_schemas import STORED
from gland_assets.io.texts import texts_of
from gland_assets.io.warehouse import publish
from tests import rows

ITEM = "A farmer has 17 sheep and buys 8 more at the market; how many sheep does she have in the end?"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """With a benchmark of the ITEM, which is the third question of logic, and 40 others."""
    items = [f"What is {number} times {number + 1}, and why is it not {number + 2}?" for number in range(40)]
    path = tmp_path / "ours.jsonl"
    path.write_text("".join(json.dumps({"question": text}) + "\n" for text in [*items, ITEM]))
    declared = stamped([DecontaminationSet("ours", str(path), columns=("question",), split="test")])
    return replace(rows.project(), decontaminate=declared)


def contaminate(project: Project, warehouse: Path) -> list[dict[str, Any]]:
    partitions, found = Partitions(warehouse), []
    for slug in project.index():
        table, content = find_leaks(partitions, slug, project.decontaminate)
        meta = PartitionMeta("contamination", slug, content, content, "{}", **looked_for(project.decontaminate))
        partitions.write("contamination", slug, table, meta)
        found += table.to_pylist()
    return found


def stored(warehouse: Path) -> tuple[rows.Made, rows.Made]:
    """A question of logic that repeats the ITEM, and an answer of optics that nearly does."""
    logic = rows.with_question(rows.made("logic"), 2, text=f"Please:  {ITEM.upper()}")
    optics = rows.made("optics")
    answers = list(optics.answers)
    answers[5] = replace(answers[5], text=f"You may ask: {ITEM.replace('17', '19')}")
    optics = replace(optics, answers=tuple(answers))
    rows.store(Partitions(warehouse), logic, optics)
    rows.store_ledger(warehouse, logic, optics)
    return logic, optics


def test_every_hit_is_a_row_with_its_span_in_both_texts(project: Project, tmp_path: Path) -> None:
    logic, optics = stored(tmp_path)
    assert contaminate(project, tmp_path) == [
        {
            "question_id": logic.questions[2].question_id, "discipline": "logic", "part": "question", "benchmark": "ours", "split": "test",
            "item_id": "ours:41", "items": 41, "share": 1.0, "ngram": None, "question_span": ITEM.upper()[:-1], "item_span": ITEM[:-1],
        },
        {
            "question_id": optics.questions[5].question_id, "discipline": "optics", "part": "answer", "benchmark": "ours", "split": "test",
            "item_id": "ours:41", "items": 41, "share": 17 / 21, "ngram": 13,
            "question_span": ITEM[ITEM.index("sheep") : -1], "item_span": ITEM[ITEM.index("sheep") : -1],
        },
    ]  # fmt: skip


def test_what_repeats_a_benchmark_is_not_published_and_its_copy_is_kept(project: Project, tmp_path: Path) -> None:
    logic, optics = stored(tmp_path)
    plain = rows.project()
    twin = rows.with_question(optics, 0, text=logic.questions[4].text)
    rows.store(Partitions(tmp_path), logic, twin)
    compute_duplicates(plain, Partitions(tmp_path))
    alike = Partitions(tmp_path).rows("duplicates", ALL)
    assert len(alike) == 1
    path = tmp_path / "kept.jsonl"
    path.write_text(json.dumps({"question": logic.questions[4].text}) + "\n")
    # Both repeat it now: neither is kept, neither is a duplicate.
    both = replace(project, decontaminate=stamped([*project.decontaminate, DecontaminationSet("kept", str(path), columns=("question",))]))
    contaminate(both, tmp_path)
    compute_duplicates(both, Partitions(tmp_path))
    assert Partitions(tmp_path).rows("duplicates", ALL) == []
    publish(both, tmp_path)
    with (
        closing(duckdb.connect(str(tmp_path / "gland.duckdb"), read_only=True)) as published,
        closing(connect_live(both, tmp_path)) as live,
    ):
        for connection in (published, live):
            dropped = connection.execute("select question_id from questions where status = 'contaminated' order by all").fetchall()
            wanted = {logic.questions[2], logic.questions[4], twin.questions[0], twin.questions[5]}
            assert {identity for (identity,) in dropped} == {question.question_id for question in wanted}
            assert connection.execute("select count(*) from dataset").fetchall() == [(16,)]
            assert connection.execute(query("checks/no_leaks_published")).fetchall() == [(0,)]
            assert connection.execute(query("checks/benchmarks_hardly_repeated")).fetchall() == [(2,)]
            sums = connection.execute("select * exclude(share) from contamination_sets order by all").fetchall()
            assert sums == [
                ("kept", "", "logic", 1, 1, 1, True), ("kept", "", "optics", 1, 1, 1, True), ("kept", "", None, 1, 1, 2, True),
                ("ours", "test", "logic", 41, 1, 1, True), ("ours", "test", "optics", 41, 1, 1, True),
                ("ours", "test", None, 41, 1, 2, True),
            ]  # fmt: skip


Hit = tuple[str, str, int]  # question, set, item
HITS = st.sets(st.tuples(st.sampled_from(["q1", "q2", "q3"]), st.sampled_from(["a", "b"]), st.integers(1, 60)), max_size=12)
LOOKED_THROUGH = st.tuples(st.sets(st.sampled_from(["a", "b", "c"])), HITS)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.fixed_dictionaries({"logic": LOOKED_THROUGH, "optics": LOOKED_THROUGH}))
def test_the_sums_count_every_set_that_was_looked_for_and_no_other(tmp_path: Path, drawn: dict[str, tuple[set[str], set[Hit]]]) -> None:
    items, hits = {"a": 60, "b": 100, "c": 3}, {}
    for slug, (sets, found) in drawn.items():
        hits[slug] = {(f"{slug} {question}", benchmark, item) for question, benchmark, item in found if benchmark in sets}
        held = [
            {"question_id": question, "discipline": slug, "benchmark": benchmark, "split": "", "item_id": str(item)}
            for question, benchmark, item in hits[slug]
        ]  # fmt: skip
        looked = [{"benchmark": name, "split": "", "items": items[name]} for name in sorted(sets)]
        Partitions(tmp_path).write("contamination", slug, held, PartitionMeta("contamination", slug, "", "", "{}", looked_for=looked))
    wanted = set()
    for slugs in (["logic"], ["optics"], ["logic", "optics"]):
        for name in set().union(*(drawn[slug][0] for slug in slugs)):
            of = [hit for slug in slugs for hit in hits[slug] if hit[1] == name]
            repeated, pairs = len({item for _, _, item in of}), len({question for question, _, _ in of})
            share = repeated / items[name]
            wanted.add((name, "", slugs[0] if len(slugs) == 1 else None, items[name], repeated, pairs, share, share > 0.02))
    with closing(connect_live(rows.project(), tmp_path)) as live:
        assert set(live.execute("from contamination_sets").fetchall()) == wanted


def test_a_set_that_is_clean_is_told_from_one_that_was_not_looked_for(project: Project, tmp_path: Path) -> None:
    rows.store(Partitions(tmp_path), rows.made("logic"), rows.made("optics"))
    none = replace(project, decontaminate=())
    clean = [("ours", "test", slug, 41, 0, 0, 0.0, False) for slug in ("logic", "optics", None)]
    for declared, sums, leaks in (
        (none, [], []),
        (project, clean, [("ours", "test", 41, 0, 0, 0.0, False, None)]),
        (none, [], []),  # what has left the taxonomy counts no more
    ):
        contaminate(declared, tmp_path)
        publish(declared, tmp_path)
        write_live(declared, tmp_path)
        with (
            closing(duckdb.connect(str(tmp_path / "gland.duckdb"), read_only=True)) as published,
            closing(connect_live(declared, tmp_path)) as live,
            closing(duckdb.connect()) as anywhere,
        ):
            anywhere.execute((tmp_path / "live.sql").read_text())
            for connection in (published, live, anywhere):
                assert connection.execute("from contamination_sets order by all").fetchall() == sums
                assert connection.execute(query("questions/08_benchmark_leaks")).fetchall() == leaks


def test_a_discipline_that_was_not_looked_through_yet_has_no_row(project: Project, tmp_path: Path) -> None:
    rows.store(Partitions(tmp_path), rows.made("logic"), rows.made("optics"))
    contaminate(project, tmp_path)
    rows.store(Partitions(tmp_path), rows.made("optics"))  # as one that was made before the set was declared
    with closing(connect_live(project, tmp_path)) as live:
        assert live.execute("select benchmark, discipline from contamination_sets order by all").fetchall() == [
            ("ours", "logic"), ("ours", None),
        ]  # fmt: skip


def test_a_question_keeps_its_place_against_one_that_repeats_a_benchmark(project: Project, tmp_path: Path) -> None:
    """Of two that are alike the first by id is kept, unless it repeats a benchmark: then nothing is dropped for its sake."""
    words = " ".join(f"word{number}" for number in range(120))
    logic, optics = rows.made("logic", pairs=1), rows.made("optics", pairs=1)
    first, other = sorted((logic, optics), key=lambda one: one.questions[0].question_id)
    first = rows.with_question(first, 0, text=f"{words} {ITEM}")
    other = rows.with_question(other, 0, text=f"{words} and all the rest of it")
    rows.store(Partitions(tmp_path), first, other)
    compute_duplicates(rows.project(), Partitions(tmp_path))
    assert [row["question_id"] for row in Partitions(tmp_path).rows("duplicates", ALL)] == [other.questions[0].question_id]
    contaminate(project, tmp_path)
    compute_duplicates(project, Partitions(tmp_path))
    assert Partitions(tmp_path).rows("duplicates", ALL) == []


def test_without_sets_nothing_is_read_and_the_level_is_empty(tmp_path: Path) -> None:
    table, _ = find_leaks(Partitions(tmp_path), "logic", ())
    assert len(table) == 0 and table.schema == STORED["contamination"]


def test_a_column_of_text_is_taken_as_it_lies_sliced_or_not() -> None:
    texts = ["a", None, "", "größer", "b c"]
    for column in (pa.chunked_array([texts]), pa.chunked_array([texts[:2], texts[2:]]), pa.chunked_array([["x", *texts, "y"]]).slice(1, 5)):
        found = texts_of(column)
        assert [found.text(number) for number in range(len(found.ends))] == [text or "" for text in texts]
    assert len(texts_of(pa.chunked_array([], pa.string())).ends) == 0
    assert texts_of(pa.chunked_array([[None, None]], pa.string())).ends.tolist() == [0, 0]
