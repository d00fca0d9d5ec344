"""Near duplicates over all disciplines, and the MinHash index minhash.duckdb that they rest on, kept by discipline.

The index holds what was compared and what came of it, and changes in one transaction: whatever cuts a build off, it agrees with itself,
and the next build looks again from what has changed since. Where it is held by somebody or cannot be written, all is compared anew from the
partitions, which comes to the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import duckdb

from gland_assets.core.dedup import find_duplicates
from gland_assets.core.errors import DamagedDatabase, WarehouseError
from gland_assets.core.hashing import canonical
from gland_assets.core.plan import Metas, dedup_fingerprint, dedup_recipe
from gland_assets.core.project import Project
from gland_assets.core.recipes import content_hash
from gland_assets.core.records import Duplicate, to_row
from gland_assets.core.state import PartitionMeta
from gland_assets.io.database import WAIT_S, opened_to_read, opened_to_write, refused, stands
from gland_assets.io.live import steady
from gland_assets.io.outcomes import (
    COMPARED,
    OUTCOME,
    compared,
    entries,
    made_from,
    note_changed,
    settle_all,
    settle_changed,
    sign_off,
    view_compared,
)
from gland_assets.io.partitions import ALL, Partitions
from gland_assets.io.parts import PARTS, attached, load, read_afresh, taxonomy_table, write_empties
from gland_assets.io.sql import query

INDEX = "minhash.duckdb"

_SIGNED = {
    "parts": "discipline text, stamp text",
    "signatures": "question_id text, discipline text, text_hash text, signature uinteger[]",
    "bands": "band integer, key ubigint, question_id text, discipline text",
}
_TABLES = _SIGNED | OUTCOME
T = TypeVar("T")


def compute_duplicates(project: Project, partitions: Partitions, build_id: str = "") -> PartitionMeta:
    """Bring duplicates/all.parquet up to date with the stored signatures and answers; returns at once when it is.

    Disciplines that stand as they were when minhash.duckdb was last brought up to date, which this does too, are not compared again.
    Raises WarehouseError when a partition cannot be read or the file cannot be written.
    """
    metas = partitions.metas()
    wanted = dedup_fingerprint(project, metas)
    known = metas.get(("duplicates", ALL))
    if known is not None and known.fingerprint == wanted:
        return known
    try:
        found = _mended(partitions.warehouse / INDEX, lambda path: _from_index(project, partitions, metas, path))
    except WarehouseError:  # `update_index` says what is wrong with it
        found = _from_partitions(project, partitions, metas)
    made_by = canonical(dedup_recipe(project))
    meta = PartitionMeta("duplicates", ALL, wanted, content_hash(found), made_by, usd="0", build_id=build_id)
    return partitions.write("duplicates", ALL, [to_row(row) for row in found], meta)


def _from_index(project: Project, partitions: Partitions, metas: Metas, path: Path) -> list[Duplicate]:
    stands(path)  # removes one that was cut off while it was made
    write_empties(partitions.warehouse)
    with opened_to_write(path) as connection:
        try:
            _replace(connection, project, partitions, metas)
            return [Duplicate(*row) for row in connection.execute("from duplicates order by question_id").fetchall()]
        except duckdb.Error as error:
            raise refused(path, error) from error


def _from_partitions(project: Project, partitions: Partitions, metas: Metas) -> list[Duplicate]:
    write_empties(partitions.warehouse)
    slugs = [slug for slug in project.index() if ("signatures", slug) in metas]
    with closing(duckdb.connect()) as connection:
        read_afresh(connection)
        connection.execute(f"create schema {PARTS}")
        load(connection, "taxonomy", taxonomy_table(project))
        view_compared(connection, partitions, metas, slugs)
        try:
            rows = steady(lambda: connection.execute(query("minhash/entries")).to_arrow_table())
        except duckdb.Error as error:
            partitions.refuse_damaged(COMPARED, slugs)
            raise refused(partitions.warehouse, error) from error
    return find_duplicates(entries(rows), project.dedup)


@dataclass(frozen=True, slots=True)
class Indexed:
    """What an update of the index did: disciplines whose rows were replaced, and disciplines whose rows dropped out."""

    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


def update_index(project: Project, warehouse: Path, wait_s: float = WAIT_S) -> Indexed:
    """Bring minhash.duckdb up to date with the partitions, changed disciplines alone, in one transaction.

    A damaged index is made anew.
    Tables: signatures(question_id, discipline, text_hash, signature uinteger[]), bands(band, key ubigint, question_id, discipline); and
    what was compared, publishable(question_id, discipline, text_hash), with what came of it, duplicates, as they are published.
    Raises WarehouseBusy when another process still holds the file after `wait_s` seconds, WarehouseError when it cannot be written.
    """
    return _mended(warehouse / INDEX, lambda path: _update(project, Partitions(warehouse), path, wait_s))


def _mended(path: Path, use: Callable[[Path], T]) -> T:
    """What `use` gives of the index, which is made anew where it is damaged."""
    try:
        return use(path)
    except DamagedDatabase:  # all in it comes from the partitions
        for file in (path, path.with_name(f"{path.name}.wal")):
            file.unlink(missing_ok=True)
        return use(path)


def _update(project: Project, partitions: Partitions, path: Path, wait_s: float) -> Indexed:
    metas = partitions.metas()
    if stands(path):
        with opened_to_read(path, wait_s) as connection:
            indexed = _indexed(connection)
            known = compared(connection, project) if indexed is not None else {}
            if _differences(indexed or {}, project, partitions, metas) == Indexed() and known == made_from(project, metas):
                return Indexed()
    write_empties(partitions.warehouse)
    with opened_to_write(path, wait_s) as connection:
        try:
            return _replace(connection, project, partitions, metas)
        except duckdb.Error as error:
            raise refused(path, error) from error


def indexed_rows(warehouse: Path) -> dict[str, int]:
    """Discipline -> signatures that minhash.duckdb holds of it. Raises as `update_index`."""
    path = warehouse / INDEX
    if not path.exists():
        return {}
    with opened_to_read(path) as connection:
        if _indexed(connection) is None:
            return {}
        return dict(connection.execute("select discipline, count(*) from signatures group by all").fetchall())


def drop_from_index(warehouse: Path, slugs: Iterable[str]) -> None:
    """Take the rows of disciplines out of minhash.duckdb, in one transaction. Raises as `update_index`."""
    path, gone = warehouse / INDEX, list(slugs)
    with opened_to_write(path) as connection:
        try:
            connection.execute("begin transaction")
            if connection.execute("from compared where list_contains(?::text[], discipline)", [gone]).fetchone():
                connection.execute("delete from compared")  # what their rows have kept out is not known without them: all is compared anew
            for name in _TABLES:
                connection.execute(f"delete from {name} where list_contains(?::text[], discipline)", [gone])
            connection.execute("commit")
        except duckdb.Error as error:
            raise refused(path, error) from error


def _differences(indexed: dict[str, str], project: Project, partitions: Partitions, metas: Metas) -> Indexed:
    """`partitions` is where `metas` come from. What is damaged stays as it was indexed, though it is not compared."""
    stamps = _stamps(project, metas)
    unreadable = {slug for asset, slug in partitions.damaged if asset == "signatures"}
    changed = tuple(slug for slug, stamp in stamps.items() if indexed.get(slug) != stamp)
    return Indexed(changed, tuple(sorted(indexed.keys() - stamps.keys() - unreadable)))


def _stamps(project: Project, metas: Metas) -> dict[str, str]:
    return {slug: metas["signatures", slug].stamp for slug in project.index() if ("signatures", slug) in metas}


def _indexed(connection: duckdb.DuckDBPyConnection) -> dict[str, str] | None:
    """Discipline -> stamp it was indexed by; None when the index has to be laid out."""
    try:
        for name, columns in _TABLES.items():
            connection.execute(f"select {', '.join(column.split()[0] for column in columns.split(', '))} from {name} limit 0")
        return dict(connection.execute("select discipline, stamp from parts").fetchall())
    except duckdb.Error:
        return None


def _replace(connection: duckdb.DuckDBPyConnection, project: Project, partitions: Partitions, metas: Metas) -> Indexed:
    indexed = _indexed(connection)
    pending = _differences(indexed or {}, project, partitions, metas)
    known = compared(connection, project) if indexed is not None else {}
    wanted = made_from(project, metas)
    late = {slug: by for slug, by in wanted.items() if known.get(slug) != by}
    touched = sorted(late.keys() | (known.keys() - wanted.keys()))
    with _told(partitions, late), attached(connection, project):
        view_compared(connection, partitions, metas, list(late))
        changed = note_changed(connection, touched) if known else []
        connection.execute("begin transaction")
        if indexed is None:
            for name, columns in _TABLES.items():
                connection.execute(f"create or replace table {name}({columns})")
        _replace_signed(connection, pending, _stamps(project, metas))
        if known:
            settle_changed(connection, partitions, touched, changed, project.dedup)
        else:
            settle_all(connection, project.dedup)
        sign_off(connection, project, late)
        connection.execute("commit")
    return pending


@contextmanager
def _told(partitions: Partitions, slugs: Iterable[str]) -> Iterator[None]:
    """What DuckDB says of a partition that it cannot read, as a damaged partition and not as a damaged index."""
    try:
        yield
    except duckdb.Error:
        partitions.refuse_damaged(COMPARED, slugs)
        raise


def _replace_signed(connection: duckdb.DuckDBPyConnection, pending: Indexed, stamps: dict[str, str]) -> None:
    mine = "list_contains(?::text[], discipline)"
    for name in _SIGNED:
        connection.execute(f"delete from {name} where {mine}", [[*pending.changed, *pending.removed]])
    changed = list(pending.changed)
    connection.execute(
        f"insert into signatures select question_id, discipline, text_hash, signature from {PARTS}.signatures where {mine}", [changed]
    )
    connection.execute(f"insert into bands from ({query('minhash/bands')}) where {mine}", [changed])
    connection.execute("insert into parts select unnest(?::text[]), unnest(?::text[])", [changed, [stamps[slug] for slug in changed]])
