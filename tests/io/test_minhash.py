"""Duplicates over stored partitions, and the index of signatures kept by discipline."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from random import Random

import duckdb
import numpy as np
import pytest
from datasketch import MinHash
from numpy import frombuffer, uint32

from gland_assets.core.dedup import shingles
from gland_assets.core.errors import DamagedPartition, WarehouseBusy
from gland_assets.core.project import Dedup
from gland_assets.io.minhash import Indexed, compute_duplicates, update_index
from gland_assets.io.partitions import Partitions
from tests import rows
from tests.io.sessions import session
from tests.murmur import murmur

SLUGS = ("logic", "optics", "poetry")
PROJECT = rows.project(SLUGS)


def stored(warehouse: Path, pairs: int = 6) -> list[rows.Made]:
    made = [rows.made(slug, pairs) for slug in SLUGS]
    rows.store(Partitions(warehouse), *made)
    return made


def reworded(text: str | None) -> str:
    """The text with its last word changed: near the original at 30 words."""
    return " ".join([*(text or "").split()[:-1], "otherwise?"])


def found(warehouse: Path) -> set[tuple[str, str, str]]:
    return {(row["question_id"], row["kept_id"], row["kind"]) for row in Partitions(warehouse).rows("duplicates", "all")}


def in_order(*ids: str) -> tuple[str, ...]:
    return tuple(sorted(ids))


def test_exact_and_near_duplicates_are_found_over_all_disciplines(tmp_path: Path) -> None:
    logic, optics, poetry = (rows.made(slug, 6) for slug in SLUGS)
    optics = rows.with_question(optics, 2, text=f"  {logic.questions[1].text}".upper())
    poetry = rows.with_question(poetry, 4, text=reworded(poetry.questions[0].text))
    rows.store(Partitions(tmp_path), logic, optics, poetry)
    meta = compute_duplicates(PROJECT, Partitions(tmp_path), "b7")
    kept, dropped = in_order(logic.questions[1].question_id, optics.questions[2].question_id)
    near_kept, near_dropped = in_order(poetry.questions[0].question_id, poetry.questions[4].question_id)
    assert found(tmp_path) == {(dropped, kept, "exact"), (near_dropped, near_kept, "near")}
    assert (meta.rows, meta.build_id, meta.asset, meta.discipline) == (2, "b7", "duplicates", "all")


def test_what_failed_is_not_kept_against_others(tmp_path: Path) -> None:
    logic, optics = rows.made("logic"), rows.made("optics")
    one, other = logic.questions[0], optics.questions[0]
    same = rows.with_question(optics, 0, text=one.text)
    lesser_is_logic = one.question_id < other.question_id
    kept = rows.with_failed_answer(logic, 0) if lesser_is_logic else logic
    same = same if lesser_is_logic else rows.with_failed_answer(same, 0)
    rows.store(Partitions(tmp_path), kept, same)
    compute_duplicates(PROJECT, Partitions(tmp_path))
    assert found(tmp_path) == set()
    rows.store(Partitions(tmp_path), logic, rows.with_question(optics, 0, text=one.text))
    compute_duplicates(PROJECT, Partitions(tmp_path))
    assert len(found(tmp_path)) == 1


def test_a_question_whose_answer_is_not_made_yet_is_left_out(tmp_path: Path) -> None:
    logic = rows.made("logic")
    logic = rows.with_question(logic, 1, text=logic.questions[0].text)
    rows.store(Partitions(tmp_path), replace(logic, answers=logic.answers[1:]))
    compute_duplicates(PROJECT, Partitions(tmp_path))
    assert found(tmp_path) == set()


def test_nothing_is_computed_when_nothing_it_depends_on_changed(tmp_path: Path) -> None:
    made = stored(tmp_path)
    first = compute_duplicates(PROJECT, Partitions(tmp_path))
    rows.store(Partitions(tmp_path), *made)  # written again, the same
    assert compute_duplicates(PROJECT, Partitions(tmp_path)) == first


Change = Callable[[Path, list[rows.Made]], object]
CHANGES: dict[str, Change] = {
    "a question": lambda folder, made: rows.store(Partitions(folder), rows.with_question(made[0], 3, text=made[1].questions[0].text)),
    "an answer that fails": lambda folder, made: rows.store(Partitions(folder), rows.with_failed_answer(made[0], 3)),
    "the file damaged": lambda folder, made: (folder / "duplicates" / "all.parquet").write_bytes(b"PAR1"),
    "the file gone": lambda folder, made: (folder / "duplicates" / "all.parquet").unlink(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_it_is_computed_again_after_a_change(tmp_path: Path, change: Change) -> None:
    made = stored(tmp_path)
    first = compute_duplicates(PROJECT, Partitions(tmp_path))
    change(tmp_path, made)
    assert compute_duplicates(PROJECT, Partitions(tmp_path)).stamp != first.stamp
    assert Partitions(tmp_path).meta("duplicates", "all") is not None


def test_it_is_computed_again_for_another_threshold_or_taxonomy(tmp_path: Path) -> None:
    made = stored(tmp_path)
    near = rows.with_question(made[0], 1, text=reworded(made[0].questions[0].text))
    rows.store(Partitions(tmp_path), near)
    for project, count in ((PROJECT, 1), (replace(PROJECT, dedup=Dedup(threshold=1.0)), 0), (PROJECT, 1), (rows.project(SLUGS[1:]), 0)):
        compute_duplicates(project, Partitions(tmp_path))
        assert len(found(tmp_path)) == count


def test_questions_without_a_word_are_compared_by_text_alone(tmp_path: Path) -> None:
    one = rows.made("logic")
    for index, text in enumerate(("?!", "?!", "…")):
        one = rows.with_question(one, index, text=text)
    rows.store(Partitions(tmp_path), one)
    compute_duplicates(PROJECT, Partitions(tmp_path))
    kept, dropped = in_order(one.questions[0].question_id, one.questions[1].question_id)
    assert found(tmp_path) == {(dropped, kept, "exact")}


def test_a_warehouse_with_nothing_in_it_has_no_duplicates(tmp_path: Path) -> None:
    assert compute_duplicates(PROJECT, Partitions(tmp_path)).rows == 0
    assert update_index(PROJECT, tmp_path) == Indexed()


def test_rows_that_cannot_be_read_are_told_with_their_file(tmp_path: Path) -> None:
    stored(tmp_path)
    path = Partitions(tmp_path).path("signatures", "optics")
    path.write_bytes(path.read_bytes()[:4] + b"\0" * 400 + path.read_bytes()[404:])
    with pytest.raises(DamagedPartition, match=r"optics\.parquet"):
        compute_duplicates(PROJECT, Partitions(tmp_path))


def indexed(warehouse: Path, query: str) -> list[tuple[object, ...]]:
    with closing(duckdb.connect(str(warehouse / "minhash.duckdb"), read_only=True)) as connection:
        return connection.execute(query).fetchall()


def expected(*made: rows.Made) -> list[tuple[object, ...]]:
    return sorted(
        (band, key, row.question_id, row.discipline)
        for one in made
        for row in one.signatures
        for band, key in enumerate(np.frombuffer(row.bands, dtype="<u4").tolist())
    )


def held(warehouse: Path) -> list[tuple[object, ...]]:
    return indexed(warehouse, "select band, key, question_id, discipline from bands order by all")


def test_the_index_holds_the_bands_of_every_question(tmp_path: Path) -> None:
    made = stored(tmp_path)
    assert update_index(PROJECT, tmp_path) == Indexed(SLUGS, ())
    assert held(tmp_path) == expected(*made)
    assert indexed(tmp_path, "select distinct typeof(key) from bands") == [("UINTEGER",)]


def test_a_stored_signature_loads_as_datasketchs_minhash(tmp_path: Path) -> None:
    (logic, *_) = stored(tmp_path)
    question = logic.questions[0]
    (values,) = (row["signature"] for row in Partitions(tmp_path).rows("signatures", "logic") if row["question_id"] == question.question_id)
    loaded = MinHash(hashvalues=frombuffer(values, dtype=uint32), seed=1, num_perm=PROJECT.dedup.num_perm, scheme="affine32")
    made = MinHash(num_perm=PROJECT.dedup.num_perm, seed=1, hashfunc=murmur, scheme="affine32")
    made.update_batch([shingle.encode() for shingle in shingles(question.text or "", 3)])
    assert loaded == made


def mark(warehouse: Path, slug: str) -> None:
    with closing(duckdb.connect(str(warehouse / "minhash.duckdb"))) as connection:
        connection.execute("update signed set number = number + 1000 where discipline = ?", [slug])


def test_only_changed_disciplines_are_indexed_anew_and_removed_ones_drop_out(tmp_path: Path) -> None:
    logic, optics, poetry = stored(tmp_path)
    update_index(PROJECT, tmp_path)
    mark(tmp_path, "logic")
    mark(tmp_path, "optics")
    optics = rows.with_question(optics, 1, text="What else is there to be asked?")
    rows.store(Partitions(tmp_path), optics)  # written again: its stamp differs
    assert update_index(PROJECT, tmp_path) == Indexed(("optics",), ())
    assert indexed(tmp_path, "select distinct discipline from signed where number >= 1000 order by all") == [("logic",), ("optics",)]
    rows.store(Partitions(tmp_path), logic)
    update_index(PROJECT, tmp_path)
    assert held(tmp_path) == expected(logic, optics, poetry)
    assert update_index(rows.project(SLUGS[:2]), tmp_path) == Indexed((), ("poetry",))
    assert held(tmp_path) == expected(logic, optics)


def test_what_only_a_check_goes_by_has_nothing_compared_again(tmp_path: Path) -> None:
    stored(tmp_path)
    update_index(PROJECT, tmp_path)
    assert update_index(replace(PROJECT, dedup=Dedup(rate=(0.1, 0.2))), tmp_path) == Indexed()
    assert update_index(replace(PROJECT, dedup=Dedup(across=False)), tmp_path) == Indexed(SLUGS, ())


def test_the_index_after_any_edits_is_the_index_made_at_once(tmp_path: Path) -> None:
    rng = Random(4)
    made = {slug: rows.made(slug) for slug in SLUGS}
    slugs = list(SLUGS)
    for _ in range(6):
        slug = rng.choice(SLUGS)
        made[slug] = rows.made(slug, rng.randrange(1, 8), seed=rng.randrange(100))
        rows.store(Partitions(tmp_path), made[slug])
        slugs = rng.sample(SLUGS, rng.randrange(1, 4))
        update_index(rows.project(slugs), tmp_path)
        present = [made[each] for each in slugs if Partitions(tmp_path).meta("signatures", each)]
        assert held(tmp_path) == expected(*present)


def test_an_index_of_another_layout_is_made_anew(tmp_path: Path) -> None:
    made = stored(tmp_path)
    with closing(duckdb.connect(str(tmp_path / "minhash.duckdb"))) as connection:
        connection.execute("create table signatures(question_id text); create table parts(discipline text, stamp text)")
        connection.execute("insert into parts values ('logic', 'old')")
        connection.execute("create table bands(band integer, key ubigint, question_id text, discipline text)")
    update_index(PROJECT, tmp_path)
    assert held(tmp_path) == expected(*made)


def test_a_damaged_partition_drops_out_until_it_is_made_again(tmp_path: Path) -> None:
    logic, optics, poetry = stored(tmp_path)
    update_index(PROJECT, tmp_path)
    Partitions(tmp_path).path("signatures", "logic").write_bytes(b"")
    assert update_index(PROJECT, tmp_path) == Indexed((), ("logic",))
    assert held(tmp_path) == expected(optics, poetry)
    rows.store(Partitions(tmp_path), logic)
    assert update_index(PROJECT, tmp_path) == Indexed(("logic",), ())
    assert held(tmp_path) == expected(logic, optics, poetry)


def test_a_held_index_is_told_with_its_holder_and_left(tmp_path: Path) -> None:
    made = stored(tmp_path)
    update_index(PROJECT, tmp_path)
    with session(tmp_path / "minhash.duckdb", reads=True) as reader:
        assert update_index(PROJECT, tmp_path, wait_s=0.2) == Indexed()  # nothing to write, so nothing to wait for
        rows.store(Partitions(tmp_path), made[0])
        with pytest.raises(WarehouseBusy, match=f"process {reader.pid}"):
            update_index(PROJECT, tmp_path, wait_s=0.2)
    assert update_index(PROJECT, tmp_path) == Indexed(("logic",), ())


@pytest.mark.parametrize("keep", [0, 100, 5_000, 20_000, -1])
@pytest.mark.parametrize("rest", [b"", b"something else"], ids=["cut off", "overwritten"])
def test_a_damaged_index_is_made_anew(tmp_path: Path, keep: int, rest: bytes) -> None:
    made = stored(tmp_path)
    update_index(PROJECT, tmp_path)
    path = tmp_path / "minhash.duckdb"
    whole = path.read_bytes()
    damaged = (whole[:keep] + rest * len(whole))[: len(whole)] if rest else whole[:keep]
    assert damaged != whole
    path.write_bytes(damaged)
    rows.store(Partitions(tmp_path), made[0])  # else there would be nothing to write
    update_index(PROJECT, tmp_path)
    assert held(tmp_path) == expected(*made)
