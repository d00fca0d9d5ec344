"""The texts by which questions are alike: of the question, the answer, or both; and those of references, which they are compared with."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from gland_assets.core.levels import REFERENCE
from gland_assets.core.texts import Ints, Texts
from gland_assets.io.partitions import Partitions

COMPARED = ["question_id", "text"]
"""The columns that signatures are made from."""

_APART = pa.scalar("\n\n", pa.large_string())


def is_reference(slug: str) -> bool:
    """Whether what stands for the discipline is a reference."""
    return slug.startswith(REFERENCE)


def compared_texts(partitions: Partitions, slug: str, over: str) -> pa.Table:
    """The texts that a discipline's questions, or a reference's rows, are compared by, null where there is none, each with its question_id.

    Raises WarehouseError when a partition cannot be read or was not made.
    """
    if is_reference(slug):
        return _of_reference(partitions, slug, over)
    if over != "both":
        return partitions.columns(over, slug, COMPARED)
    return _joined(*(partitions.columns(asset, slug, COMPARED) for asset in ("questions", "answers")))


def _of_reference(partitions: Partitions, slug: str, over: str) -> pa.Table:
    rows = partitions.columns("references", slug.removeprefix(REFERENCE), [*COMPARED, *([] if over == "questions" else ["answer"])])
    if over == "questions":
        return rows
    answers = rows.select(["question_id", "answer"]).rename_columns(COMPARED)
    return _joined(rows.select(COMPARED), answers) if over == "both" else answers


def _joined(asked: pa.Table, answered: pa.Table) -> pa.Table:
    """Question and answer as one text; none where one of them is missing."""
    import pyarrow.compute as pc  # as long in loading as reading dozens of partitions

    at = pc.index_in(asked["question_id"], value_set=answered["question_id"].combine_chunks())
    # Wide: of the narrow kind nothing is taken from a column of more than 2 GiB.
    texts, answers = (table["text"].cast(pa.large_string()) for table in (asked, answered))
    return asked.set_column(1, "text", pc.binary_join_element_wise(texts, answers.take(at), _APART))


def texts_of(column: pa.ChunkedArray | pa.Array) -> Texts:
    """A column of text, or of bytes, as it lies in memory; null as empty."""
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    if len(chunks) == 1:
        return _lying(chunks[0])
    parts = [_lying(chunk) for chunk in chunks]
    before = np.cumsum([0, *(len(part.data) for part in parts)])
    ends = [part.ends + first for part, first in zip(parts, before, strict=False)]
    return Texts(b"".join(part.data for part in parts), np.concatenate([np.zeros(0, dtype=np.int64), *ends]))


def _lying(array: pa.Array) -> Texts:
    large = pa.types.is_large_string(array.type) or pa.types.is_large_binary(array.type)
    if array.null_count:  # which copies, and loads more of Arrow than all else needs
        array = array.fill_null(pa.scalar(b"").cast(array.type))
    _, offsets, data = array.buffers()
    if not len(array) or data is None:
        return Texts(b"", np.zeros(len(array), dtype=np.int64))
    told = np.frombuffer(offsets, dtype=np.int64 if large else np.int32)
    ends = told[array.offset : array.offset + len(array) + 1].astype(np.int64)
    return Texts(memoryview(data)[ends[0] : ends[-1]], ends[1:] - ends[0])


class StoredTexts:
    """The texts of rows that are given by question_id and discipline: read by discipline when the first is asked for, or all at once.

    A text is empty when its partition was replaced meanwhile and has it no more: the next build compares anew.
    """

    def __init__(self, partitions: Partitions, over: str, rows: pa.Table) -> None:
        self._partitions, self._over, self._ids = partitions, over, rows["question_id"]
        named = rows["discipline"].combine_chunks().dictionary_encode()
        self._slugs: list[str] = named.dictionary.to_pylist()
        self._which = named.indices.to_numpy()
        self._grouped = np.argsort(self._which, kind="stable")
        self._begins = np.searchsorted(self._which[self._grouped], np.arange(len(self._slugs) + 1))
        self._read: dict[int, pa.Array] = {}

    def __call__(self, row: int) -> str:
        """The text of a row, by number. Raises WarehouseError when the partition cannot be read."""
        which = int(self._which[row])
        if which not in self._read:
            self._read[which] = self._of(which)
        text: str = self._read[which][int(np.searchsorted(self._rows(which), row))].as_py()
        return text

    def all(self) -> Texts:
        """The texts of all rows, in order. Raises as when called."""
        told = pa.concat_arrays([pa.array([], pa.large_string()), *(self._of(which) for which in range(len(self._slugs)))])
        return texts_of(told.take(pa.array(np.argsort(self._grouped))))

    def _rows(self, which: int) -> Ints:
        return self._grouped[self._begins[which] : self._begins[which + 1]]

    def _of(self, which: int) -> pa.Array:
        import pyarrow.compute as pc

        stored = compared_texts(self._partitions, self._slugs[which], self._over)
        at = pc.index_in(self._ids.take(pa.array(self._rows(which))), value_set=stored["question_id"].combine_chunks())
        return stored["text"].cast(pa.large_string()).take(at).combine_chunks().fill_null("")
