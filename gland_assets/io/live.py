"""Live views: the published tables' names over the partition files, for any DuckDB session, at any moment, without a lock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import duckdb

from gland_assets.core.project import Project
from gland_assets.core.tables import TABLES, VIEWS, Table
from gland_assets.io.database import refused
from gland_assets.io.durable import write_text
from gland_assets.io.parquet import write_parquet
from gland_assets.io.partitions import SUFFIX
from gland_assets.io.parts import PARTS, live_part_views, load, read_afresh, taxonomy_table, write_empties
from gland_assets.io.sql import as_pattern, files_list, literal, query

LIVE_SQL = "live.sql"

_OPENING = """\
-- Views of gland's tables over its partition files. Rewritten at each build; run it in any DuckDB session: .read live.sql
-- While a build runs, the levels of one discipline may be out of step. `requests` keeps what disciplines since removed have cost.
"""

TRIES = 3
_TORN = (duckdb.Error, duckdb.InvalidInputException, duckdb.IOException)
T = TypeVar("T")

_ORDER = (
    "fields", "subfields", "subjects", "syllabi", "sessions", "key_concepts", "question_concepts", "answers", "signatures", "duplicates",
    "contamination", "benchmarks", "questions", "prompts", "builds", "requests", "failures", "disciplines",
)  # fmt: skip
"""The tables in an order in which each finds those its query reads."""


def table_query(table: Table) -> str:
    """The query that gives a table's rows from the stored ones."""
    return query(f"tables/{table.name}")


def comments(kind: str, table: Table) -> Iterator[str]:
    """The statements that write a table's and its columns' meanings into the database."""
    yield f"comment on {kind} {table.name} is {literal(table.meaning)};"
    for column in table.columns:
        yield f"comment on column {table.name}.{column.name} is {literal(column.meaning)};"


def live_sql(warehouse: Path) -> str:
    """The text of live.sql, with absolute paths in it."""
    tree = files_list(as_pattern(_taxonomy_path(warehouse)))
    taxonomy = f"create or replace view {PARTS}.taxonomy as select * from read_parquet({tree}, hive_partitioning = false);"
    return _OPENING + "\n".join([f"create schema if not exists {PARTS};", taxonomy, *_statements(warehouse)]) + "\n"


def write_live(project: Project, warehouse: Path) -> Path:
    """Write live.sql and the small files its views need; returns its path. Raises WarehouseError when that cannot be."""
    write_empties(warehouse)
    write_parquet(_taxonomy_path(warehouse), taxonomy_table(project))
    path = warehouse / LIVE_SQL
    write_text(path, live_sql(warehouse))
    return path


def connect_live(project: Project, warehouse: Path) -> duckdb.DuckDBPyConnection:
    """An in-memory connection with the live views of `project` as it is declared now, in UTC. Takes no lock on anything.

    Raises WarehouseError when the warehouse cannot be read.
    """
    write_empties(warehouse)
    connection = duckdb.connect()
    try:
        read_afresh(connection)
        connection.execute("set timezone = 'UTC'")
        connection.execute(f"create schema {PARTS}")
        load(connection, "taxonomy", taxonomy_table(project))
        connection.execute("\n".join(_statements(warehouse)))
    except duckdb.Error as error:
        connection.close()
        raise refused(warehouse, error) from error
    return connection


def steady(read: Callable[[], T]) -> T:
    """What `read` gives from the live views, read again when a partition was replaced under it.

    DuckDB opens a file once for its footer and again for its rows: replaced between the two, it shows itself as an error of decoding.
    """
    for _ in range(TRIES - 1):
        try:
            return read()
        except duckdb.Error as error:
            if type(error) not in _TORN:
                raise
    return read()


def _statements(warehouse: Path) -> list[str]:
    said = live_part_views(warehouse)
    for name in _ORDER:
        said.append(f"create or replace view {name} as\n{table_query(TABLES[name])};")
    for view in VIEWS:
        said.append(f"create or replace view {view.name} as\n{query(f'views/{view.name}')};")
    for table in (*TABLES.values(), *VIEWS):
        said += comments("view", table)
    return said


def _taxonomy_path(warehouse: Path) -> Path:
    return warehouse / "live" / f"taxonomy{SUFFIX}"
