"""The checks of duplicates, over stored partitions: each passes, and each fails where what it is there for has happened."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gland_assets.core.checks import CheckOutcome
from gland_assets.core.errors import DamagedPartition
from gland_assets.core.project import Dedup
from gland_assets.core.texts import UInt64s
from gland_assets.io.auditing import DUPLICATES_CHECKS, check_duplicates
from gland_assets.io.minhash import NO_KEYS, compute_duplicates
from gland_assets.io.partitions import ALL, Partitions
from tests import rows
from tests.duplicates import keys_of

SLUGS = ("logic", "optics")
PROJECT = rows.project(SLUGS)


def outcomes(warehouse: Path, dedup: Dedup = PROJECT.dedup, full: UInt64s = NO_KEYS) -> dict[str, CheckOutcome]:
    partitions = Partitions(warehouse)
    found = check_duplicates(replace(PROJECT, dedup=dedup), partitions, partitions.rows("duplicates", ALL), full)
    assert [outcome.name for outcome in found] == list(DUPLICATES_CHECKS)
    return {outcome.name: outcome for outcome in found}


def stored(warehouse: Path) -> tuple[rows.Made, rows.Made]:
    """Two disciplines; of logic, one question stands three times in other letters."""
    logic, optics = (rows.made(slug, 10) for slug in SLUGS)
    text = logic.questions[0].text or ""
    logic = rows.with_question(rows.with_question(logic, 1, text=text.upper()), 2, text=f" {text}")
    rows.store(Partitions(warehouse), logic, optics)
    return logic, optics


def test_all_pass_where_duplicates_were_found(tmp_path: Path) -> None:
    stored(tmp_path)
    compute_duplicates(PROJECT, Partitions(tmp_path))
    found = outcomes(tmp_path)
    assert all(outcome.passed for outcome in found.values())
    assert found["audit_finds_none"].seen == {
        "questions": 18,
        "disciplines": 2,
        "pairs": 0,
        "at_bound": 0,
        "buckets_at_bound": 0,
        "examples": "",
    }


def test_a_share_beyond_the_declared_bounds_is_told(tmp_path: Path) -> None:
    stored(tmp_path)
    compute_duplicates(PROJECT, Partitions(tmp_path))
    found = outcomes(tmp_path, Dedup(rate=(0.0, 0.1)))["rate_within_bounds"]
    assert (found.passed, found.error) == (False, False)
    assert found.seen == {"bounds": "0.0% to 10.0%", "outside": 1, "examples": "logic 20.0%"}


def test_the_audit_finds_kept_questions_that_the_bands_missed(tmp_path: Path) -> None:
    logic, _ = stored(tmp_path)
    rows.store_duplicates(Partitions(tmp_path))  # as if nothing had been found
    found = outcomes(tmp_path)["audit_finds_none"]
    assert (found.passed, found.error) == (False, False)
    assert (found.seen["questions"], found.seen["pairs"]) == (20, 3)
    one, other, similarity = found.seen["examples"].split(", ")[0].split()
    assert {one, other} < {question.question_id for question in logic.questions[:3]} and similarity == "1.000"


def test_pairs_of_a_bucket_at_the_bound_are_counted_apart(tmp_path: Path) -> None:
    stored(tmp_path)
    rows.store_duplicates(Partitions(tmp_path))
    keys = list(map(keys_of, Partitions(tmp_path).columns("signatures", "logic", ("bands",))["bands"].to_pylist()))
    assert keys[0] == keys[1] == keys[2] != keys[3]
    found = outcomes(tmp_path, full=np.array(keys[0][:1], dtype=np.uint64))["audit_finds_none"]
    assert found.passed
    assert (found.seen["pairs"], found.seen["at_bound"], found.seen["buckets_at_bound"]) == (0, 3, 1)
    assert not outcomes(tmp_path, full=np.array(keys[3][:1], dtype=np.uint64))["audit_finds_none"].passed


def test_what_failed_is_not_audited(tmp_path: Path) -> None:
    logic, optics = stored(tmp_path)
    for index in (1, 2):
        logic = rows.with_failed_answer(logic, index)
    rows.store(Partitions(tmp_path), logic, optics)
    compute_duplicates(PROJECT, Partitions(tmp_path))
    assert outcomes(tmp_path)["audit_finds_none"].seen["questions"] == 18


def test_what_repeats_a_benchmark_is_not_audited(tmp_path: Path) -> None:
    logic, _ = stored(tmp_path)
    leaked = [
        {"question_id": question.question_id, "discipline": "logic", "part": "question", "benchmark": "b", "split": "", "item_id": "1"}
        for question in logic.questions[1:3]
    ]  # fmt: skip
    Partitions(tmp_path).write("contamination", "logic", leaked, rows.meta("contamination", "logic", ()))
    compute_duplicates(PROJECT, Partitions(tmp_path))
    assert outcomes(tmp_path)["audit_finds_none"].seen["questions"] == 18


@pytest.mark.parametrize("asset", ["questions", "answers", "signatures", "contamination"])
def test_a_partition_that_cannot_be_audited_is_named(tmp_path: Path, asset: str) -> None:
    stored(tmp_path)
    compute_duplicates(PROJECT, Partitions(tmp_path))
    path = Partitions(tmp_path).path(asset, "optics")
    partitions = Partitions(tmp_path)
    metas = partitions.metas()
    held = path.read_bytes()
    path.write_bytes(held[:4] + bytes(len(held) - 4))
    with pytest.MonkeyPatch.context() as patch, pytest.raises(DamagedPartition, match=f"{asset}/optics.parquet cannot be read"):
        patch.setattr(partitions, "metas", lambda: metas)  # it was well when they were read
        check_duplicates(PROJECT, partitions, partitions.rows("duplicates", ALL), NO_KEYS)


def test_a_dropped_question_that_another_is_dropped_for_is_told(tmp_path: Path) -> None:
    logic, _ = stored(tmp_path)
    compute_duplicates(PROJECT, Partitions(tmp_path))
    partitions = Partitions(tmp_path)
    first, *rest = partitions.rows("duplicates", ALL)
    partitions.write("duplicates", ALL, [{**first, "kept_id": rest[0]["question_id"]}, *rest], rows.meta("duplicates", ALL, ()))
    assert not outcomes(tmp_path)["kept_stand"].passed
    assert logic.questions
