"""Imports into a discipline: whatever was imported and taken back, its rows are those of the files that stand, each once."""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gland_assets.core.cost import estimate_tokens
from gland_assets.core.errors import DamagedPartition, GlandError
from gland_assets.core.imports import Named, answer_ids, pair_ids
from gland_assets.core.project import Dedup
from gland_assets.io import references
from gland_assets.io.bring import BROUGHT, Brought
from gland_assets.io.imported import meta_of, origins, taken_in, unanswered, whence
from gland_assets.io.imported_rows import once, token_counts
from gland_assets.io.importing import Imported, add, remove
from gland_assets.io.partitions import Partitions
from gland_assets.io.references import ROWS, SIGNATURES, add_references, all_references, remove_reference, sign_references
from gland_assets.io.signing import signature_table
from gland_assets.io.stored_schemas import STORED
from tests import rows

Pair = tuple[str, str | None]
FORM = Named("columns", "q", answer="a")
FILES = ("one.jsonl", "two.jsonl", "elsewhere/one.jsonl")


def brought(*pairs: Pair) -> Brought:
    questions, answers = zip(*pairs, strict=True) if pairs else ((), ())
    return Brought(FORM, pa.table([questions, answers, range(1, len(pairs) + 1)], schema=BROUGHT))


def bring_in(partitions: Partitions, name: str, *pairs: Pair) -> Imported:
    return add(partitions, "logic", [(Path("/data") / name, brought(*pairs))])[0]


def ids(pairs: list[Pair]) -> list[str]:
    return pair_ids("logic", [question for question, _ in pairs], [answer for _, answer in pairs])


def held(partitions: Partitions) -> set[Pair]:
    """The pairs that the levels would take in."""
    questions, answers = (taken_in(partitions, level, "logic") for level in ("questions", "answers"))
    if questions is None or answers is None:
        return set()
    said = dict(zip(answers["question_id"].to_pylist(), answers["text"].to_pylist(), strict=True))
    texts = dict(zip(questions["question_id"].to_pylist(), questions["text"].to_pylist(), strict=True))
    assert len(texts) == len(questions) and said.keys() <= texts.keys()
    assert {each.question_id for each in unanswered(partitions, "logic")} == texts.keys() - said.keys()
    return {(text, said.get(identity)) for identity, text in texts.items()}


PAIRS = st.lists(st.tuples(st.sampled_from(["Why?", "How?", "Where?"]), st.sampled_from([None, "So.", "Thus."])), max_size=5)
STEPS = st.lists(st.tuples(st.sampled_from(FILES), st.none() | PAIRS), max_size=6)


@settings(max_examples=40, deadline=None)
@given(STEPS)
def test_what_stands_is_what_the_files_that_stand_hold(steps: list[tuple[str, list[Pair] | None]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        partitions = Partitions(Path(folder))
        standing: dict[str, list[Pair]] = {}
        for file, pairs in steps:
            before = {pair for each in standing.values() for pair in each}
            if pairs is None:
                if file in standing:
                    name = next(origin.name for origin in origins(meta_of(partitions, "logic")) if origin.path == f"/data/{file}")
                    assert remove(partitions, "logic", name).path == f"/data/{file}"
                    del standing[file]
            else:
                done = bring_in(partitions, file, *pairs)
                new = set(pairs) - before
                assert (done.new, done.repeated) == (len(new), len(pairs) - len(set(pairs)))
                if file in standing or new:
                    standing[file] = pairs
                assert done.gone == len(before - {pair for each in standing.values() for pair in each})
            stored = [(origin.path.removeprefix("/data/"), origin.rows) for origin in origins(meta_of(partitions, "logic"))]
            assert sorted(stored) == sorted((name, len(set(each))) for name, each in standing.items())
            assert held(partitions) == {pair for each in standing.values() for pair in each}


@settings(max_examples=20, deadline=None)
@given(st.lists(PAIRS.filter(bool), min_size=2, max_size=3), st.permutations(range(3)))
def test_the_order_of_imports_is_no_part_of_what_stands(files: list[list[Pair]], order: list[int]) -> None:
    seen = set()
    for turns in (range(3), order):
        with tempfile.TemporaryDirectory() as folder:
            for number in turns:
                if number < len(files):
                    own = [(f"{question} {number}", answer) for question, answer in files[number]]
                    bring_in(Partitions(Path(folder)), f"file-{number}.csv", *own)
            meta = meta_of(Partitions(Path(folder)), "logic")
            assert meta is not None
            seen.add(meta.content_hash)
    assert len(seen) == 1


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])) | st.text("aé語かд "), max_size=8))
def test_tokens_are_estimated_as_elsewhere(texts: list[str]) -> None:
    assert token_counts(pa.array(texts, pa.string())).to_pylist() == [estimate_tokens(text) for text in texts]


def test_the_same_file_again_touches_nothing(tmp_path: Path) -> None:
    partitions = Partitions(tmp_path)
    bring_in(partitions, "one.jsonl", ("Why?", "So."), ("How?", None))
    before = partitions.path("imported", "logic").read_bytes()
    again = bring_in(partitions, "one.jsonl", ("Why?", "So."), ("How?", None))
    moved = bring_in(partitions, "moved.jsonl", ("How?", None), ("why? ", "So."))
    assert (again.new, again.gone, moved.new) == (0, 0, 0)
    assert partitions.path("imported", "logic").read_bytes() == before


def test_rows_come_as_the_levels_store_them(tmp_path: Path) -> None:
    partitions = Partitions(tmp_path)
    bring_in(partitions, "one.jsonl", ("Why?", "So."), ("How?", None))
    bring_in(partitions, "two.jsonl", ("HOW?", None), ("Where?", "There."))
    questions, answers = (taken_in(partitions, level, "logic") for level in ("questions", "answers"))
    assert questions is not None and answers is not None
    assert questions.schema.equals(STORED["questions"]) and answers.schema.equals(STORED["answers"])
    asked = questions.to_pylist()
    assert [row["question_id"] for row in asked] == ids([("Why?", "So."), ("How?", None), ("Where?", "There.")])
    assert [(row["text"], row["tokens"], row["strategy"], row["concepts"]) for row in asked] == [
        ("Why?", 1, "imported", []), ("How?", 1, "imported", []), ("Where?", 2, "imported", []),
    ]  # fmt: skip
    assert {row[name] for row in asked for name in ("subject_id", "syllabus_id", "sample_index", "request_key", "failure")} == {None}
    told = answers.to_pylist()
    assert [row["answer_id"] for row in told] == answer_ids(row["question_id"] for row in told)
    assert [(row["text"], row["discipline"], row["model"], row["deployment"]) for row in told] == [
        ("So.", "logic", None, None), ("There.", "logic", None, None),
    ]  # fmt: skip
    assert all(row["made_at"] is not None for row in (*asked, *told))
    assert [(origin.name, number) for origin, number in whence(partitions, "logic", asked[1]["question_id"])] == [("one", 2), ("two", 1)]
    assert taken_in(partitions, "questions", "optics") is None


def test_any_size_of_text_is_taken_once() -> None:
    long = pa.array(["x" * (1 << 26)])  # which stands once in memory, and 33 times in the column
    texts = pa.chunked_array([long] * 33)
    found = once(pa.table({"question_id": ["one", *["two"] * 32], "question": texts}))
    assert texts.nbytes > 2**31 and found["question_id"].to_pylist() == ["one", "two"]


def test_files_of_one_name_stand_side_by_side(tmp_path: Path) -> None:
    partitions = Partitions(tmp_path)
    for folder in ("a", "b", "c"):
        bring_in(partitions, f"{folder}/Train Set.jsonl.gz", (f"Why {folder}?", None))
    assert [origin.name for origin in origins(meta_of(partitions, "logic"))] == ["train-set", "train-set-2", "train-set-3"]
    remove(partitions, "logic", "train-set-2")
    with pytest.raises(GlandError, match="logic has no import 'train-set-2'; did you mean 'train-set"):
        remove(partitions, "logic", "train-set-2")
    for name in ("train-set", "train-set-3"):
        remove(partitions, "logic", name)
    assert not partitions.path("imported", "logic").exists() and origins(meta_of(partitions, "logic")) == []
    with pytest.raises(GlandError, match="logic has no import 'train-set'; nothing was imported into it"):
        remove(partitions, "logic", "train-set")


def test_imports_at_once_all_stand(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: bring_in(Partitions(tmp_path), f"{number}.csv", (f"Why {number}?", None)), range(8)))
    assert held(Partitions(tmp_path)) == {(f"Why {number}?", None) for number in range(8)}


def test_references_imported_at_once_all_stand(tmp_path: Path) -> None:
    def refer(number: int) -> None:
        add_references(rows.project(), Partitions(tmp_path), [(Path(f"/{number}/set.csv"), brought((f"Why {number}?", None)))])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(refer, range(8)))
    known = all_references(Partitions(tmp_path))
    assert {origin.path for origin in known} == {f"/{number}/set.csv" for number in range(8)}
    assert {origin.name for origin in known} == {"set", *(f"set-{number}" for number in range(2, 9))}


@pytest.mark.parametrize("other", ["sign", "remove"])
def test_while_references_are_signed_nobody_else_signs_or_removes_them(other: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project, again = rows.project(), replace(rows.project(), dedup=Dedup(ngram=2))
    add_references(project, Partitions(tmp_path), [(Path("/data/set.csv"), brought(("Why?", "So.")))])
    done, signed = Event(), 0

    def at_once() -> None:
        if other == "sign":
            sign_references(again, Partitions(tmp_path))
        else:
            remove_reference(Partitions(tmp_path), "set")
        done.set()

    meanwhile = Thread(target=at_once)

    def sign(*given: Any) -> pa.Table:
        nonlocal signed
        signed += 1
        meanwhile.start()
        assert not done.wait(0.3)
        return signature_table(*given)

    monkeypatch.setattr(references, "signature_table", sign)
    sign_references(again, Partitions(tmp_path))
    meanwhile.join(30)
    assert done.is_set() and signed == 1
    stored = {(asset, "set") for asset in (ROWS, SIGNATURES)} if other == "sign" else set()
    assert Partitions(tmp_path).metas().keys() == stored


def test_what_is_damaged_is_told_and_nothing_is_made_of_it(tmp_path: Path) -> None:
    partitions = Partitions(tmp_path)
    bring_in(partitions, "one.jsonl", ("Why?", "So."))
    path = partitions.path("imported", "logic")
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(DamagedPartition, match="put a copy back, or delete it and import again"):
        bring_in(partitions, "two.jsonl", ("How?", None))
    with pytest.raises(DamagedPartition):
        taken_in(partitions, "questions", "logic")


def test_references_stand_beside_and_are_signed(tmp_path: Path) -> None:
    partitions, project = Partitions(tmp_path), rows.project()
    path = Path("/data/gsm8k.jsonl")
    files = [(path, brought(("Why is it so?", "So."), ("why is  it so?", "So."), ("How?", None)))]
    ((origin, repeated),) = add_references(project, partitions, files)
    assert (origin.name, origin.rows, repeated) == ("gsm8k", 2, 1) and all_references(partitions) == [origin]
    held = partitions.rows(ROWS, "gsm8k")
    assert [(row["discipline"], row["text"]) for row in held] == [("reference:gsm8k", "Why is it so?"), ("reference:gsm8k", "How?")]
    signed = partitions.columns(SIGNATURES, "gsm8k", STORED["signatures"].names)
    assert signed.equals(signature_table("reference:gsm8k", partitions.columns(ROWS, "gsm8k", ["question_id", "text"]), project.dedup))
    assert {("references", "gsm8k"), ("reference_signatures", "gsm8k")} == partitions.metas().keys()

    before = partitions.path(SIGNATURES, "gsm8k").read_bytes()
    add_references(project, partitions, files)
    assert partitions.path(SIGNATURES, "gsm8k").read_bytes() == before
    sign_references(replace(project, dedup=Dedup(ngram=2)), partitions)
    assert partitions.path(SIGNATURES, "gsm8k").read_bytes() != before
    assert remove_reference(partitions, "gsm8k") == origin and partitions.metas() == {}
    with pytest.raises(GlandError, match="no reference 'gsm8k'; none was imported"):
        remove_reference(partitions, "gsm8k")
