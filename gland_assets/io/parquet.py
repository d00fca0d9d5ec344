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
from gland_assets.core.levels import GIVEN
from gland_assets.core.state import PartitionMeta
from gland_assets.io.durable import replacing
from gland_assets.io.stored_schemas import STORED

META_KEY = b"gland"
"""Under which a file's footer says what it is."""

DICTIONARY = 1 << 16
"""Bytes of a column's values beyond which it is written without a dictionary: texts and ids are all different."""


def read_meta(path: Path) -> PartitionMeta:
    """What a partition file says of itself, from its footer alone. Raises FileNotFoundError, or DamagedPartition."""
    with _told(path):
        stored = pq.read_metadata(path).metadata or {}
        if META_KEY not in stored:
            raise ValueError("no gland metadata in its footer")
        return PartitionMeta.of(json.loads(stored[META_KEY]))


def read_rows(path: Path, first: int | None = None) -> list[dict[str, Any]]:
    """The rows, or the `first` few, as nested plain values, in stored order. Raises as `read_meta`."""
    with _told(path), pq.ParquetFile(path) as file:  # not read_table, which takes `a=b` in a folder's name for a column
        table = file.read() if first is None else _beginning(file, first)
        rows: list[dict[str, Any]] = table.to_pylist()
        return rows


def _beginning(file: pq.ParquetFile, first: int) -> pa.Table:
    batches, count = [], 0
    for batch in file.iter_batches(max(first, 1)):
        if count >= first:
            break
        batches.append(batch)
        count += len(batch)
    return pa.Table.from_batches(batches, file.schema_arrow).slice(0, first)


class Columns:
    """The columns of a file, which is opened once and stays open until the context ends."""

    def __init__(self, path: Path) -> None:
        """Raises as `read_meta`."""
        self._path = path
        with _told(path):
            self._file = pq.ParquetFile(path, pre_buffer=False)

    def __enter__(self) -> Columns:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self, *names: str) -> pa.Table:
        """Some columns of the rows, in stored order. Raises as `read_meta`."""
        with _told(self._path):  # for a partition, handing columns to threads takes as long as reading them
            return self._file.read(list(names), use_threads=False)


def write_partition(path: Path, table: pa.Table, meta: PartitionMeta) -> None:
    """Replace a partition file in one move. Raises WarehouseError."""
    write_parquet(path, table, json.dumps(meta.plain(), sort_keys=True).encode())


def write_parquet(path: Path, table: pa.Table, meta: bytes | None = None) -> None:
    """Replace a Parquet file in one move, with `meta` in its footer. Raises WarehouseError, leaving no temporary file."""
    if meta is not None:
        table = table.replace_schema_metadata({META_KEY: meta})
    leaves = {name: kind for field in table.schema for name, kind in _leaves(field)}
    # Only text repeats. Bytes are hashes, signatures and band keys: nothing in them to be compressed.
    hashes = {name for name, kind in leaves.items() if pa.types.is_large_binary(kind)}
    with replacing(path) as file:
        pq.write_table(
            table, file,
            compression={name: "none" if name in hashes else "zstd" for name in leaves},
            dictionary_pagesize_limit=DICTIONARY,
            use_dictionary=[name for name, kind in leaves.items() if pa.types.is_string(kind)],
            write_statistics=[name for name in leaves if name not in hashes],
        )  # fmt: skip


def _leaves(field: pa.Field, above: str = "") -> Iterator[tuple[str, pa.DataType]]:
    """The columns that Parquet keeps of a field, by path, with the type of each."""
    path = f"{above}{field.name}"
    if pa.types.is_list(field.type):
        yield from _leaves(field.type.value_field.with_name("element"), f"{path}.list.")
    elif pa.types.is_struct(field.type):
        for inner in field.type:
            yield from _leaves(inner, f"{path}.")
    else:
        yield path, field.type


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """What goes wrong in reading, as a damaged partition."""
    try:
        yield
    except FileNotFoundError:
        raise
    except (OSError, pa.ArrowException, ValueError, TypeError, KeyError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        given = path.parent.name in GIVEN
        mend = "put a copy back, or delete it and import again" if given else "delete it, and the next build makes it again"
        raise DamagedPartition(f"{path} cannot be read ({reason}); {mend}") from error


def as_table(asset: str, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Nested plain values as a table of the columns stored of `asset`."""
    schema = STORED[asset]
    try:
        return pa.Table.from_pylist(list(rows), schema=schema)
    except UnicodeEncodeError:  # half of a surrogate pair, as a model's JSON may hold: no UTF-8 exists for it
        return pa.Table.from_pylist([encodable(row) for row in rows], schema=schema)


def encodable(value: Any) -> Any:
    """`value` with every lone surrogate replaced by U+FFFD."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, Mapping):
        return {name: encodable(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [encodable(inner) for inner in value]
    return value
