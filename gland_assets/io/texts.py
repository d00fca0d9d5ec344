"""The texts by which questions are alike: of the question, the answer, or both; and those of references, which they are compared with."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from gland_assets.core.levels import REFERENCE
from gland_assets.io.partitions import Partitions

SIGNED = ["question_id", "discipline", "text"]
"""The columns that signatures are made from."""


def is_reference(slug: str) -> bool:
    """Whether what stands for the discipline is a reference."""
    return slug.startswith(REFERENCE)


def compared_texts(partitions: Partitions, slug: str, over: str) -> pa.Table:
    """The texts that a discipline's questions, or a reference's rows, are compared by, null where there is none, with id and discipline.

    Raises WarehouseError when a partition cannot be read or was not made.
    """
    if is_reference(slug):
        return _of_reference(partitions, slug, over)
    if over != "both":
        return partitions.columns(over, slug, SIGNED)
    return _joined(partitions.columns("questions", slug, SIGNED), partitions.columns("answers", slug, ("question_id", "text")))


def _of_reference(partitions: Partitions, slug: str, over: str) -> pa.Table:
    rows = partitions.columns("references", slug.removeprefix(REFERENCE), [*SIGNED, *([] if over == "questions" else ["answer"])])
    if over == "questions":
        return rows
    answers = rows.select(["question_id", "discipline", "answer"]).rename_columns(SIGNED)
    return _joined(rows.select(SIGNED), answers) if over == "both" else answers


def _joined(asked: pa.Table, answered: pa.Table) -> pa.Table:
    """Question and answer as one text; none where one of them is missing."""
    at = pc.index_in(asked["question_id"], value_set=answered["question_id"].combine_chunks())
    return asked.set_column(2, "text", pc.binary_join_element_wise(asked["text"], answered["text"].take(at), "\n\n"))


class Texts:
    """The texts of rows, read by discipline when the first of them is asked for."""

    def __init__(self, partitions: Partitions, over: str, ids: Sequence[str], disciplines: Sequence[str]) -> None:
        self._partitions, self._over, self._ids, self._disciplines = partitions, over, ids, disciplines
        self._of: dict[str, dict[str, str]] = {}
        self._wanted: defaultdict[str, list[str]] = defaultdict(list)
        for identity, slug in zip(ids, disciplines, strict=True):
            self._wanted[slug].append(identity)

    def __call__(self, row: int) -> str:
        """The stored text; empty when the partition was replaced meanwhile and has it no more: the next build compares anew.

        Raises WarehouseError when the partition cannot be read.
        """
        slug = self._disciplines[row]
        if slug not in self._of:
            self._of[slug] = self._read(slug)
        return self._of[slug].get(self._ids[row], "")

    def _read(self, slug: str) -> dict[str, str]:
        stored = compared_texts(self._partitions, slug, self._over)
        stored = stored.filter(
            pc.and_(pc.is_valid(stored["text"]), pc.is_in(stored["question_id"], value_set=pa.array(self._wanted[slug])))
        )
        return dict(zip(stored["question_id"].to_pylist(), stored["text"].to_pylist(), strict=True))
