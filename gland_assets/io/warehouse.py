"""Publication: gland.duckdb brought up to date in place, in one short transaction that replaces the changed disciplines' rows alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from gland_assets.core.project import Project
from gland_assets.core.tables import TABLES, Table
from gland_assets.io.database import WAIT_S, duckdb_resource, opened, opened_to_read, refused, stands
from gland_assets.io.layout import META, lay_out, needs_laying_out, refuse_foreign
from gland_assets.io.live import steady, table_query
from gland_assets.io.partitions import ALL, Partitions
from gland_assets.io.parts import (
    GENERATED,
    PARTS,
    attached,
    ledger_table,
    load,
    view_ledger,
    view_partitions,
    write_empties,
)
from gland_assets.io.sql import query
from gland_assets.io.stamps import Pending, Recorded, Stamps, differences, read_stamps
from gland_assets.io.stored_schemas import LEDGER

if TYPE_CHECKING:
    from dagster_duckdb import DuckDBResource

BY_DISCIPLINE = (
    "subjects", "syllabi", "sessions", "key_concepts", "questions", "question_concepts", "answers", "signatures",
    "contamination", "benchmarks", "failures",
)  # fmt: skip
"""The tables whose rows are replaced discipline by discipline."""

PUBLISHED = "gland.duckdb"


@dataclass(frozen=True, slots=True)
class Published:
    """What a publication did. `changed` and `removed` are disciplines; `skipped` says that nothing had changed."""

    rows: Mapping[str, int]  # table -> rows it holds now
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    skipped: bool = False


def publish(
    project: Project, warehouse: Path, resource: DuckDBResource | None = None, wait_s: float = WAIT_S,
    stop: Callable[[], bool] | None = None,
) -> Published:  # fmt: skip
    """Bring the DuckDB file of `resource`, by default gland.duckdb, up to date with `warehouse`; people's own tables are left alone.

    Either all of it is published or nothing is. A discipline with a damaged partition stays as it was last published.
    Raises WarehouseBusy when another process still holds the file after `wait_s` seconds, WarehouseError when it cannot be written.
    """
    write_empties(warehouse)
    path = Path(resource.database) if resource else warehouse / PUBLISHED
    stamps = read_stamps(project, warehouse)
    unchanged = _unchanged(path, stamps, wait_s)
    if unchanged is not None:
        return unchanged
    resource = resource or duckdb_resource(path)
    with opened(resource, wait_s, stop) as connection, attached(connection, project):
        refuse_foreign(connection, path)
        try:
            return steady(lambda: _transact_or_lay_out(connection, warehouse, stamps))
        except duckdb.Error as error:
            Partitions(warehouse).refuse_damaged(GENERATED, stamps.disciplines)
            raise refused(path, error) from error


def _unchanged(path: Path, stamps: Stamps, wait_s: float) -> Published | None:
    """The published state when it is up to date. Asked read-only, so that readers need not make way for nothing."""
    if not stands(path):
        return None
    with opened_to_read(path, wait_s) as connection:
        try:
            if needs_laying_out(connection):
                return None
            return Published(_counts(connection), skipped=True) if differences(_recorded(connection), stamps) is None else None
        except duckdb.Error:
            return None


def unpublished(project: Project, warehouse: Path, wait_s: float = 0.0) -> Pending | None:
    """What a publication would bring in or take out now; None when nothing. The ledger's records, which every run adds to, do not count.

    The file is opened only where it changed since the last look, so that looking often keeps nobody out of it. Raises as `publish`.
    """
    stamps = replace(read_stamps(project, warehouse), ledger={})
    path = warehouse / PUBLISHED
    recorded = _last_published(path, wait_s, _changed_at(path), _changed_at(path.with_name(f"{PUBLISHED}.wal"))) if path.exists() else {}
    if not recorded and not stamps.disciplines:
        return None
    return differences({part: stamp for part, stamp in recorded.items() if part[0] != "ledger"}, stamps)


def _changed_at(path: Path) -> tuple[int, int, int]:
    try:
        state = path.stat()
    except FileNotFoundError:
        return 0, 0, 0
    return state.st_mtime_ns, state.st_size, state.st_ino


@lru_cache(maxsize=4)
def _last_published(path: Path, wait_s: float, *_: tuple[int, int, int]) -> Recorded:
    with opened_to_read(path, wait_s) as connection:
        try:
            return {} if needs_laying_out(connection) else _recorded(connection)
        except duckdb.Error:
            return {}


def _recorded(connection: duckdb.DuckDBPyConnection) -> Recorded:
    return {(kind, name): stamp for kind, name, stamp in connection.execute(f"select kind, name, stamp from {META}.parts").fetchall()}


def _of_ledger(recorded: Recorded) -> dict[str, str]:
    return {name: stamp for (kind, name), stamp in recorded.items() if kind == "ledger"}


def _name_sources(connection: duckdb.DuckDBPyConnection, warehouse: Path, stamps: Stamps, pending: Pending) -> None:
    """Name exactly the stored rows that are to be published."""
    partitions = Partitions(warehouse)
    for asset in GENERATED:
        view_partitions(connection, partitions, asset, pending.changed)
    view_partitions(connection, partitions, "duplicates", [ALL] if stamps.duplicates else [])
    exported = [warehouse / "ledger" / name for name in stamps.ledger]
    for table in LEDGER:
        view_ledger(connection, warehouse, table, [path for path in exported if ledger_table(path) == table])
    touched = sorted({*pending.changed, *pending.removed})
    load(connection, "touched", pa.table({"discipline": pa.array(touched, pa.string())}))


def _transact_or_lay_out(connection: duckdb.DuckDBPyConnection, warehouse: Path, stamps: Stamps) -> Published:
    try:
        return _transact(connection, warehouse, stamps, needs_laying_out(connection))
    except (duckdb.CatalogException, duckdb.BinderException, duckdb.ConstraintException):
        # Something of ours was altered in a way that only its use shows.
        return _transact(connection, warehouse, stamps, anew=True)


def _transact(connection: duckdb.DuckDBPyConnection, warehouse: Path, stamps: Stamps, anew: bool) -> Published:
    recorded = {} if anew else _recorded(connection)
    pending = differences(recorded, stamps)
    if pending is None:  # another process published while this one waited
        return Published(_counts(connection), skipped=True)
    _name_sources(connection, warehouse, stamps, pending)
    connection.execute("begin transaction")
    try:
        if anew:
            lay_out(connection)
        _replace_disciplines(connection)
        if stamps.duplicates is not None:
            _replace_differing(connection, TABLES["duplicates"], query("publish/duplicates"))
        connection.execute(query("publish/statuses"))
        paid = LEDGER if _of_ledger(recorded) != stamps.ledger else ()
        for name in (*paid, "fields", "subfields", "disciplines"):
            _replace_differing(connection, TABLES[name], table_query(TABLES[name]))
        kept = {part: stamp for part, stamp in recorded.items() if part[0] == "discipline" and part[1] in stamps.unreadable}
        _record(connection, stamps.parts() | kept)
        counts = _counts(connection)
        connection.execute("commit")
    except BaseException:
        with suppress(duckdb.TransactionException):  # when DuckDB has ended it already
            connection.execute("rollback")
        raise
    return Published(counts, pending.changed, pending.removed)


def _replace_disciplines(connection: duckdb.DuckDBPyConnection) -> None:
    touched = f"(select discipline from {PARTS}.touched)"
    for name in BY_DISCIPLINE:
        connection.execute(f"delete from {name} where discipline in {touched}")
    for name in BY_DISCIPLINE:
        _insert(connection, TABLES[name], table_query(TABLES[name]))


def _insert(connection: duckdb.DuckDBPyConnection, table: Table, rows: str) -> None:
    columns = ", ".join(table.column_names)
    connection.execute(f"insert into {table.name} ({columns}) select {columns} from (\n{rows}\n)")


def _replace_differing(connection: duckdb.DuckDBPyConnection, table: Table, rows: str) -> None:
    """Make a table hold what `rows` gives, touching only the rows that differ; its first column tells rows apart."""
    names, key = ", ".join(table.column_names), table.columns[0].name
    typed = ", ".join(f"{column.name}::{column.type} as {column.name}" for column in table.columns)
    connection.execute(f"create or replace temp table gland_wanted as select {typed} from (\n{rows}\n)")
    connection.execute(f"create or replace temp table gland_fresh as from gland_wanted except select {names} from {table.name}")
    connection.execute(
        f"delete from {table.name} where {key} in (select {key} from gland_fresh) or {key} not in (select {key} from gland_wanted)"
    )
    connection.execute(f"insert into {table.name} ({names}) select {names} from gland_fresh")


def _record(connection: duckdb.DuckDBPyConnection, parts: Recorded) -> None:
    rows = pa.table({
        "kind": [kind for kind, _ in parts], "name": [name for _, name in parts], "stamp": list(parts.values()),
    })  # fmt: skip
    connection.register("given_rows", rows)
    connection.execute(f"delete from {META}.parts")
    connection.execute(f"insert into {META}.parts (kind, name, stamp) select kind, name, stamp from given_rows")
    connection.unregister("given_rows")
    connection.execute(f"delete from {META}.tables")
    for name, count in _counts(connection).items():
        connection.execute(f"insert into {META}.tables (name, rows) values (?, ?)", [name, count])


def _counts(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    counts = " union all ".join(f"select '{table.name}', count(*) from {table.name}" for table in TABLES.values())
    return dict(connection.execute(counts).fetchall())
