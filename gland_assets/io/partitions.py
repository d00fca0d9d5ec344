"""Partition files: one Parquet file for each asset and discipline, written so that a reader finds a whole file or none, and no lock."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from gland_assets.core.errors import DamagedPartition, WarehouseError
from gland_assets.core.levels import GIVEN, PARTITIONED
from gland_assets.core.requests import PASSING
from gland_assets.core.state import PartitionMeta
from gland_assets.io.index import Index, clock

if TYPE_CHECKING:
    import pyarrow as pa

    from gland_assets.io.parquet import Columns

SUFFIX = ".parquet"
EMPTY = "_empty"
"""Stem of the typed file without rows that the live views start from: no slug has an underscore."""

ALL = "all"
"""What stands for the discipline in the one file of an unpartitioned asset."""

INDEX = "partitions.json"


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
        from gland_assets.io.parquet import read_meta  # pyarrow alone takes as long as many a command

        try:
            return read_meta(self.path(asset, discipline))
        except FileNotFoundError:
            return None

    def metas(self) -> dict[tuple[str, str], PartitionMeta]:
        """(asset, discipline) -> meta over all assets, in order of name. Damaged files are left out and stand in `damaged`."""
        found: dict[tuple[str, str], PartitionMeta] = {}
        self.damaged = {}
        index = Index(self.warehouse / INDEX)
        for asset in (*PARTITIONED, *GIVEN, "duplicates"):
            told = {discipline: state and index.meta(asset, discipline, state) for discipline, state in self._stored(asset)}
            now = clock(self.warehouse / asset) if None in told.values() else 0
            for discipline, meta in told.items():
                meta = meta or self._read(asset, discipline, index, now)
                if meta is not None:
                    found[asset, discipline] = meta
        index.save()
        return found

    def _read(self, asset: str, discipline: str, index: Index, now: int) -> PartitionMeta | None:
        state = _state(self.path(asset, discipline))  # after the clock, before the footer
        try:
            meta = self.meta(asset, discipline)
        except DamagedPartition as error:
            self.damaged[asset, discipline] = error
            return None
        if meta and state:
            index.keep(asset, discipline, state, now, meta)
        return meta

    def rows(self, asset: str, discipline: str, first: int | None = None) -> list[dict[str, Any]]:
        """The partition's rows, or its `first` few, as nested plain values in order. Raises WarehouseError when it has not been made."""
        from gland_assets.io.parquet import read_rows

        with _made(path := self.path(asset, discipline)):
            return read_rows(path, first)

    def asked(self, asset: str, discipline: str) -> list[dict[str, Any]]:
        """The rows that a model was asked for: all but the imported ones, which stand last and may be a million. Raises as `rows`."""
        meta = self.meta(asset, discipline)
        return self.rows(asset, discipline, meta.rows + meta.failed - meta.imported if meta and meta.imported else None)

    def columns(self, asset: str, discipline: str, names: Sequence[str]) -> pa.Table:
        """Some columns of the partition's rows, in order. Raises as `rows`."""
        with self.opened(asset, discipline) as held:
            return held.read(*names)

    def opened(self, asset: str, discipline: str) -> Columns:
        """The partition's columns, of which the context reads some and perhaps others later. Raises as `rows`."""
        from gland_assets.io.parquet import Columns

        with _made(path := self.path(asset, discipline)):
            return Columns(path)

    def failed(self, asset: str, discipline: str) -> set[str]:
        """The rows that stand as failed though some provider answered; none of a partition that cannot be read or was not made."""
        try:
            found = self.columns(asset, discipline, ["failure"])["failure"].drop_null().to_pylist()
        except WarehouseError:
            return set()
        return {failure["row_id"] for failure in found if failure["cause"] not in PASSING}

    def refuse_damaged(self, assets: Iterable[str], disciplines: Iterable[str]) -> None:
        """Raise DamagedPartition, which names the file, when rows of one of these cannot be read."""
        slugs = tuple(disciplines)
        for asset in assets:
            for slug in slugs:
                if self.path(asset, slug).exists():
                    self.rows(asset, slug)

    def write(self, asset: str, discipline: str, rows: Sequence[Mapping[str, Any]] | pa.Table, meta: PartitionMeta) -> PartitionMeta:
        """Replace the partition in one move and return its meta as stored: rows and failed counted, written_at and stamp
        set where they were not. A table has the columns stored of `asset`.

        Raises WarehouseError when the file cannot be written; the partition that stood before then still stands.
        """
        from gland_assets.io.parquet import as_table, write_partition

        table = as_table(asset, rows) if isinstance(rows, Sequence) else rows
        failed = len(table) - table["failure"].null_count if "failure" in table.column_names else 0
        stamped = replace(
            meta, rows=len(table) - failed, failed=failed, stamp=meta.stamp or uuid4().hex, written_at=meta.written_at or datetime.now(UTC)
        )  # fmt: skip
        write_partition(self.path(asset, discipline), table, stamped)
        return stamped

    def stored(self, asset: str) -> list[str]:
        """The disciplines that have a file, in order of name."""
        return [discipline for discipline, _ in self._stored(asset)]

    def _stored(self, asset: str) -> list[tuple[str, os.stat_result | None]]:
        """The disciplines that have a file, in order of name, each with what the system says of the file."""
        found = []
        with suppress(FileNotFoundError, NotADirectoryError), os.scandir(self.warehouse / asset) as entries:
            for entry in entries:
                if entry.name.endswith(SUFFIX) and entry.name != f"{EMPTY}{SUFFIX}":
                    found.append((entry.name.removesuffix(SUFFIX), _state(entry)))
        return sorted(found)


@contextmanager
def _made(path: Path) -> Iterator[None]:
    """A partition file that is not there, as a level that has not been made."""
    try:
        yield
    except FileNotFoundError as error:
        raise WarehouseError(f"{path} has not been made; run `gland build -d {path.stem}`") from error


def _state(file: Path | os.DirEntry[str]) -> os.stat_result | None:
    """What the system says of a file; None when it says nothing: reading it will show why."""
    try:
        return file.stat()
    except OSError:
        return None
