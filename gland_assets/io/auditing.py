"""Checks of what was dropped and of what was kept. Kept questions are read by whole disciplines and compared each with each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from gland_assets.core.audit import Alike, alike, outside, rates, sample
from gland_assets.core.checks import CheckOutcome
from gland_assets.core.dedup import bucket_keys
from gland_assets.core.project import Project
from gland_assets.core.texts import UInt64s
from gland_assets.io.compared import COMPARED, signed_now, view_compared
from gland_assets.io.live import steady
from gland_assets.io.partitions import Partitions
from gland_assets.io.parts import attached, write_empties
from gland_assets.io.sql import query
from gland_assets.io.texts import StoredTexts

SHOWN = 3  # examples of what a check found

DUPLICATES_CHECKS = {
    "kept_stand": "Every dropped question names a kept one, which is not dropped itself.",
    "rate_within_bounds": "Of every discipline's answered questions, as large a share was dropped as `rate` of [dedup] allows.",
    "audit_finds_none": "Of the kept questions of some disciplines, drawn by the seed, no two are near duplicates.",
}
"""Check of duplicates -> what it holds."""


@dataclass(frozen=True, slots=True)
class Audited:
    """What an audit saw: kept pairs at or above the threshold. `at_bound` are those in a bucket not all of which is looked at."""

    questions: int
    disciplines: int
    missed: tuple[Alike, ...]
    at_bound: tuple[Alike, ...]


def _answered(project: Project, partitions: Partitions) -> dict[str, int]:
    """Discipline -> questions with an answer, of those that are compared: failed ones left out."""
    metas = partitions.metas()
    compared = (slug for slug in project.index() if signed_now(metas, slug))
    return {slug: meta.rows - meta.failed for slug in compared if (meta := metas.get(("answers", slug)))}


def _audit(
    project: Project, partitions: Partitions, answered: Mapping[str, int], dropped: Sequence[Mapping[str, Any]], full: UInt64s
) -> Audited:
    """Compare kept questions of some disciplines, drawn by the project's seed, each with each."""
    gone = Counter(row["discipline"] for row in dropped)
    drawn = sample({slug: count - gone[slug] for slug, count in answered.items()}, project.seed)
    lost = {row["question_id"] for row in dropped}
    home = {identity: slug for identity, slug in _publishable(project, partitions, drawn) if identity not in lost}
    given = pa.table({"question_id": pa.array(home, pa.string()), "discipline": pa.array(home.values(), pa.string())})
    read = StoredTexts(partitions, project.dedup.over, given).all()
    texts = [(identity, read.text(row)) for row, identity in enumerate(home)]
    found = [pair for pair in alike(texts, project.dedup) if project.dedup.across or home[pair.one] == home[pair.other]]
    keys = _band_keys(partitions, {home[identity] for pair in found for identity in (pair.one, pair.other)})
    missed: list[Alike] = []
    at_bound: list[Alike] = []
    for pair in found:
        (at_bound if np.isin(np.intersect1d(keys[pair.one], keys[pair.other]), full).any() else missed).append(pair)
    return Audited(len(texts), len(drawn), tuple(missed), tuple(at_bound))


def check_duplicates(project: Project, partitions: Partitions, dropped: Sequence[Mapping[str, Any]], full: UInt64s) -> list[CheckOutcome]:
    """The outcomes of DUPLICATES_CHECKS over `dropped`, the rows of duplicates.

    `full`: band keys of the buckets at the bound. Raises DamagedPartition when a partition that is audited cannot be read.
    """
    answered = _answered(project, partitions)
    lost = {row["question_id"] for row in dropped} & {row["kept_id"] for row in dropped}
    beyond = outside(rates(answered, (row["discipline"] for row in dropped)), project.dedup)
    seen = _audit(project, partitions, answered, dropped, full)
    worst = [f"{rate.discipline} {rate.share:.1%}" for rate in beyond]
    pairs = [f"{pair.one} {pair.other} {pair.similarity:.3f}" for pair in seen.missed]
    least, most = project.dedup.rate
    return [
        CheckOutcome("kept_stand", not lost, {"dropped": len(dropped), "lost": len(lost)}),
        CheckOutcome(
            "rate_within_bounds", not beyond,
            {"bounds": f"{least:.1%} to {most:.1%}", "outside": len(beyond), "examples": ", ".join(worst[:SHOWN])},
            error=False,
        ),
        CheckOutcome(
            "audit_finds_none", not pairs,
            {
                "questions": seen.questions, "disciplines": seen.disciplines, "pairs": len(pairs), "at_bound": len(seen.at_bound),
                "buckets_at_bound": len(full), "examples": ", ".join(pairs[:SHOWN]),
            },
            error=False,
        ),
    ]  # fmt: skip


def _publishable(project: Project, partitions: Partitions, slugs: Sequence[str]) -> list[tuple[str, str]]:
    """Question id and discipline of what is compared of these disciplines."""
    write_empties(partitions.warehouse)
    with closing(duckdb.connect()) as connection, attached(connection, project):
        view_compared(connection, partitions, partitions.metas(), slugs)
        compared = f"select question_id, discipline from ({query('minhash/rows')}) where publishable"
        try:
            return steady(lambda: connection.execute(compared).fetchall())
        except duckdb.Error:
            partitions.refuse_damaged(COMPARED, slugs)
            raise


def _band_keys(partitions: Partitions, slugs: Iterable[str]) -> dict[str, UInt64s]:
    """Question id -> the keys of its buckets of bands, of disciplines."""
    found: dict[str, UInt64s] = {}
    for slug in slugs:
        signed = partitions.columns("signatures", slug, ("question_id", "bands"))
        told = (np.frombuffer(bands, dtype="<u4") for bands in signed["bands"].to_pylist())
        keys = (bucket_keys(bands, np.arange(len(bands))) for bands in told)
        found.update(zip(signed["question_id"].to_pylist(), keys, strict=True))
    return found
