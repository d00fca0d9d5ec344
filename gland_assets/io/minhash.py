"""Near duplicates over all disciplines, and the MinHash index minhash.duckdb that they rest on, kept by discipline.

The index holds what was compared and what came of it, and changes in one transaction: whatever cuts a build off, it agrees with itself,
and the next build looks again from what has changed since. Where it is held by somebody or cannot be written, all is compared anew from the
partitions, which comes to the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import duckdb
import numpy as np
import pyarrow as pa

from gland_assets.core.errors import DamagedDatabase, DamagedPartition, WarehouseError
from gland_assets.core.hashing import canonical
from gland_assets.core.levels import RECIPE_VERSION, REFERENCE
from gland_assets.core.near import LOOKED_AT
from gland_assets.core.plan import Metas, dedup_fingerprint, dedup_recipe
from gland_assets.core.project import Project
from gland_assets.core.records import CONTENT, Duplicate
from gland_assets.core.shares import SoughtBands
from gland_assets.core.state import PartitionMeta
from gland_assets.core.texts import UInt32s, UInt64s
from gland_assets.io.compared import COMPARED, made_from, signed_as, stored_rows, view_compared
from gland_assets.io.database import WAIT_S, opened_to_read, opened_to_write, refused, stands
from gland_assets.io.live import steady
from gland_assets.io.outcomes import TABLES, duplicates_of, full, holders, settle_all, settle_changed, sign_off
from gland_assets.io.partitions import ALL, Partitions
from gland_assets.io.parts import attached, write_empties
from gland_assets.io.sql import query
from gland_assets.io.table_hash import table_hash
from gland_assets.io.texts import StoredTexts, is_reference

INDEX = "minhash.duckdb"
NO_KEYS: UInt64s = np.empty(0, dtype=np.uint64)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Indexed:
    """What an update of the index did: disciplines whose rows were looked at again, and disciplines whose rows dropped out."""

    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


def compute_duplicates(project: Project, partitions: Partitions, build_id: str = "") -> PartitionMeta:
    """Bring duplicates/all.parquet up to date with what is stored of the COMPARED assets and of references; returns at once when it is.

    Disciplines that stand as they were when minhash.duckdb was last brought up to date, which this does too, are not compared again.
    Raises WarehouseError when a partition cannot be read or the file cannot be written.
    """
    metas = partitions.metas()
    wanted = dedup_fingerprint(project, metas)
    known = metas.get(("duplicates", ALL))
    if known is not None and known.fingerprint == wanted:
        return known
    try:
        found = _mended(partitions.warehouse / INDEX, partial(_found, project, partitions, metas))
    except DamagedPartition:
        raise
    except WarehouseError:  # `update_index` says what is wrong with it
        with closing(duckdb.connect()) as connection:
            found = _brought(connection, project, partitions, metas)
    content = table_hash(found.select(CONTENT[Duplicate]))
    made_by = canonical(dedup_recipe(project))
    return partitions.write(
        "duplicates", ALL, found, PartitionMeta("duplicates", ALL, wanted, content, made_by, usd="0", build_id=build_id)
    )


def update_index(project: Project, warehouse: Path, wait_s: float = WAIT_S) -> Indexed:
    """Bring minhash.duckdb up to date with the partitions, changed disciplines alone, in one transaction.

    One that is damaged, or laid out otherwise, is made anew. Its tables are described in outcomes.TABLES; the view `bands` has one row a
    band key of a question: band, key, question_id, discipline.
    Raises WarehouseBusy when another process still holds the file after `wait_s` seconds, WarehouseError when it cannot be written.
    """
    return _mended(warehouse / INDEX, lambda path: _update(project, Partitions(warehouse), path, wait_s))


def indexed_rows(warehouse: Path) -> dict[str, int]:
    """Discipline -> rows that minhash.duckdb holds of it. Raises as `update_index`."""
    path = warehouse / INDEX
    if not path.exists():
        return {}
    with opened_to_read(path) as connection:
        if not _laid_out(connection):
            return {}
        return dict(connection.execute("select discipline, count(*) from signed group by all").fetchall())


def drop_from_index(warehouse: Path, slugs: Iterable[str]) -> None:
    """Take the rows of disciplines out of minhash.duckdb, in one transaction. Raises as `update_index`."""
    path, gone = warehouse / INDEX, list(slugs)
    with opened_to_write(path) as connection:
        try:
            connection.execute("begin transaction")
            # What their rows have kept out is not known without them: all is compared anew.
            connection.execute("update parts set rule = null")
            for table in ("parts", "signed"):
                connection.execute(f"delete from {table} where list_contains(?::text[], discipline)", [gone])
            connection.execute("commit")
        except duckdb.Error as error:
            raise refused(path, error) from error


def candidates(warehouse: Path, keys: UInt32s, wait_s: float = WAIT_S) -> list[tuple[str, str]]:
    """Questions and references that have some of these band keys, one a band, each as (id, discipline), those with most of them first.

    None where there is no index yet. Raises as `update_index`.
    """
    path = warehouse / INDEX
    if not stands(path):
        return []
    with opened_to_read(path, wait_s) as connection:
        if not _laid_out(connection):
            return []
        numbers, counts = np.unique(holders(connection, SoughtBands(keys, np.arange(len(keys))))[0], return_counts=True)
        connection.register("sharing", pa.table({"number": pa.array(numbers), "bands": pa.array(counts)}))
        return connection.execute(query("minhash/candidates")).fetchall()


def full_buckets(project: Project, warehouse: Path, wait_s: float = WAIT_S) -> UInt64s:
    """The keys, in order, of buckets in which more rows were kept than are looked at: later ones were not compared with all of them.

    Raises as `update_index`.
    """
    path = warehouse / INDEX
    if not stands(path):
        return NO_KEYS
    with opened_to_read(path, wait_s) as connection:
        return full(connection, project.dedup) if _laid_out(connection) else NO_KEYS


def _mended(path: Path, use: Callable[[Path], T]) -> T:
    """What `use` gives of the index, which is made anew where it is damaged."""
    try:
        return use(path)
    except DamagedDatabase:  # all in it comes from the partitions
        for file in (path, path.with_name(f"{path.name}.wal")):
            file.unlink(missing_ok=True)
        return use(path)


def _found(project: Project, partitions: Partitions, metas: Metas, path: Path) -> pa.Table:
    stands(path)  # removes one that was cut off while it was made
    with opened_to_write(path) as connection:
        return _brought(connection, project, partitions, metas)


def _brought(connection: duckdb.DuckDBPyConnection, project: Project, partitions: Partitions, metas: Metas) -> pa.Table:
    try:
        _bring(connection, project, partitions, metas)
        return duplicates_of(connection)
    except duckdb.Error as error:
        raise refused(partitions.warehouse / INDEX, error) from error


def _update(project: Project, partitions: Partitions, path: Path, wait_s: float) -> Indexed:
    metas = partitions.metas()
    if stands(path):
        with opened_to_read(path, wait_s) as connection:
            if _differences(connection, project, metas) == Indexed():
                return Indexed()
    with opened_to_write(path, wait_s) as connection:
        try:
            return _bring(connection, project, partitions, metas)
        except duckdb.Error as error:
            raise refused(path, error) from error


def _laid_out(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the tables are those of this version."""
    try:
        for name, columns in TABLES.items():
            connection.execute(f"select {', '.join(column.split()[0] for column in columns.split(', '))} from {name} limit 0")
        return True
    except duckdb.Error:
        return False


def _differences(connection: duckdb.DuckDBPyConnection, project: Project, metas: Metas) -> Indexed | None:
    """What has to be looked at again; None when everything has."""
    if not _laid_out(connection):
        return None
    rows = connection.execute("select discipline, made_from, rule from parts").fetchall()
    if {rule for _, _, rule in rows} != {_rule(project)}:
        return None
    known = {slug: by for slug, by, _ in rows}
    wanted = made_from(project, metas)
    changed = tuple(slug for slug, by in wanted.items() if known.get(slug) != by)
    return Indexed(changed, tuple(sorted(known.keys() - wanted.keys())))


def _rule(project: Project) -> str:
    """What decides how rows are compared. Where it has changed, all are compared anew."""
    settings = asdict(project.dedup)
    del settings["rate"]  # of a check alone
    return canonical({**dedup_recipe(project), **settings, "looked_at": LOOKED_AT, "signatures": RECIPE_VERSION["signatures"]})


def _bring(connection: duckdb.DuckDBPyConnection, project: Project, partitions: Partitions, metas: Metas) -> Indexed:
    """Bring the index up to date in one transaction."""
    pending, wanted = _differences(connection, project, metas), made_from(project, metas)
    if pending == Indexed():
        return pending
    stamps = {slug: metas[signed_as(slug)].stamp for slug in wanted}
    write_empties(partitions.warehouse)
    connection.execute("set threads = 1")  # with more, the same takes more CPU seconds and hardly less time
    texts_of = partial(StoredTexts, partitions, project.dedup.over)
    with attached(connection, project):
        if pending is not None:
            rows = _read(connection, partitions, metas, pending.changed)
            connection.execute("begin transaction")
            if settle_changed(connection, [*pending.changed, *pending.removed], rows, texts_of, project.dedup):
                sign_off(connection, stamps, wanted, _rule(project))
                connection.execute("commit")
                return pending
            connection.execute("rollback")
        rows = _read(connection, partitions, metas, wanted)
        connection.execute("begin transaction")
        settle_all(connection, rows, texts_of, project.dedup)
        sign_off(connection, stamps, wanted, _rule(project))
        connection.execute("commit")
    return pending or Indexed(tuple(wanted))


def _read(connection: duckdb.DuckDBPyConnection, partitions: Partitions, metas: Metas, slugs: Iterable[str]) -> pa.Table:
    wanted = list(slugs)
    view_compared(connection, partitions, metas, wanted)
    try:
        return steady(partial(stored_rows, connection))
    except duckdb.Error:  # of a partition, and not of the index
        partitions.refuse_damaged(COMPARED, wanted)
        partitions.refuse_damaged(["reference_signatures"], [slug.removeprefix(REFERENCE) for slug in wanted if is_reference(slug)])
        raise
