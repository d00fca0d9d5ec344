"""Checks of what was dropped and of what was kept. Kept questions are read by whole disciplines and compared each with each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow.compute as pc

from gland_assets.core.audit import Alike, Rate, alike, outside, rates, sample
from gland_assets.core.checks import CheckOutcome
from gland_assets.core.project import Project
from gland_assets.io.partitions import Partitions

SHOWN = 3  # examples of what a check found

DUPLICATES_CHECKS = {
    "kept_stand": "Every dropped question names a kept one, which is not dropped itself.",
    "rate_within_bounds": "Of every discipline's answered questions, as large a share was dropped as `rate` of [dedup] allows.",
    "audit_finds_none": "Of the kept questions of some disciplines, drawn by the seed, no two are near duplicates.",
}
"""Check of duplicates -> what it holds."""


@dataclass(frozen=True, slots=True)
class Audited:
    """What an audit saw. `missed` are pairs of kept questions at or above the threshold."""

    questions: int
    disciplines: int
    missed: tuple[Alike, ...]


def answered(project: Project, partitions: Partitions) -> dict[str, int]:
    """Discipline -> questions with an answer, failed ones left out. Raises as `Partitions.metas`."""
    metas = partitions.metas()
    return {slug: meta.rows - meta.failed for slug in project.index() if (meta := metas.get(("answers", slug)))}


def dropped_shares(project: Project, partitions: Partitions, dropped: Sequence[Mapping[str, Any]]) -> list[Rate]:
    """The share of every discipline's answered questions that are among the `dropped` rows of duplicates, the highest first."""
    return rates(answered(project, partitions), (row["discipline"] for row in dropped))


def audit(project: Project, partitions: Partitions, dropped: Sequence[Mapping[str, Any]]) -> Audited:
    """Compare kept questions of some disciplines, drawn by the project's seed, each with each. `dropped`: the rows of duplicates.

    Raises DamagedPartition when one of theirs cannot be read.
    """
    gone = Counter(row["discipline"] for row in dropped)
    drawn = sample({slug: count - gone[slug] for slug, count in answered(project, partitions).items()}, project.seed)
    lost = {row["question_id"] for row in dropped}
    texts = [(identity, text) for slug in drawn for identity, text in _standing(partitions, slug) if identity not in lost]
    return Audited(len(texts), len(drawn), tuple(alike(texts, project.dedup)))


def check_duplicates(project: Project, partitions: Partitions, dropped: Sequence[Mapping[str, Any]]) -> list[CheckOutcome]:
    """The outcomes of DUPLICATES_CHECKS over the rows of duplicates. Raises as `audit`."""
    lost = {row["question_id"] for row in dropped} & {row["kept_id"] for row in dropped}
    shares = dropped_shares(project, partitions, dropped)
    beyond = outside(shares, project.dedup)
    seen = audit(project, partitions, dropped)
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
            {"questions": seen.questions, "disciplines": seen.disciplines, "pairs": len(pairs), "examples": ", ".join(pairs[:SHOWN])},
            error=False,
        ),
    ]  # fmt: skip


def _standing(partitions: Partitions, slug: str) -> list[tuple[str, str]]:
    """Question id and text of every answered question of a discipline."""
    answers = partitions.columns("answers", slug, ("question_id", "text"))
    asked = partitions.columns("questions", slug, ("question_id", "text"))
    standing = answers.filter(pc.is_valid(answers["text"]))["question_id"]
    stands = asked.filter(pc.and_(pc.is_valid(asked["text"]), pc.is_in(asked["question_id"], standing)))
    return list(zip(stands["question_id"].to_pylist(), stands["text"].to_pylist(), strict=True))
