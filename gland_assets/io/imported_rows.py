"""Imported rows as the levels store them: columns into columns, without an object a row."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gland_assets.core.imports import IMPORTED, answer_ids
from gland_assets.io.imported import Origin
from gland_assets.io.partitions import Partitions
from gland_assets.io.stored_schemas import SAMPLED_CONCEPT, STORED, TIME


def rows_once(partitions: Partitions, slug: str) -> pa.Table:
    """The rows imported into a discipline, each once. Raises as `Partitions.rows`."""
    return once(partitions.columns(IMPORTED, slug, STORED[IMPORTED].names))


def once(table: pa.Table) -> pa.Table:
    """Of rows with the same id the first."""
    numbered = table.select(["question_id"]).append_column("number", pa.array(np.arange(len(table))))
    first = numbered.group_by("question_id", use_threads=False).aggregate([("number", "min")])["number_min"]
    return table if len(first) == len(table) else table.take(np.sort(first.to_numpy()))


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
    return pa.chunked_array([token_counts(chunk) for chunk in texts.chunks], pa.int32())


_DENSE = r"[\x{3040}-\x{30ff}\x{3400}-\x{4dbf}\x{4e00}-\x{9fff}\x{ac00}-\x{d7af}\x{f900}-\x{faff}]"
_LATIN = r"[\x{0000}-\x{024f}\x{2000}-\x{206f}]"


def token_counts(texts: pa.Array) -> pa.Array:
    """As `estimate_tokens` of each text."""
    quarters = pc.utf8_length(texts)
    other = pc.invert(pc.string_is_ascii(texts))
    if pc.any(other).as_py():
        rest = texts.filter(other)
        dense, latin = (pc.count_substring_regex(rest, pattern) for pattern in (_DENSE, _LATIN))
        sure = pc.subtract(pc.multiply(pc.add(pc.utf8_length(rest), dense), 2), latin)
        quarters = pc.replace_with_mask(quarters, other, sure.cast(quarters.type))
    return pc.divide(pc.add(quarters, 3), 4).cast(pa.int32())
