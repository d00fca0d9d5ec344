"""What was imported into a discipline: one partition of all its rows, `imported/<discipline>.parquet`, and what a level takes of it.

Each file that was imported keeps its own rows, in order of the files' names there. A row that several hold counts once.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gland_assets.core.levels import IMPORTED
from gland_assets.core.records import Question
from gland_assets.core.state import PartitionMeta
from gland_assets.io.partitions import Partitions

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Origin:
    """A file that was imported."""

    name: str  # by which it is taken back
    path: str
    form: str
    rows: int
    answered: int  # of those
    imported_at: str


def origins(meta: PartitionMeta | None) -> list[Origin]:
    """The files that were imported, as the partition of what is imported tells, in order of name."""
    return [Origin(**each) for each in json.loads(meta.recipe)["origins"]] if meta else []


def meta_of(partitions: Partitions, slug: str) -> PartitionMeta | None:
    """What the partition of a discipline's imported rows says of itself; None when nothing was imported. Raises DamagedPartition."""
    return partitions.meta(IMPORTED, slug)


def taken_in(partitions: Partitions, level: str, slug: str) -> pa.Table | None:
    """The imported rows of `level`, questions or answers, as that level stores them; None when there are none. Raises as `meta_of`."""
    meta = meta_of(partitions, slug)
    if meta is None:
        return None
    from gland_assets.io.imported_rows import answer_rows, question_rows, rows_once  # here, for most projects have none of them

    if level == "questions":
        return question_rows(rows_once(partitions, slug, "question"), origins(meta))
    return answer_rows(rows_once(partitions, slug, "answer"), origins(meta))


def unanswered(partitions: Partitions, slug: str) -> list[Question]:
    """The imported questions that came without an answer: a model is asked for one. Raises as `meta_of`."""
    meta = meta_of(partitions, slug)
    if meta is None or all(origin.answered == origin.rows for origin in origins(meta)):
        return []
    from gland_assets.io.imported_rows import question_rows, rows_once

    table = rows_once(partitions, slug, "question", "answer")
    alone = question_rows(table.filter(table["answer"].is_null()), origins(meta))
    return [Question(**{**row, "concepts": (), "failure": None}) for row in alone.to_pylist()]


def whence(partitions: Partitions, slug: str, question_id: str) -> list[tuple[Origin, int]]:
    """The files that a row was imported from, each with its number in there. Raises as `meta_of`."""
    meta = meta_of(partitions, slug)
    if meta is None:
        return []
    import pyarrow.compute as pc

    table = partitions.columns(IMPORTED, slug, ["question_id", "source", "row"])
    found = table.filter(pc.equal(table["question_id"], question_id)).to_pylist()
    known = {origin.name: origin for origin in origins(meta)}
    return [(known[row["source"]], row["row"]) for row in found]
