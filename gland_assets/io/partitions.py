"""Partition files: one Parquet file for each asset and discipline, written so that a reader finds a whole file or none, and no lock."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from gland_assets.core.errors import DamagedPartition, WarehouseError
from gland_assets.core.levels import PARTITIONED
from gland_assets.core.state import PartitionMeta
from gland_assets.io.durable import replacing
from gland_assets.io.stored_schemas import STORED

SUFFIX = ".parquet"
EMPTY = "_empty"
"""Stem of the typed file without rows that the live views start from: no slug has an underscore."""

ALL = "all"
"""What stands for the discipline in the one file of an unpartitioned asset."""

_META_KEY = b"gland"


class Partitions:
    """The partition files of one warehouse: `<warehouse>/<asset>/<discipline>.parquet`."""

    def __init__(self, warehouse: Path) -> None:
        """Over the folder `warehouse`, which need not exist yet."""
        self.warehouse = warehouse
        self.damaged: dict[tuple[str, str], DamagedPartition] = {}
        """What the latest `metas()` could not read."""

    def path(self, asset: str, discipline: str) -> Path:
        """Where the partition stands, whether or not it has been made."""
        return self.warehouse / asset / f"{discipline}{SUFFIX}"

    def meta(self, asset: str, discipline: str) -> PartitionMeta | None:
        """What the partition says of itself, from the file's footer alone; None when it has not been made.

        Raises DamagedPartition when the file cannot be read.
        """
        path = self.path(asset, discipline)
        try:
            return _meta_from(pq.read_metadata(path).metadata or {})
        except FileNotFoundError:
            return None
        except (OSError, pa.ArrowException, ValueError, TypeError, KeyError) as error:
            raise _damaged(path, error) from error

    def metas(self) -> dict[tuple[str, str], PartitionMeta]:
        """(asset, discipline) -> meta over all assets, in order of name. Damaged files are left out and stand in `damaged`."""
        found: dict[tuple[str, str], PartitionMeta] = {}
        damaged: dict[tuple[str, str], DamagedPartition] = {}
        for asset in (*PARTITIONED, "duplicates"):
            for discipline in self.stored(asset):
                try:
                    meta = self.meta(asset, discipline)
                except DamagedPartition as error:
                    damaged[asset, discipline] = error
                else:
                    if meta is not None:
                        found[asset, discipline] = meta
        self.damaged = damaged
        return found

    def rows(self, asset: str, discipline: str) -> list[dict[str, Any]]:
        """The partition's rows as nested plain values, in stored order. Raises WarehouseError when it has not been made."""
        path = self.path(asset, discipline)
        try:
            with pq.ParquetFile(path) as file:  # not read_table, which takes `a=b` in a folder's name for a column
                rows: list[dict[str, Any]] = file.read().to_pylist()
        except FileNotFoundError as error:
            raise WarehouseError(f"{path} has not been made; run `gland build -d {discipline}`") from error
        except (OSError, pa.ArrowException, ValueError) as error:
            raise _damaged(path, error) from error
        return rows

    def refuse_damaged(self, assets: Iterable[str], disciplines: Iterable[str]) -> None:
        """Raise DamagedPartition, which names the file, when rows of one of these cannot be read."""
        slugs = tuple(disciplines)
        for asset in assets:
            for slug in slugs:
                if self.path(asset, slug).exists():
                    self.rows(asset, slug)

    def write(self, asset: str, discipline: str, rows: Sequence[Mapping[str, Any]], meta: PartitionMeta) -> PartitionMeta:
        """Replace the partition in one move and return its meta as stored: rows and failed counted, written_at and stamp
        set where they were not.

        Raises WarehouseError when the file cannot be written; the partition that stood before then still stands.
        """
        failed = sum(1 for row in rows if row.get("failure"))
        stamped = replace(
            meta, rows=len(rows) - failed, failed=failed, stamp=meta.stamp or uuid4().hex, written_at=meta.written_at or datetime.now(UTC)
        )  # fmt: skip
        write_parquet(self.path(asset, discipline), _table(rows, STORED[asset]), _meta_bytes(stamped))
        return stamped

    def stored(self, asset: str) -> list[str]:
        """The disciplines that have a file, in order of name."""
        try:
            names = os.listdir(self.warehouse / asset)
        except (FileNotFoundError, NotADirectoryError):
            return []
        stems = (name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX))
        return sorted(stem for stem in stems if stem != EMPTY)


def write_parquet(path: Path, table: pa.Table, meta: bytes | None = None) -> None:
    """Replace a Parquet file in one move, with `meta` in its footer. Raises WarehouseError, leaving no temporary file."""
    if meta is not None:
        table = table.replace_schema_metadata({_META_KEY: meta})
    with replacing(path) as file:
        pq.write_table(table, file, compression="zstd")


def _table(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    try:
        return pa.Table.from_pylist(list(rows), schema=schema)
    except UnicodeEncodeError:  # half of a surrogate pair, as a model's JSON may hold: no UTF-8 exists for it
        return pa.Table.from_pylist([_encodable(row) for row in rows], schema=schema)


def _encodable(value: Any) -> Any:
    """`value` with every lone surrogate replaced by U+FFFD."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, Mapping):
        return {name: _encodable(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_encodable(inner) for inner in value]
    return value


def _meta_bytes(meta: PartitionMeta) -> bytes:
    plain = asdict(meta) | {"written_at": meta.written_at.isoformat() if meta.written_at else None}
    return json.dumps(plain, sort_keys=True).encode()


def _meta_from(stored: Mapping[bytes, bytes]) -> PartitionMeta:
    if _META_KEY not in stored:
        raise ValueError("no gland metadata in its footer")
    plain = json.loads(stored[_META_KEY])
    written_at = plain.pop("written_at", None)
    return PartitionMeta(**plain, written_at=datetime.fromisoformat(written_at) if written_at else None)


def _damaged(path: Path, error: Exception) -> DamagedPartition:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return DamagedPartition(f"{path} cannot be read ({reason}); delete it, and the next build makes it again")
