"""What the pairs of a discipline repeat of the declared benchmark sets, from Parquet columns to an Arrow table."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from gland_assets.core.leaks import Leak
from gland_assets.core.project import DecontaminationSet
from gland_assets.io.benchmarks import index_of, split_of
from gland_assets.io.partitions import Partitions
from gland_assets.io.stored_schemas import STORED
from gland_assets.io.table_hash import table_hash
from gland_assets.io.texts import texts_of

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
            with partitions.opened(asset, slug) as columns:
                found = list(index.search(texts_of(columns.read("text")["text"])))
                ids = columns.read("question_id")["question_id"] if found else []  # a quarter of the time of reading
                rows += [_row(leak, ids[leak.text].as_py(), slug, part, index.items(leak.benchmark)) for leak in found]
    table = pa.Table.from_pylist(rows, schema=STORED["contamination"])
    return table, table_hash(table)


def looked_for(declared: tuple[DecontaminationSet, ...]) -> dict[str, Any]:
    """What the meta of a discipline's contamination says of the sets looked for, those without a hit too. Raises SettingsError."""
    if not declared:
        return {}
    index = index_of(declared)
    return {"looked_for": [{"benchmark": each.name, "split": split_of(each), "items": index.items(each.name)} for each in declared]}


def _row(leak: Leak, question_id: str, slug: str, part: str, items: int) -> dict[str, Any]:
    return {
        "question_id": question_id, "discipline": slug, "part": part, "benchmark": leak.benchmark, "split": leak.item.split,
        "item_id": leak.item.item_id, "items": items, "share": leak.match.share, "ngram": leak.match.ngram,
        "question_span": leak.match.span, "item_span": leak.match.item_span,
    }  # fmt: skip
