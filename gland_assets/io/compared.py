"""What questions are compared by, as it is stored: their rows for minhash.duckdb, and the partitions that these come from."""

from __future__ import annotations

import json
from collections.abc import Iterable

import duckdb
import numpy as np
import pyarrow as pa

from gland_assets.core.hashing import digest
from gland_assets.core.levels import RECIPE_VERSION, REFERENCE
from gland_assets.core.plan import Metas
from gland_assets.core.project import Project
from gland_assets.core.texts import UInt64s
from gland_assets.io.partitions import Partitions
from gland_assets.io.parts import PARTS, view_partitions
from gland_assets.io.sql import as_pattern, files_list, query
from gland_assets.io.texts import is_reference, texts_of

COMPARED = ("signatures", "questions", "answers", "contamination")
"""The assets that say which questions are duplicates."""


def made_from(project: Project, metas: Metas) -> dict[str, str]:
    """Discipline -> the partitions that its rows are compared by, as they were last written; of those that have signatures.

    References stand beside the disciplines, as reference:NAME.
    """
    there = [slug for slug in project.index() if signed_now(metas, slug)]
    found = {slug: digest([(meta := metas.get((asset, slug))) and meta.stamp for asset in COMPARED]) for slug in there}
    return found | {f"{REFERENCE}{name}": meta.stamp for (asset, name), meta in metas.items() if asset == "reference_signatures"}


def signed_now(metas: Metas, slug: str) -> bool:
    """Whether a discipline has signatures, and these are laid out as they are now: older ones wait to be made again."""
    meta, version = metas.get(("signatures", slug)), RECIPE_VERSION["signatures"]
    return meta is not None and json.loads(meta.recipe).get("version", version) == version


def signed_as(slug: str) -> tuple[str, str]:
    """Asset and name of the partition that holds the signatures of a discipline or a reference."""
    return ("reference_signatures", slug.removeprefix(REFERENCE)) if is_reference(slug) else ("signatures", slug)


def view_compared(connection: duckdb.DuckDBPyConnection, partitions: Partitions, metas: Metas, slugs: Iterable[str]) -> None:
    """Name the rows of these disciplines and references for minhash/rows.sql."""
    wanted = list(slugs)
    for asset in COMPARED:
        view_partitions(connection, partitions, asset, [slug for slug in wanted if (asset, slug) in metas])
    files = [partitions.path(*signed_as(slug)) for slug in wanted if is_reference(slug)]
    source = (
        f"read_parquet({files_list(*map(as_pattern, files))}, hive_partitioning = false)" if files else f"{PARTS}.signatures where false"
    )
    connection.execute(f"create or replace view {PARTS}.reference_signatures as select * from {source}")


def stored_rows(connection: duckdb.DuckDBPyConnection) -> pa.Table:
    """The rows named by `view_compared`: question_id, discipline, publishable, text_key, keys and bits."""
    rows = connection.execute(query("minhash/rows")).to_arrow_table()
    told = bytes.fromhex(bytes(texts_of(rows["text_hash"]).data).decode())  # of 16 bytes each
    keys = np.frombuffer(told, dtype=">u8")[::2].astype(np.uint64)
    names = ["question_id", "discipline", "publishable"]
    lists = [_lists(rows["bands"], pa.uint32()), _lists(rows["bitmap"], pa.uint64())]
    return pa.table([*(rows[name] for name in names), pa.array(keys), *lists], names=[*names, "text_key", "keys", "bits"])


def _lists(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    """Bytes as numbers."""
    return pa.chunked_array([_listed(part, kind) for part in column.chunks], pa.list_(kind))


def _listed(rows: pa.BinaryArray, kind: pa.DataType) -> pa.ListArray:
    _, offsets, data = rows.buffers()
    begins = np.frombuffer(offsets, dtype=np.int32)[rows.offset : rows.offset + len(rows) + 1]
    numbers = np.frombuffer(data or b"", dtype=kind.to_pandas_dtype())
    return pa.ListArray.from_arrays(pa.array(begins // numbers.itemsize), pa.array(numbers))


def groups(disciplines: Iterable[str], across: bool) -> UInt64s:
    """What sets the rows of each discipline apart from those that they are not compared with."""
    told = ["" if across or is_reference(slug) else slug for slug in disciplines]
    return np.array([int(digest("group", slug)[:16], 16) if slug else 0 for slug in told], dtype=np.uint64)
