"""Duplicates looked for again from what changed: over real files what a rebuild gives, whatever came between, and what is near is read."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Literal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gland_assets.core import near
from gland_assets.core.dedup import text_hash
from gland_assets.core.hashing import digest
from gland_assets.core.project import Dedup, Project
from gland_assets.core.state import PartitionMeta
from gland_assets.io import minhash, outcomes
from gland_assets.io.minhash import candidates, compute_duplicates, drop_from_index, full_buckets, update_index
from gland_assets.io.partitions import Partitions
from gland_assets.io.signing import sign_questions, signature_table
from gland_assets.io.texts import compared_texts
from tests import rows
from tests.duplicates import Entry, expected, keys_of
from tests.io.sessions import session

SLUGS = ("algebra", "logic", "optics", "poetry")
PAIRS = 5
PROJECT = rows.project(SLUGS)
DEDUP = Dedup()


def pool(rng: Random, families: int) -> list[str]:
    """Questions of which those of one family are near each other, some of them nearer than others, and a few without a word."""
    made = ["?!", "…"]
    for family in range(families):
        words = [f"{rng.choice(rows.WORDS)}{family}x{n}" for n in range(30)]
        made += [" ".join([*words[: 30 - n], *(f"other{family}{m}" for m in range(n))]) for n in (0, 2, 4, 6)]
    return made


def drawn(slug: str, texts: list[str], rng: Random) -> rows.Made:
    one = rows.made(slug, PAIRS)
    for index in range(PAIRS):
        if rng.random() < 0.8:
            one = rows.with_question(one, index, text=rng.choice(texts))
    for index in range(PAIRS):
        if rng.random() < 0.15:
            one = rows.with_failed_answer(one, index)
    return replace(one, answers=one.answers[rng.random() < 0.2 :])  # some are not made yet


def refer(folder: Path, name: str, texts: Sequence[str], dedup: Dedup = DEDUP) -> list[Entry]:
    """Store texts as a reference; what they are compared by. The answers are the texts reversed."""
    slug, partitions = f"reference:{name}", Partitions(folder)
    ids = [digest("reference", name, text) for text in texts]
    given = [{"question_id": one, "discipline": slug, "text": text, "answer": text[::-1]} for one, text in zip(ids, texts, strict=True)]
    content = digest("reference", dedup.over, texts)
    partitions.write("references", name, given, PartitionMeta("references", name, content, content, "{}"))
    signed = signature_table(slug, compared_texts(partitions, slug, dedup.over), dedup)
    partitions.write("reference_signatures", name, signed, PartitionMeta("reference_signatures", name, content, content, "{}"))
    return [
        Entry(one, slug, text, text_hash(text), keys_of(bands))
        for one, text, bands in zip(ids, texts, signed["bands"].to_pylist(), strict=True)
    ]


def rebuilt(project: Project, made: Iterable[rows.Made], entries: Sequence[Entry] = ()) -> list[tuple[object, ...]]:
    """What the rule says over the rows that are published, and references."""
    entries = [*entries]
    for one in made:
        answered = {answer.question_id for answer in one.answers if answer.failure is None}
        texts = {question.question_id: question.text or "" for question in one.questions}
        entries += [
            Entry(row.question_id, row.discipline, texts[row.question_id], row.text_hash, keys_of(row.bands), row.question_id in answered)
            for row in one.signatures
        ]
    found = expected(entries, project.dedup, near.LOOKED_AT)
    return [(row.question_id, row.kept_id, row.discipline, row.kept_discipline, row.kind, row.jaccard) for row in found]


def stands(folder: Path) -> list[tuple[object, ...]]:
    return [tuple(row.values()) for row in Partitions(folder).rows("duplicates", "all")]


@pytest.fixture
def low_bound() -> Iterator[None]:
    """So low a bound that many buckets are over it."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (near, minhash, outcomes):
            patch.setattr(module, "LOOKED_AT", 2)
        patch.setattr(outcomes, "FEW", 0)  # else so many changes among so few rows would have all compared anew
        yield


def disturb(folder: Path, rng: Random, slugs: tuple[str, ...]) -> None:
    """What may come between two builds."""
    index = folder / "minhash.duckdb"
    kind = rng.choice(["nothing", "nothing", "nothing", "lost", "damaged", "older", "pruned", "duplicates lost", "index alone"])
    if kind == "lost":
        index.unlink(missing_ok=True)
    elif kind == "damaged" and index.exists():
        index.write_bytes(index.read_bytes()[: rng.choice([100, 20_000])])
    elif kind == "older" and (folder / "older.duckdb").exists():  # put back from a copy
        shutil.copy(folder / "older.duckdb", index)
    elif kind == "pruned" and index.exists():
        drop_from_index(folder, set(SLUGS).difference(slugs))
    elif kind == "duplicates lost":
        (folder / "duplicates" / "all.parquet").unlink(missing_ok=True)
    elif kind == "index alone":
        update_index(rows.project(slugs), folder)
    if index.exists() and rng.random() < 0.3:
        shutil.copy(index, folder / "older.duckdb")


@pytest.mark.usefixtures("low_bound")
@settings(max_examples=5, deadline=None)
@given(rng=st.randoms(use_true_random=False))
def test_after_any_edits_the_duplicates_are_those_of_a_rebuild(tmp_path_factory: pytest.TempPathFactory, rng: Random) -> None:
    folder = tmp_path_factory.mktemp("warehouse")
    texts = pool(rng, rng.choice([1, 3]))
    made: dict[str, rows.Made] = {}
    slugs: tuple[str, ...] = SLUGS
    dedup = Dedup(across=rng.random() < 0.5)
    references: dict[str, list[Entry]] = {}
    for _ in range(7):
        for slug in rng.sample(SLUGS, rng.choice([0, 1, 1, 2])):
            made[slug] = drawn(slug, texts, rng)
            rows.store(Partitions(folder), made[slug])
        if rng.random() < 0.3:
            slugs = tuple(slug for slug in SLUGS if rng.random() < 0.7) or SLUGS[:1]
        if rng.random() < 0.15:
            dedup = Dedup(threshold=rng.choice([0.5, 0.7, 0.9]), across=rng.random() < 0.5)
        if rng.random() < 0.25:
            name = rng.choice("ab")
            references[name] = refer(folder, name, sorted({rng.choice(texts) for _ in range(rng.randrange(1, 4))}))
        elif references and rng.random() < 0.2:
            name, _ = references.popitem()
            Partitions(folder).path("reference_signatures", name).unlink()
        project = replace(rows.project(slugs), dedup=dedup)
        disturb(folder, rng, slugs)
        compute_duplicates(project, Partitions(folder))
        held = [entry for entries in references.values() for entry in entries]
        assert stands(folder) == rebuilt(project, (made[slug] for slug in slugs if slug in made), held)


@pytest.mark.parametrize("over", ["answers", "both"])
def test_answers_or_pairs_are_compared_where_that_is_set(tmp_path: Path, over: Literal["answers", "both"]) -> None:
    dedup = Dedup(over=over)
    made = [rows.made(slug, 6) for slug in SLUGS[:2]]
    answers = list(made[1].answers)
    answers[2] = replace(answers[2], text=made[0].answers[3].text)
    made[1] = rows.with_question(replace(made[1], answers=tuple(answers)), 2, text=made[0].questions[3].text if over == "both" else "Else?")
    made[1] = rows.with_question(made[1], 4, text=made[0].questions[4].text)  # another answer to the same question
    partitions = Partitions(tmp_path)
    rows.store(partitions, *made)
    for slug in SLUGS[:2]:
        signed, content = sign_questions(partitions, slug, dedup)
        partitions.write("signatures", slug, signed, PartitionMeta("signatures", slug, content, content, "{}"))
    compute_duplicates(replace(rows.project(SLUGS[:2]), dedup=dedup), partitions)
    kept, dropped = sorted([made[0].questions[3].question_id, made[1].questions[2].question_id])
    assert [(row["question_id"], row["kept_id"], row["kind"]) for row in partitions.rows("duplicates", "all")] == [(dropped, kept, "exact")]


@pytest.mark.parametrize("over", ["questions", "answers"])
def test_what_a_reference_has_is_dropped_whatever_its_id(tmp_path: Path, over: Literal["questions", "answers"]) -> None:
    dedup = Dedup(over=over)
    made = rows.made("logic", 4)
    texts = (
        [question.text or "" for question in made.questions] if over == "questions" else [(one.text or "")[::-1] for one in made.answers]
    )
    partitions = Partitions(tmp_path)
    rows.store(partitions, made)
    signed, content = sign_questions(partitions, "logic", dedup)
    partitions.write("signatures", "logic", signed, PartitionMeta("signatures", "logic", content, content, "{}"))
    (entry, *_) = refer(tmp_path, "old", texts[1:2], dedup)
    project = replace(rows.project(["logic"]), dedup=replace(dedup, across=False))
    compute_duplicates(project, partitions)
    assert stands(tmp_path) == [(made.questions[1].question_id, entry.question_id, "logic", "reference:old", "exact", 1.0)]
    partitions.path("reference_signatures", "old").unlink()
    compute_duplicates(project, partitions)
    assert stands(tmp_path) == []


def sign_again(folder: Path, slug: str, dedup: Dedup) -> None:
    """Sign a discipline by other settings than the others."""
    signed, content = sign_questions(Partitions(folder), slug, dedup)
    Partitions(folder).write("signatures", slug, signed, PartitionMeta("signatures", slug, content, content, "{}"))


@pytest.mark.parametrize("other", [Dedup(bands=17), Dedup(bands=9, rows=8), Dedup(num_perm=128, bands=64, rows=2), Dedup(ngram=1)])
@pytest.mark.parametrize("across", [True, False])
def test_disciplines_that_were_signed_alike_are_compared_whatever_is_declared_by_now(tmp_path: Path, other: Dedup, across: bool) -> None:
    logic = rows.made("logic", 8)
    logic = rows.with_question(logic, 1, text=logic.questions[0].text)
    changed = f"{logic.questions[2].text} indeed"
    logic = rows.with_question(logic, 3, text=changed)
    rows.store(Partitions(tmp_path), logic, rows.made("optics", 8))
    sign_again(tmp_path, "optics", other)
    project = replace(PROJECT, dedup=replace(other, across=across))
    compute_duplicates(project, Partitions(tmp_path))
    assert {row[4] for row in stands(tmp_path)} == {"exact", "near"}


@pytest.mark.parametrize(("signed", "declared"), [(Dedup(ngram=5), Dedup(ngram=1)), (Dedup(), Dedup(over="answers"))])
def test_what_was_signed_otherwise_is_compared_as_is_declared(tmp_path: Path, signed: Dedup, declared: Dedup) -> None:
    """By the bands that it has: its bitmaps are of other shingles, or of other texts, and hold nothing back."""
    made = rows.made("logic", 8)
    words = [f"word{n}" for n in range(30)]
    made = rows.with_question(made, 0, text=" ".join(words))
    made = rows.with_question(made, 1, text=" ".join(f"other{n}" if n % 7 == 3 else word for n, word in enumerate(words)))
    answers = list(made.answers)
    answers[1] = replace(answers[1], text=f"{answers[0].text} So it is.")
    made = replace(made, answers=tuple(answers))
    rows.store(Partitions(tmp_path), made)
    signed, dedup = (replace(one, num_perm=128, bands=128, rows=1) for one in (signed, declared))
    sign_again(tmp_path, "logic", signed)
    compute_duplicates(replace(PROJECT, dedup=dedup), Partitions(tmp_path))
    texts = [row.text or "" for row in (made.answers if declared.over == "answers" else made.questions)]
    entries = [
        Entry(row["question_id"], "logic", text, row["text_hash"], keys_of(row["bands"]))
        for row, text in zip(Partitions(tmp_path).rows("signatures", "logic"), texts, strict=True)
    ]
    found = expected(entries, dedup)
    assert [row.kind for row in found] == ["near"]
    assert [row[:2] for row in stands(tmp_path)] == [(row.question_id, row.kept_id) for row in found]


def test_signatures_of_an_older_layout_wait_to_be_made_again(tmp_path: Path) -> None:
    logic, optics = rows.made("logic", 6), rows.made("optics", 6)
    logic = rows.with_question(logic, 1, text=logic.questions[0].text)
    rows.store(Partitions(tmp_path), logic, rows.with_question(optics, 1, text=optics.questions[0].text))
    held = Partitions(tmp_path).columns("signatures", "optics", ("question_id", "discipline", "text_hash"))
    lists = pa.array([[1, 2]] * len(held), pa.list_(pa.uint64()))
    old = held.append_column("signature", lists).append_column("bands", lists)
    Partitions(tmp_path).write("signatures", "optics", old, PartitionMeta("signatures", "optics", "f", "c", '{"version": "2"}'))
    compute_duplicates(PROJECT, Partitions(tmp_path))
    assert [row[2] for row in stands(tmp_path)] == ["logic"]
    sign_again(tmp_path, "optics", DEDUP)
    compute_duplicates(PROJECT, Partitions(tmp_path))
    assert {row[2] for row in stands(tmp_path)} == {"logic", "optics"}


def test_buckets_of_which_not_all_are_looked_at_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (near, minhash, outcomes):
        monkeypatch.setattr(module, "LOOKED_AT", 3)
    hot = " ".join(f"shared{n}" for n in range(20))
    made = rows.made("logic", 8)
    for index in range(8):
        made = rows.with_question(made, index, text=f"{hot} {' '.join(f'own{index}x{n}' for n in range(9))}")
    rows.store(Partitions(tmp_path), made)
    project = replace(PROJECT, dedup=Dedup(num_perm=128, bands=64, rows=2))
    signed, content = sign_questions(Partitions(tmp_path), "logic", project.dedup)
    Partitions(tmp_path).write("signatures", "logic", signed, PartitionMeta("signatures", "logic", content, content, "{}"))
    assert len(full_buckets(project, tmp_path)) == 0  # there is no index yet
    compute_duplicates(project, Partitions(tmp_path))
    assert stands(tmp_path) == []
    counted = Counter(key for row in signed["bands"].to_pylist() for key in keys_of(row))
    full = sorted(key for key, count in counted.items() if count > 3)
    assert full_buckets(project, tmp_path).tolist() == full != []
    apart = replace(project, dedup=replace(project.dedup, across=False))
    compute_duplicates(apart, Partitions(tmp_path))
    assert full_buckets(apart, tmp_path).tolist() == full


def test_rows_are_found_by_their_band_keys(tmp_path: Path) -> None:
    made = [rows.made(slug, 6) for slug in SLUGS]
    rows.store(Partitions(tmp_path), *made)
    near_by = rows.with_question(made[1], 2, text=(made[0].questions[3].text or "") + " And why?")
    rows.store(Partitions(tmp_path), near_by)
    bands = np.frombuffer(made[0].signatures[3].bands, dtype="<u4")
    assert candidates(tmp_path, bands) == []
    update_index(PROJECT, tmp_path)
    assert candidates(tmp_path, bands) == [
        (made[0].questions[3].question_id, "algebra"), (near_by.questions[2].question_id, "logic")
    ]  # fmt: skip
    assert candidates(tmp_path, np.array([1, 2], dtype=np.uint32)) == []
    assert candidates(tmp_path, bands[::-1]) == []  # each in its own band alone


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The disciplines whose texts were read to be compared."""
    seen: list[str] = []
    columns = Partitions.columns

    def noted(self: Partitions, asset: str, discipline: str, names: Sequence[str]) -> pa.Table:
        if "text" in names:
            seen.append(discipline)
        return columns(self, asset, discipline, names)

    monkeypatch.setattr(Partitions, "columns", noted)
    return seen


def spoil(path: Path) -> None:
    """The rows of a partition, not its footer."""
    whole = path.read_bytes()
    path.write_bytes(whole[:4] + b"\0" * 400 + whole[404:])


def test_only_what_shares_a_band_with_the_change_is_read_again(tmp_path: Path, read: list[str]) -> None:
    algebra, logic, optics, poetry = (rows.made(slug, 6) for slug in SLUGS)
    poetry = rows.with_question(poetry, 1, text=poetry.questions[0].text)
    rows.store(Partitions(tmp_path), algebra, logic, optics, poetry)
    compute_duplicates(PROJECT, Partitions(tmp_path))
    read.clear()  # the first time everything is compared at once
    shared = " ".join([*(optics.questions[2].text or "").split()[:-1], "otherwise?"])
    logic = rows.with_question(logic, 3, text=shared)
    rows.store(Partitions(tmp_path), logic)
    for slug in ("algebra", "poetry"):
        spoil(Partitions(tmp_path).path("questions", slug))
        spoil(Partitions(tmp_path).path("signatures", slug))
    compute_duplicates(PROJECT, Partitions(tmp_path))
    assert sorted(read) == ["logic", "optics"]
    assert stands(tmp_path) == rebuilt(PROJECT, (algebra, logic, optics, poetry)) != []


def test_a_change_that_shares_no_band_reads_no_text(tmp_path: Path, read: list[str]) -> None:
    made = [rows.made(slug, 6) for slug in SLUGS]
    rows.store(Partitions(tmp_path), *made)
    compute_duplicates(PROJECT, Partitions(tmp_path))
    rows.store(Partitions(tmp_path), rows.with_question(made[0], 1, text="What else is there to ask?"))
    rows.store(Partitions(tmp_path), rows.with_failed_answer(made[1], 2))
    compute_duplicates(PROJECT, Partitions(tmp_path))
    assert read == [] and stands(tmp_path) == []


def assert_right_after_a_change(folder: Path, change: int) -> None:
    made = near_pair(folder, change)
    compute_duplicates(PROJECT, Partitions(folder))
    assert stands(folder) == rebuilt(PROJECT, made) != []


def near_pair(folder: Path, change: int) -> list[rows.Made]:
    """All disciplines stored, the first with a duplicate in the second; with `change`, another one."""
    made = [rows.made(slug, 6) for slug in SLUGS]
    made[0] = rows.with_question(made[0], 2, text=made[1].questions[change].text)
    rows.store(Partitions(folder), made[0])
    if not change:
        rows.store(Partitions(folder), *made[1:])
    return made


def test_while_somebody_reads_the_index_all_is_compared_from_the_partitions(tmp_path: Path) -> None:
    assert_right_after_a_change(tmp_path, 0)
    with session(tmp_path / "minhash.duckdb", reads=True):
        assert_right_after_a_change(tmp_path, 1)
    assert_right_after_a_change(tmp_path, 2)


KILLED = """
import os, signal, sys
from pathlib import Path
from gland_assets.io import minhash
from tests.io.test_near import PROJECT
place, folder = sys.argv[1], Path(sys.argv[2])
owner = minhash.Partitions if place == "write" else minhash
setattr(owner, place, lambda *given: os.kill(os.getpid(), signal.SIGKILL))
minhash.compute_duplicates(PROJECT, minhash.Partitions(folder))
"""


@pytest.mark.parametrize("place", ["settle_changed", "sign_off", "write"])
def test_a_build_killed_anywhere_leaves_the_next_one_right(tmp_path: Path, place: str) -> None:
    assert_right_after_a_change(tmp_path, 0)
    made = near_pair(tmp_path, 1)
    assert subprocess.run([sys.executable, "-c", KILLED, place, str(tmp_path)], check=False).returncode == -signal.SIGKILL
    compute_duplicates(PROJECT, Partitions(tmp_path))
    assert stands(tmp_path) == rebuilt(PROJECT, made) != []
    assert_right_after_a_change(tmp_path, 2)


BUILDING = """
import sys
from pathlib import Path
from gland_assets.io.minhash import Partitions, compute_duplicates
from tests import rows
from tests.duplicates import Entry, expected
from tests.io.test_near import PROJECT
slug, folder = sys.argv[1], Path(sys.argv[2])
for turn in range(4):
    rows.store(Partitions(folder), rows.with_question(rows.made(slug, 6), turn, text=rows.made("algebra", 6).questions[turn].text))
    compute_duplicates(PROJECT, Partitions(folder))
"""


def test_several_processes_that_build_at_once_end_with_what_a_rebuild_gives(tmp_path: Path) -> None:
    near_pair(tmp_path, 0)
    building = [subprocess.Popen([sys.executable, "-c", BUILDING, slug, str(tmp_path)]) for slug in ("logic", "optics", "poetry")]
    assert [process.wait() for process in building] == [0, 0, 0]
    algebra = rows.made("algebra", 6)
    made = [rows.with_question(rows.made(slug, 6), 3, text=algebra.questions[3].text) for slug in ("logic", "optics", "poetry")]
    rows.store(Partitions(tmp_path), algebra)
    compute_duplicates(PROJECT, Partitions(tmp_path))
    assert stands(tmp_path) == rebuilt(PROJECT, [algebra, *made]) and len(stands(tmp_path)) == 3
