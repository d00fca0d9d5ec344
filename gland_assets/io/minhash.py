"""Near duplicates found from the stored signatures without a lock, and the MinHash index minhash.duckdb, kept by discipline."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from gland_assets.core.dedup import Entry, find_duplicates
from gland_assets.core.errors import DamagedDatabase
from gland_assets.core.hashing import canonical
from gland_assets.core.plan import Metas, dedup_fingerprint, dedup_recipe
from gland_assets.core.project import Project
from gland_assets.core.recipes import content_hash
from gland_assets.core.records import to_row
from gland_assets.core.state import PartitionMeta
from gland_assets.io.database import WAIT_S, duckdb_resource, opened, opened_to_read, opened_to_write, refused, stands
from gland_assets.io.live import steady
from gland_assets.io.partitions import ALL, Partitions
from gland_assets.io.parts import PARTS, attached, load, read_afresh, taxonomy_table, view_partitions, write_empties
from gland_assets.io.sql import query

if TYPE_CHECKING:
    from dagster_duckdb import DuckDBResource

INDEX = "minhash.duckdb"

COMPARED = ("signatures", "questions", "answers", "contamination")
"""The assets that say which questions are duplicates."""

_TABLES = {
    "parts": "discipline text, stamp text",
    "signatures": "question_id text, discipline text, text_hash text, signature uinteger[]",
    "bands": "band integer, key ubigint, question_id text, discipline text",
}


def compute_duplicates(project: Project, partitions: Partitions, build_id: str = "") -> PartitionMeta:
    """Bring duplicates/all.parquet up to date with what is stored of the COMPARED assets; returns at once when it is.

    Raises WarehouseError when a partition cannot be read or the file cannot be written.
    """
    metas = partitions.metas()
    wanted = dedup_fingerprint(project, metas)
    known = metas.get(("duplicates", ALL))
    if known is not None and known.fingerprint == wanted:
        return known
    found = find_duplicates(_entries(project, partitions, metas), project.dedup)
    made_by = canonical(dedup_recipe(project))
    meta = PartitionMeta("duplicates", ALL, wanted, content_hash(found), made_by, usd="0", build_id=build_id)
    return partitions.write("duplicates", ALL, [to_row(row) for row in found], meta)


def _entries(project: Project, partitions: Partitions, metas: Metas) -> Iterator[Entry]:
    """The publishable questions of the taxonomy, in order of id."""
    write_empties(partitions.warehouse)
    slugs = [slug for slug in project.index() if ("signatures", slug) in metas]
    with closing(duckdb.connect()) as connection:
        read_afresh(connection)
        connection.execute(f"create schema {PARTS}")
        load(connection, "taxonomy", taxonomy_table(project))
        for asset in COMPARED:
            view_partitions(connection, partitions, asset, [slug for slug in slugs if (asset, slug) in metas])
        try:
            rows = steady(lambda: connection.execute(query("minhash/entries")).to_arrow_table())
        except duckdb.Error as error:
            partitions.refuse_damaged(COMPARED, slugs)
            raise refused(partitions.warehouse, error) from error
    bands = rows["bands"].combine_chunks()
    offsets, keys = bands.offsets.to_numpy(), bands.values.to_numpy()
    columns = (rows[name].to_pylist() for name in ("question_id", "discipline", "text", "text_hash"))
    for index, (identity, discipline, text, text_hash) in enumerate(zip(*columns, strict=True)):
        yield Entry(identity, discipline, text, text_hash, keys[offsets[index] : offsets[index + 1]])


@dataclass(frozen=True, slots=True)
class Indexed:
    """What an update of the index did: disciplines whose rows were replaced, and disciplines whose rows dropped out."""

    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


def update_index(
    project: Project, warehouse: Path, resource: DuckDBResource | None = None, wait_s: float = WAIT_S,
    stop: Callable[[], bool] | None = None,
) -> Indexed:  # fmt: skip
    """Bring minhash.duckdb up to date with the signatures partitions, changed disciplines alone, in one transaction.

    A damaged index is made anew.
    Tables: signatures(question_id, discipline, text_hash, signature uinteger[]), bands(band, key ubigint, question_id, discipline).
    Raises WarehouseBusy when another process still holds the file after `wait_s` seconds, WarehouseError when it cannot be written.
    """
    path = Path(resource.database) if resource else warehouse / INDEX
    try:
        return _update(project, warehouse, path, resource, wait_s, stop)
    except DamagedDatabase:  # all in it comes from the partitions
        for file in (path, path.with_name(f"{path.name}.wal")):
            file.unlink(missing_ok=True)
        return _update(project, warehouse, path, resource, wait_s, stop)


def _update(
    project: Project, warehouse: Path, path: Path, resource: DuckDBResource | None, wait_s: float, stop: Callable[[], bool] | None
) -> Indexed:
    partitions = Partitions(warehouse)
    metas = partitions.metas()
    stamps = {slug: metas["signatures", slug].stamp for slug in project.index() if ("signatures", slug) in metas}
    unreadable = {slug for asset, slug in partitions.damaged if asset == "signatures"}
    if stands(path):
        with opened_to_read(path, wait_s) as connection:
            if _differences(_indexed(connection) or {}, stamps, unreadable) == Indexed():
                return Indexed()
    write_empties(warehouse)
    with opened(resource or duckdb_resource(path), wait_s, stop) as connection:
        try:
            return _replace(connection, project, partitions, stamps, unreadable)
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
    path = warehouse / INDEX
    with opened_to_write(path) as connection:
        try:
            connection.execute("begin transaction")
            for name in _TABLES:
                connection.execute(f"delete from {name} where list_contains(?::text[], discipline)", [list(slugs)])
            connection.execute("commit")
        except duckdb.Error as error:
            raise refused(path, error) from error


def _differences(indexed: dict[str, str], stamps: dict[str, str], unreadable: set[str]) -> Indexed:
    changed = tuple(slug for slug, stamp in stamps.items() if indexed.get(slug) != stamp)
    return Indexed(changed, tuple(sorted(indexed.keys() - stamps.keys() - unreadable)))


def _indexed(connection: duckdb.DuckDBPyConnection) -> dict[str, str] | None:
    """Discipline -> stamp it was indexed by; None when the index has to be laid out."""
    try:
        connection.execute("select question_id, discipline, text_hash, signature from signatures limit 0")
        connection.execute("select band, key, question_id, discipline from bands limit 0")
        return dict(connection.execute("select discipline, stamp from parts").fetchall())
    except duckdb.Error:
        return None


def _replace(
    connection: duckdb.DuckDBPyConnection, project: Project, partitions: Partitions, stamps: dict[str, str], unreadable: set[str]
) -> Indexed:
    indexed = _indexed(connection)
    pending = _differences(indexed or {}, stamps, unreadable)
    with attached(connection, project):
        view_partitions(connection, partitions, "signatures", pending.changed)
        connection.execute("begin transaction")
        if indexed is None:
            for name, columns in _TABLES.items():
                connection.execute(f"create or replace table {name}({columns})")
        touched = [*pending.changed, *pending.removed]
        for name in _TABLES:
            connection.execute(f"delete from {name} where list_contains(?::text[], discipline)", [touched])
        connection.execute(f"insert into signatures select question_id, discipline, text_hash, signature from {PARTS}.signatures")
        connection.execute(f"insert into bands {query('minhash/bands')}")
        noted = [list(pending.changed), [stamps[slug] for slug in pending.changed]]
        connection.execute("insert into parts select unnest(?::text[]), unnest(?::text[])", noted)
        connection.execute("commit")
    return pending
