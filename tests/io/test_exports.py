"""Exports: the kept pairs in their formats, in order of id, with a card that tells what made them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from gland_assets.core.errors import GlandError, WarehouseError
from gland_assets.core.project import LOCAL_MODEL
from gland_assets.core.records import Duplicate
from gland_assets.core.tables import DATASET
from gland_assets.io import exports
from gland_assets.io.exports import FORMATS, export
from gland_assets.io.live import connect_live
from gland_assets.io.partitions import Partitions
from gland_assets.io.warehouse import publish
from tests import rows

PROJECT = rows.project(("logic", "optics"))


@pytest.fixture
def made(tmp_path: Path) -> tuple[rows.Made, rows.Made]:
    """Two stored disciplines, one question of which is dropped and one failed."""
    logic, optics = rows.with_failed_answer(rows.made("logic", 4), 0), rows.made("optics", 6)
    rows.store(Partitions(tmp_path / "warehouse"), logic, optics)
    rows.store_ledger(tmp_path / "warehouse", logic, optics)
    dropped = Duplicate(optics.questions[1].question_id, optics.questions[0].question_id, "optics", "optics", "near", 0.9)
    rows.store_duplicates(Partitions(tmp_path / "warehouse"), dropped)
    return logic, optics


@pytest.fixture
def live(made: object, tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with closing(connect_live(PROJECT, tmp_path / "warehouse")) as connection:
        yield connection


def kept(*made: rows.Made) -> dict[str, tuple[str | None, str | None]]:
    """Question id -> question and answer of what is kept, in order of id."""
    pairs = {}
    for one in made:
        for question, answer in zip(one.questions, one.answers, strict=True):
            if answer.text is not None and question is not made[1].questions[1]:
                pairs[question.question_id] = (question.text, answer.text)
    return dict(sorted(pairs.items()))


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_messages_are_the_pairs_in_order_of_id(made: tuple[rows.Made, rows.Made], live: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    done = export(live, PROJECT, "messages", None, tmp_path / "out")
    wanted = kept(*made)
    assert done.path == tmp_path / "out" / "train.jsonl" and done.pairs == len(wanted) == 8 and done.fields == {"knowledge": 8}
    written = lines(done.path)
    assert [row["id"] for row in written] == list(wanted)
    assert [row["messages"] for row in written] == [
        [{"role": "user", "content": question}, {"role": "assistant", "content": answer}] for question, answer in wanted.values()
    ]
    assert written[0].keys() == {"messages", "id", "field", "subfield", "discipline", "subject", "level", "question_model", "answer_model"}


def test_prompt_and_completion_are_the_pairs(made: tuple[rows.Made, rows.Made], live: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    written = lines(export(live, PROJECT, "prompt-completion", None, tmp_path / "out").path)
    assert {row["id"]: (row["prompt"], row["completion"]) for row in written} == kept(*made)


def test_parquet_holds_the_whole_dataset(live: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    table = pq.read_table(export(live, PROJECT, "parquet", None, tmp_path / "out").path)
    assert tuple(table.column_names) == DATASET.column_names
    assert [tuple(row.values()) for row in table.to_pylist()] == live.execute("from dataset order by id").fetchall()


@pytest.mark.parametrize("format", FORMATS)
def test_the_same_comes_out_live_and_published_in_any_batches(
    live: duckdb.DuckDBPyConnection, tmp_path: Path, format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(PROJECT, tmp_path / "warehouse")
    first = export(live, PROJECT, format, None, tmp_path / "live")
    monkeypatch.setattr(exports, "BATCH", 3)
    with closing(duckdb.connect(str(tmp_path / "warehouse" / "gland.duckdb"), read_only=True)) as connection:
        second = export(connection, PROJECT, format, None, tmp_path / "published")
    assert first.card.read_bytes() == second.card.read_bytes()
    if format == "parquet":
        assert pq.read_table(first.path).equals(pq.read_table(second.path))
    else:
        assert first.path.read_bytes() == second.path.read_bytes()


def test_text_of_any_language_stands_as_it_is(live: duckdb.DuckDBPyConnection, made: tuple[rows.Made, rows.Made], tmp_path: Path) -> None:
    said = 'Да — 数学 ✓ "quoted"\n\\n\u2028\ttab'
    one = replace(made[0], answers=tuple(replace(answer, text=said, failure=None) for answer in made[0].answers))
    rows.store(Partitions(tmp_path / "warehouse"), one)
    path = export(live, PROJECT, "messages", "discipline = 'logic'", tmp_path / "out").path
    raw = path.read_bytes().decode("utf-8")
    assert "数学" in raw
    assert [json.loads(line)["messages"][1]["content"] for line in raw.strip("\n").split("\n")] == [said] * 4


def test_a_condition_selects(live: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    condition = "discipline = 'logic' and list_contains(sessions, sessions[1]) -- all that are easy"
    done = export(live, PROJECT, "messages", condition, tmp_path / "out")
    assert {row["discipline"] for row in lines(done.path)} == {"logic"} and done.pairs == 3
    assert "discipline = 'logic'" in done.card.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("no_such = 1", "no_such"),
        ("discipline = 'logic", "unterminated"),
        ("true); drop view dataset; select (1", "several statements"),
        ("level::int > 3", "Could not convert"),
        ("tokens > (select count(*) from nowhere)", "nowhere"),
    ],
)  # fmt: skip
def test_a_condition_that_is_none_is_told_and_nothing_is_left(
    live: duckdb.DuckDBPyConnection, tmp_path: Path, where: str, said: str
) -> None:
    with pytest.raises(GlandError, match=said):
        export(live, PROJECT, "messages", where, tmp_path / "out")
    assert not any((tmp_path / "out").glob("*")) and live.execute("select count(*) from dataset").fetchall() == [(8,)]


@pytest.mark.parametrize("format", FORMATS)
def test_nothing_to_export_is_said(live: duckdb.DuckDBPyConnection, tmp_path: Path, format: str) -> None:
    with pytest.raises(GlandError, match="nothing to export: no pair fits the condition tokens > 10000"):
        export(live, PROJECT, format, "tokens > 10000", tmp_path / "out")
    with closing(connect_live(PROJECT, tmp_path / "new")) as empty, pytest.raises(GlandError, match="run `gland build`"):
        export(empty, PROJECT, format, None, tmp_path / "out")
    assert not any((tmp_path / "out").glob("*"))


def test_an_unknown_format_names_the_known(live: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    with pytest.raises(GlandError, match="no export format 'xml'; take one of messages, prompt-completion, parquet"):
        export(live, PROJECT, "xml", None, tmp_path / "out")


def test_a_folder_with_files_is_refused_unless_forced(live: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "thesis.txt").write_text("years of work")
    (folder / "train.jsonl").write_text("old\n")
    with pytest.raises(GlandError, match="not an empty folder; name another one, or use --force"):
        export(live, PROJECT, "messages", None, folder)
    assert (folder / "train.jsonl").read_text() == "old\n"
    export(live, PROJECT, "messages", None, folder, force=True)
    assert len(lines(folder / "train.jsonl")) == 8
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "thesis.txt", "train.jsonl"]
    assert (folder / "thesis.txt").read_text() == "years of work"


def test_a_place_that_is_a_file_is_refused(live: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(GlandError, match="not an empty folder"):
        export(live, PROJECT, "messages", None, tmp_path / "out")
    with pytest.raises(WarehouseError, match="cannot be written"):
        export(live, PROJECT, "messages", None, tmp_path / "out" / "below")


def test_a_damaged_partition_is_told(live: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    path = Partitions(tmp_path / "warehouse").path("answers", "optics")
    path.write_bytes(path.read_bytes()[:4] + b"\0" * 300 + path.read_bytes()[304:])
    with pytest.raises(GlandError, match="dataset cannot be read"):
        export(live, PROJECT, "messages", None, tmp_path / "out")
    assert not any((tmp_path / "out").glob("*"))


def test_the_card_tells_what_is_in_it_and_how_it_was_made(live: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    text = export(live, PROJECT, "messages", None, tmp_path / "out").card.read_text(encoding="utf-8")
    front, body = text.removeprefix("---\n").split("\n---\n")
    assert 'pretty_name: "tiny"' in front and "data_files: train.jsonl" in front and "n<1K" in front
    assert "| Knowledge's whole | 2 | 8 |" in body
    assert f"| questions | {rows.MODEL} | 100.0% |" in body and f"| answers | {rows.MODEL} | 100.0% |" in body
    assert "answers: temperature 1.0, top p 0.95, max tokens 2048" in body and "Jaccard 0.7 over word 3-grams" in body
    assert "Synthetic Data (Almost) from Scratch: Generalized Instruction Tuning for Language Models" in body and "arXiv:2402.13064" in body
    assert "for you to choose" in body and "emonstration" not in text


def test_models_are_told_with_their_shares_and_the_local_one_as_demonstration(
    made: tuple[rows.Made, rows.Made], live: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    answers = tuple(replace(answer, model=LOCAL_MODEL) for answer in made[1].answers)
    rows.store_level(Partitions(tmp_path / "warehouse"), "answers", "optics", answers)
    text = export(live, PROJECT, "messages", None, tmp_path / "out").card.read_text(encoding="utf-8")
    assert f"| answers | {LOCAL_MODEL} | 62.5% |" in text and f"| answers | {rows.MODEL} | 37.5% |" in text
    assert "**Demonstration quality**" in text and "- demonstration-quality" in text


def test_a_pair_whose_maker_is_not_on_record_is_of_an_unknown_model(tmp_path: Path) -> None:
    rows.store(Partitions(tmp_path / "warehouse"), rows.made("logic", 2))
    with closing(connect_live(PROJECT, tmp_path / "warehouse")) as connection:
        text = export(connection, PROJECT, "messages", None, tmp_path / "out").card.read_text(encoding="utf-8")
    assert "| questions | unknown | 100.0% |" in text
