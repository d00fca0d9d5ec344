"""The layout of gland.duckdb: our tables, comments, view and notes made anew when something of ours is missing or other than declared."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import duckdb

from gland_assets.core.errors import WarehouseError
from gland_assets.core.hashing import digest
from gland_assets.core.tables import TABLES, VIEWS, Table
from gland_assets.io.live import comments
from gland_assets.io.sql import query

META = "gland_meta"
"""The schema of our own notes: what was published, by stamp."""

_OURS: tuple[Table, ...] = (*TABLES.values(), *VIEWS.values())

LAYOUT = digest([asdict(table) for table in _OURS], [query(f"views/{name}") for name in VIEWS])
"""Stamp of the layout: an older one in the file is replaced."""

_NOTES = f"""
create schema if not exists {META};
create or replace table {META}.parts(kind text, name text, stamp text);
create or replace table {META}.tables(name text, rows bigint);
comment on table {META}.parts is 'one row a part of the warehouse as it was last published';
comment on table {META}.tables is 'one row a published table, with the rows it then held';
"""


def create_table(table: Table) -> str:
    """The statement that makes an empty published table."""
    columns = [f"{column.name} {column.type}" for column in table.columns]
    if table.key:
        columns[0] += " primary key"
    return f"create table {table.name}({', '.join(columns)});"


def refuse_foreign(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Raise WarehouseError when a table or view of somebody else's has the name of one of ours."""
    noted = connection.execute("select count(*) from duckdb_tables() where schema_name = ? and table_name = 'tables'", [META]).fetchone()
    ours = {name for (name,) in connection.execute(f"select name from {META}.tables").fetchall()} if noted and noted[0] else set()
    meanings = {table.name: table.meaning for table in _OURS}
    for name, (kind, comment) in _existing(connection).items():
        if not ours and name in meanings and comment != meanings[name]:
            raise WarehouseError(f"{path} holds a {kind} '{name}' that gland did not make; rename it there, then run `gland publish`")


def needs_laying_out(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether a table, column, key or row count of ours is missing or other than it was published."""
    try:
        stamp = connection.execute(f"select stamp from {META}.parts where kind = 'layout'").fetchone()
        counts = dict(connection.execute(f"select name, rows from {META}.tables").fetchall())
        if stamp != (LAYOUT,):
            return True
        for name in TABLES:
            if connection.execute(f"select count(*) from {name}").fetchone() != (counts.get(name),):
                return True
        return any(_altered(connection, table) for table in _OURS)
    except duckdb.Error:
        return True


def lay_out(connection: duckdb.DuckDBPyConnection) -> None:
    """Drop what is ours and make it anew, empty, with every comment."""
    for name, (kind, _) in _existing(connection).items():
        connection.execute(f"drop {kind} {name}")
    for table in TABLES.values():
        connection.execute("\n".join([create_table(table), *comments("table", table)]))
    for view in VIEWS.values():
        connection.execute(f"create view {view.name} as\n{query(f'views/{view.name}')}")
        connection.execute("\n".join(comments("view", view)))
    connection.execute(_NOTES)


def _existing(connection: duckdb.DuckDBPyConnection) -> dict[str, tuple[str, str | None]]:
    """Name -> (kind, comment) of what stands under our tables' names in the file."""
    found = connection.execute(
        "select view_name, 'view', comment from duckdb_views() where database_name = current_database() and schema_name = 'main' "
        "union all "
        "select table_name, 'table', comment from duckdb_tables() where database_name = current_database() and schema_name = 'main'"
    ).fetchall()  # fmt: skip
    names = {table.name for table in _OURS}
    return {name: (kind, comment) for name, kind, comment in found if name in names}


def _altered(connection: duckdb.DuckDBPyConnection, table: Table) -> bool:
    """Whether a declared column is missing or of another type. Columns that people added do no harm."""
    wanted = ", ".join(f"null::{column.type} as {column.name}" for column in table.columns)
    names = ", ".join(table.column_names)
    types = connection.execute(f"describe select {names} from {table.name}").fetchall()
    declared = connection.execute(f"describe select {wanted}").fetchall()
    return [row[:2] for row in types] != [row[:2] for row in declared]
