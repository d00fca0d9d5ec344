"""Warehouses of a corpus, and what was found in them."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from bench.corpus import Corpus, Planted, identity, number_of
from bench.dedup.steps import PROJECT
from gland_assets.core.dedup import jaccard, normalise, shingles
from gland_assets.core.project import Project
from gland_assets.core.state import PartitionMeta
from gland_assets.io.partitions import ALL, Partitions
from gland_assets.io.stored_schemas import STORED
from tests import rows

DISCIPLINES = 200
LATE = "late"
"""The discipline of the questions that come later."""


def project() -> Project:
    """What the warehouses are of."""
    return rows.project([*(f"d-{number:04}" for number in range(DISCIPLINES)), LATE])


def made(folder: Path, corpus: Corpus, disciplines: int = DISCIPLINES) -> Path:
    """A warehouse of a corpus, unless it is there."""
    warehouse = folder / "-".join(map(str, (len(corpus), corpus.family, corpus.templates, disciplines)))
    if not (warehouse / PROJECT).exists():
        store(warehouse, corpus, disciplines)
    return warehouse


def store(warehouse: Path, corpus: Corpus, disciplines: int = DISCIPLINES) -> None:
    """Write a corpus as the questions of so many disciplines in turn, each answered."""
    partitions = Partitions(warehouse)
    for number in range(disciplines):
        fill(partitions, f"d-{number:04}", corpus, range(number, len(corpus), disciplines))
    declare(warehouse)


def declare(warehouse: Path) -> None:
    """Write down, for the process that is measured, what the warehouse is of."""
    (warehouse / PROJECT).write_bytes(pickle.dumps(project()))


def fill(partitions: Partitions, slug: str, corpus: Corpus, numbers: range) -> None:
    """Write questions by number as those of a discipline, each answered."""
    ids, slugs = list(map(identity, numbers)), [slug] * len(numbers)
    asked = table("questions", question_id=ids, discipline=slugs, text=list(map(corpus.text, numbers)))
    answers = table("answers", answer_id=ids, question_id=ids, discipline=slugs, text=["So it is."] * len(ids))
    for asset, made in (("questions", asked), ("answers", answers)):
        partitions.write(asset, slug, made, PartitionMeta(asset, slug, asset, f"{asset} of {len(ids)}", "{}"))


def table(asset: str, **columns: list[str]) -> pa.Table:
    """Rows of an asset with the given columns, the others empty."""
    count = len(next(iter(columns.values())))
    return pa.table([columns.get(field.name, pa.nulls(count, field.type)) for field in STORED[asset]], schema=STORED[asset])


def bare(warehouse: Path) -> None:
    """Take away all but questions and answers, and what came later."""
    for path in warehouse.iterdir():
        if path.name not in ("questions", "answers", PROJECT):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for asset in ("questions", "answers"):
        Partitions(warehouse).path(asset, LATE).unlink(missing_ok=True)
    declare(warehouse)


class Found(NamedTuple):
    """What became of a corpus: pairs planted at the threshold and above, and caught; questions dropped, and how many of them rightly."""

    planted: int
    caught: int
    dropped: int
    right: int

    def told(self) -> str:
        """In words."""
        return (
            f"{self.planted:,} pairs planted at or above the threshold, {self.caught:,} caught ({self.caught / max(1, self.planted):.4f}); "
            f"{self.dropped:,} dropped, {self.right:,} of them ({self.right / max(1, self.dropped):.4f}) duplicates by exact check"
        )


def caught(planted: Iterable[Planted], dropped: set[str], threshold: float) -> tuple[int, int]:
    """How many pairs reach the threshold, and of how many of these one was dropped."""
    alike = [pair for pair in planted if pair.similarity >= threshold]
    return len(alike), sum(identity(pair.one) in dropped or identity(pair.other) in dropped for pair in alike)


def found(warehouse: Path, corpus: Corpus, numbers: range | None = None) -> Found:
    """What was found in a warehouse, of what was planted among `numbers`; every dropped question is compared with the kept one it names."""
    settings = project().dedup
    table = Partitions(warehouse).columns("duplicates", ALL, ("question_id", "kept_id", "kind"))
    dropped = set(table["question_id"].to_pylist())
    right = 0
    for row in zip(*(table[name].to_pylist() for name in ("question_id", "kept_id", "kind")), strict=True):
        one, kept = (corpus.text(number_of(each)) for each in row[:2])
        alike = normalise(one) == normalise(kept) or (
            row[2] == "near" and jaccard(shingles(one, settings.ngram), shingles(kept, settings.ngram)) >= settings.threshold
        )
        right += alike and row[1] not in dropped
    return Found(*caught(corpus.planted(numbers or range(len(corpus))), dropped, settings.threshold), len(table), right)


def size(warehouse: Path) -> str:
    """What the files of each part take, in MB."""
    parts = {path.name: sum(each.stat().st_size for each in (path.rglob("*") if path.is_dir() else [path])) for path in warehouse.iterdir()}
    return ", ".join(f"{name} {taken / 1e6:,.0f}" for name, taken in sorted(parts.items()) if taken >= 1e6)
