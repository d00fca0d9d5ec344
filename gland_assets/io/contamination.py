"""What the pairs of a discipline repeat of the declared benchmark sets, from Parquet columns to an Arrow table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from gland_assets.core.leaks import Leak
from gland_assets.core.ngrams import Texts
from gland_assets.core.project import DecontaminationSet
from gland_assets.io.benchmarks import index_of
from gland_assets.io.partitions import Partitions
from gland_assets.io.signing import table_hash
from gland_assets.io.stored_schemas import STORED

PARTS = {"questions": "question", "answers": "answer"}
"""The assets whose texts are looked through -> the part of a pair that they hold."""


def find_leaks(partitions: Partitions, slug: str, declared: tuple[DecontaminationSet, ...]) -> tuple[pa.Table, str]:
    """The contamination of a discipline as it is stored, and its content hash; nothing is read when no set is declared.

    Raises SettingsError when a set cannot be read, and as `Partitions.columns`.
    """
    rows: list[dict[str, Any]] = []
    if declared:
        index = index_of(declared)
        for asset, part in PARTS.items():
            found = list(index.search(texts_of(partitions.columns(asset, slug, ("text",))["text"])))
            if found:  # seldom, and ids take a quarter of the time of reading
                ids = partitions.columns(asset, slug, ("question_id",))["question_id"]
                rows += [_row(leak, ids[leak.text].as_py(), slug, part, index.items(leak.benchmark)) for leak in found]
    table = pa.Table.from_pylist(rows, schema=STORED["contamination"])
    return table, table_hash(table)


def _row(leak: Leak, question_id: str, slug: str, part: str, items: int) -> dict[str, Any]:
    return {
        "question_id": question_id, "discipline": slug, "part": part, "benchmark": leak.benchmark, "split": leak.item.split,
        "item_id": leak.item.item_id, "items": items, "share": leak.match.share, "ngram": leak.match.ngram,
        "question_span": leak.match.span, "item_span": leak.match.item_span,
    }  # fmt: skip


def texts_of(column: pa.ChunkedArray) -> Texts:
    """A column of text as it lies in memory; null as empty text."""
    array = column.combine_chunks()
    array = array.fill_null("") if array.null_count else array  # which copies
    _, offsets, data = array.buffers()
    if not len(array) or data is None:
        return Texts(b"", np.zeros(len(array), dtype=np.int64))
    ends = np.frombuffer(offsets, dtype=np.int32)[array.offset : array.offset + len(array) + 1].astype(np.int64)
    return Texts(memoryview(data)[ends[0] : ends[-1]], ends[1:] - ends[0])
