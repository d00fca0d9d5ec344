"""Parquet files with a description of their own in the footer: written whole, read by footer alone or by rows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from gland_assets.core.errors import DamagedPartition
from gland_assets.core.state import PartitionMeta
from gland_assets.io.durable import replacing
from gland_assets.io.stored_schemas import STORED

_META_KEY = b"gland"


def read_meta(path: Path) -> PartitionMeta:
    """What a partition file says of itself, from its footer alone. Raises FileNotFoundError, or DamagedPartition."""
    with _told(path):
        stored = pq.read_metadata(path).metadata or {}
        if _META_KEY not in stored:
            raise ValueError("no gland metadata in its footer")
        return PartitionMeta.of(json.loads(stored[_META_KEY]))


def read_rows(path: Path, first: int | None = None) -> list[dict[str, Any]]:
    """The rows, or the `first` few, as nested plain values, in stored order. Raises as `read_meta`."""
    with _told(path), pq.ParquetFile(path) as file:  # not read_table, which takes `a=b` in a folder's name for a column
        table = file.read() if first is None else next(file.iter_batches(first), pa.table({}))
        rows: list[dict[str, Any]] = table.to_pylist()
        return rows


def read_pairs(path: Path, key: str, value: str) -> dict[Any, Any]:
    """One column by another, the rest of the file left unread. Raises as `read_meta`."""
    with _told(path), pq.ParquetFile(path) as file:
        table = file.read(columns=[key, value])
        return dict(zip(table[key].to_pylist(), table[value].to_pylist(), strict=True))


def write_partition(path: Path, asset: str, rows: Sequence[Mapping[str, Any]], meta: PartitionMeta) -> None:
    """Replace a partition file of `asset` in one move. Raises WarehouseError."""
    write_parquet(path, _table(rows, STORED[asset]), json.dumps(meta.plain(), sort_keys=True).encode())


def write_parquet(path: Path, table: pa.Table, meta: bytes | None = None) -> None:
    """Replace a Parquet file in one move, with `meta` in its footer. Raises WarehouseError, leaving no temporary file."""
    if meta is not None:
        table = table.replace_schema_metadata({_META_KEY: meta})
    with replacing(path) as file:
        pq.write_table(table, file, compression="zstd")


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """What goes wrong in reading, as a damaged partition."""
    try:
        yield
    except FileNotFoundError:
        raise
    except (OSError, pa.ArrowException, ValueError, TypeError, KeyError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DamagedPartition(f"{path} cannot be read ({reason}); delete it, and the next build makes it again") from error


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
