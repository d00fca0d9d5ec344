"""`gland sql`: read-only queries over the live views; they work at any moment, also while a build runs."""

from __future__ import annotations

import re
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.text import Text

from gland_assets.cli import render, results
from gland_assets.cli.places import Places, places
from gland_assets.core.errors import GlandError
from gland_assets.core.tables import DATASET, TABLES, VIEWS

if TYPE_CHECKING:
    import duckdb

    from gland_assets.core.project import Project

READABLE = ("subjects", "syllabi", "questions", "answers", "signatures", "duplicates", "ledger")
"""The folders below the warehouse that the views read."""

EXPLAIN = re.compile(r"\s*explain\s+(analyze\s+)?(?!\()", re.IGNORECASE)


def sql(
    context: typer.Context,
    query: Annotated[str | None, typer.Argument(metavar='["QUERY"|NUMBER]', help="One query, or the number of a packaged one.")] = None,
    format: Annotated[Literal["table", "json", "csv"], typer.Option("--format", help="How rows are printed.")] = "table",
) -> None:
    """Query the tables as they stand now, read-only; without a query: the tables and ten useful queries."""
    here = places(context)
    project = here.project()
    with closing(connect(project, here)) as connection:
        if query is None:
            _overview(connection)
        else:
            _run(connection, _packaged(query) if query.strip().isdecimal() else query, format)


def connect(project: Project, here: Places) -> duckdb.DuckDBPyConnection:
    """The live views, on a connection that can reach nothing beyond the files they read."""
    from gland_assets.io.live import connect_live
    from gland_assets.io.sql import files_list

    connection = connect_live(project, here.warehouse)
    folders = files_list(*(f"{here.warehouse / name}/" for name in READABLE))
    connection.execute("set enable_progress_bar = false")  # it would be printed among the rows
    connection.execute("set python_enable_replacements = false")  # or a table's name could mean a variable of ours
    connection.execute(f"set allowed_directories = {folders}")
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")
    return connection


def _packaged(number: str) -> str:
    from gland_assets.io.sql import useful_questions

    packaged = list(useful_questions().values())
    if not 1 <= int(number) <= len(packaged):
        raise GlandError(f"there is no query {number}: they are numbered 1 to {len(packaged)}; `gland sql` lists them")
    return packaged[int(number) - 1]


def _run(connection: duckdb.DuckDBPyConnection, query: str, format: Literal["table", "json", "csv"]) -> None:
    import duckdb

    from gland_assets.io.live import steady

    try:
        refuse_writes(query)
        results.write(steady(lambda: connection.execute(query)), format)
    except duckdb.Error as error:
        said = str(error)
        hint = "this connection reads gland's own tables and no other file" if isinstance(error, duckdb.PermissionException) else (
            "`gland sql` lists the tables; `gland sql \"describe dataset\"` the columns of one"
        )  # fmt: skip
        raise GlandError(f"{said}\n{hint}") from None


def refuse_writes(query: str) -> None:
    """Raise GlandError unless `query` is one statement that only reads. duckdb.Error when it cannot be parsed."""
    import duckdb

    explained = EXPLAIN.match(query)
    statements = duckdb.extract_statements(query[explained.end() :] if explained else query)
    kinds = [statement.type for statement in statements]
    if not kinds:
        raise GlandError("there is no query in that; `gland sql` lists the tables and ten queries to begin with")
    if kinds == [duckdb.StatementType.CREATE, duckdb.StatementType.SELECT] and re.match(r"\s*pivot\b", query, re.IGNORECASE):
        return  # what DuckDB makes of one pivot
    if len(kinds) > 1:
        raise GlandError("one query at a time, please")
    if kinds != [duckdb.StatementType.SELECT]:
        raise GlandError(
            f"`gland sql` only reads, and this is {kinds[0].name.lower()}; "
            "for tables of your own open gland.duckdb in DuckDB: those are left alone by every publication"
        )


def _overview(connection: duckdb.DuckDBPyConnection) -> None:
    from gland_assets.io.sql import useful_questions

    counts = "\nunion all ".join(f"select '{table.name}', count(*) from {table.name}" for table in (*TABLES.values(), *VIEWS.values()))
    rows = dict(connection.execute(counts).fetchall())
    table = render.headed(["table", "rows", "meaning"], right=["rows"], whole=["table"])
    for each in (DATASET, *TABLES.values(), *(view for view in VIEWS.values() if view is not DATASET)):
        table.add_row(Text(each.name, "bold" if each is DATASET else ""), f"{rows[each.name]:,}", each.meaning)
    render.put(table)
    render.say()
    table = render.columns()
    for number, title in enumerate(useful_questions(), 1):
        table.add_row(f"gland sql {number}", title)
    render.put(table)
    render.say()
    render.say('gland sql "select …" runs a query of your own; --format csv or json prints all of it.')
