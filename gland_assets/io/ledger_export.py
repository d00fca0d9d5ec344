"""The ledger as Parquet files: requests in blocks by number, builds and prompts whole. Only what changed is written.

A block's file is replaced in one move under one name, so a reader never finds a request in two files, nor one twice.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from gland_assets.core.cost import from_nanos
from gland_assets.io.durable import replacing
from gland_assets.io.ledger_layout import UNKNOWN
from gland_assets.io.stored_schemas import LEDGER


def export(connection: sqlite3.Connection, folder: Path, block_size: int) -> None:
    """Brings the files in `folder` up to date with the ledger. Raises WarehouseError."""
    _export_requests(connection, folder, block_size)
    builds = [_build(row) for row in connection.execute("select * from builds order by build_id")]
    prompts = [dict(row) for row in connection.execute("select * from prompts order by prompt_hash")]
    _write_if_changed(folder / "builds.parquet", "builds", builds)
    _write_if_changed(folder / "prompts.parquet", "prompts", prompts)


def block_name(first: int, last: int) -> str:
    """File name of the requests numbered `first` to `last`; 0 to 0 is the file without rows that tells readers the columns."""
    return f"requests-{first:010d}-{last:010d}.parquet"


def _export_requests(connection: sqlite3.Connection, folder: Path, block_size: int) -> None:
    current = {block_name(0, 0)}
    if not _whole(folder / block_name(0, 0)):
        _write(folder / block_name(0, 0), _table("requests", []))
    for block, version, exported in connection.execute("select block, version, exported from blocks order by block").fetchall():
        first, last = block * block_size + 1, (block + 1) * block_size
        path = folder / block_name(first, last)
        current.add(path.name)
        if version == exported and _whole(path):
            continue
        # Read after its version: what is added in between is exported now and, needlessly, once more.
        rows = connection.execute("select * from requests where number between ? and ? order by number", (first, last))
        _write(path, _table("requests", map(_request, rows)))
        connection.execute("update blocks set exported = ? where block = ?", (version, block))
    for path in folder.glob("requests-*.parquet"):
        if path.name not in current:
            path.unlink(missing_ok=True)  # of a ledger that is no more


def _whole(path: Path) -> bool:
    """Whether there is a file that ends as it should."""
    try:
        pq.read_metadata(path)
    except (OSError, pa.ArrowException):
        return False
    return True


def _write_if_changed(path: Path, name: str, rows: Iterable[Mapping[str, Any]]) -> None:
    table = _table(name, rows)
    try:
        with pq.ParquetFile(path) as known:
            if known.read().equals(table):
                return
    except (OSError, pa.ArrowException):
        pass  # missing or damaged: written again
    _write(path, table)


def _table(name: str, rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=LEDGER[name])


def _write(path: Path, table: pa.Table) -> None:
    with replacing(path) as file:
        pq.write_table(table, file, compression="zstd")


def _when(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _request(row: sqlite3.Row) -> dict[str, Any]:
    usd = None if row["usd_nanos"] is None else from_nanos(row["usd_nanos"])
    accepted = None if row["accepted"] == UNKNOWN else bool(row["accepted"])
    return dict(row) | {"usd": usd, "accepted": accepted, "sent_at": _when(row["sent_at"])}


def _build(row: sqlite3.Row) -> dict[str, Any]:
    usd = None if row["unpriced"] else from_nanos(row["usd_nanos"])
    return dict(row) | {"usd": usd, "started_at": _when(row["started_at"]), "ended_at": _when(row["ended_at"])}
