"""Imported rows as the levels store them: columns into columns, without an object a row."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from gland_assets.core.cost import DENSE_RANGES, LATIN_RANGES
from gland_assets.core.imports import answer_ids
from gland_assets.core.levels import IMPORTED
from gland_assets.io.imported import Origin
from gland_assets.io.partitions import Partitions
from gland_assets.io.stored_schemas import SAMPLED_CONCEPT, STORED, TIME

BATCH = 1 << 14  # texts whose tokens are counted at once


def rows_once(partitions: Partitions, slug: str, *texts: str) -> pa.Table:
    """The rows imported into a discipline, each once, with these of its texts: question, answer. Raises as `Partitions.rows`."""
    return once(partitions.columns(IMPORTED, slug, ["question_id", "discipline", *texts, "source"]))


def once(table: pa.Table) -> pa.Table:
    """Of rows with the same id the first."""
    numbered = table.select(["question_id"]).append_column("number", pa.array(np.arange(len(table))))
    first = numbered.group_by("question_id", use_threads=False).aggregate([("number", "min")])["number_min"]
    if len(first) == len(table):
        return table
    wanted = np.zeros(len(table), dtype=np.bool_)
    wanted[first.to_numpy()] = True
    return table.filter(pa.array(wanted))  # not `take`, which refuses a column of more than 2 GiB of text


def same(value: str, count: int) -> pa.Array:
    """A column of one value."""
    return pa.repeat(pa.scalar(value, pa.string()), count)


def question_rows(table: pa.Table, known: Sequence[Origin]) -> pa.Table:
    """Imported rows as questions."""
    none = pa.ListArray.from_arrays(np.zeros(len(table) + 1, np.int32), pa.array([], SAMPLED_CONCEPT))
    return _filled("questions", len(table), {
        "question_id": table["question_id"], "discipline": table["discipline"], "strategy": same(IMPORTED, len(table)),
        "text": table["question"], "tokens": _tokens(table["question"]), "made_at": _times(table, known),
        "concepts": none,
    })  # fmt: skip


def answer_rows(table: pa.Table, known: Sequence[Origin]) -> pa.Table:
    """Those of imported rows that have an answer, as answers."""
    table = table.filter(pc.is_valid(table["answer"]))
    return _filled("answers", len(table), {
        "answer_id": pa.array(answer_ids(table["question_id"].to_pylist()), pa.string()), "question_id": table["question_id"],
        "discipline": table["discipline"], "text": table["answer"], "tokens": _tokens(table["answer"]),
        "made_at": _times(table, known),
    })  # fmt: skip


def _filled(asset: str, count: int, columns: dict[str, Any]) -> pa.Table:
    schema = STORED[asset]
    return pa.table([columns[each.name] if each.name in columns else pa.nulls(count, each.type) for each in schema], schema=schema)


def _times(table: pa.Table, known: Sequence[Origin]) -> pa.Array:
    times = pa.array([datetime.fromisoformat(origin.imported_at) for origin in known], TIME)
    return times.take(pc.index_in(table["source"].combine_chunks(), pa.array([origin.name for origin in known], pa.string())))


def _tokens(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    counts = [token_counts(chunk.slice(begin, BATCH)) for chunk in texts.chunks for begin in range(0, len(chunk), BATCH)]
    return pa.chunked_array(counts, pa.int32())


def token_counts(texts: pa.Array) -> pa.Array:
    """As `estimate_tokens` of each text."""
    quarters = pc.utf8_length(texts)
    other = pc.invert(pc.string_is_ascii(texts))
    if pc.any(other).as_py():
        rest = texts.filter(other)
        ends = np.cumsum(pc.utf8_length(rest).to_numpy())
        points = np.frombuffer("".join(rest.to_pylist()).encode("utf-32-le"), dtype=np.uint32)
        sums = np.concatenate([[0], np.cumsum(_quarters()[points], dtype=np.int32)])[np.concatenate([[0], ends])]
        quarters = pc.replace_with_mask(quarters, other, pa.array(np.diff(sums).astype(np.int32)))
    return pc.divide(pc.add(quarters, 3), 4).cast(pa.int32())


@cache
def _quarters() -> NDArray[np.uint8]:
    """Code point -> quarters of a token that it is thought to take."""
    found = np.full(sys.maxunicode + 1, 2, dtype=np.uint8)
    for ranges, quarters in ((LATIN_RANGES, 1), (DENSE_RANGES, 4)):
        for first, last in ranges:
            found[first : last + 1] = quarters
    return found
