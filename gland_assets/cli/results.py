"""The rows of a query: as a table to read, as CSV, or as JSON."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from gland_assets.cli import render

if TYPE_CHECKING:
    import duckdb

MOST_ROWS = 200  # a table to read shows
BATCH = 2_000  # rows fetched at a time
WIDEST = 200  # characters of one value in a table that no terminal bounds
NUMBERS = ("INT", "DECIMAL", "DOUBLE", "FLOAT", "HUGEINT", "BIGINT")


def write(found: duckdb.DuckDBPyConnection, format: Literal["table", "json", "csv"]) -> None:
    """Print the rows of an executed query."""
    names = [column[0] for column in found.description or ()]
    if format == "json":
        _write_json(found, _unlike(names))
    elif format == "csv":
        _write_csv(found, names)
    else:
        types = [str(column[1]) for column in found.description or ()]
        _write_table(found, names, types)


def _batches(found: duckdb.DuckDBPyConnection) -> Iterator[Sequence[tuple[Any, ...]]]:
    while rows := found.fetchmany(BATCH):
        yield rows


def _write_json(found: duckdb.DuckDBPyConnection, names: Sequence[str]) -> None:
    """One array of objects, a row a line, as it comes."""
    before = "["
    for rows in _batches(found):
        for row in rows:
            value = dict(zip(names, map(_plain, row), strict=True))
            sys.stdout.write(f"{before}{json.dumps(value, ensure_ascii=False, allow_nan=False)}")
            before = ",\n"
    sys.stdout.write("[]\n" if before == "[" else "]\n")
    sys.stdout.flush()


def _unlike(names: Sequence[str]) -> list[str]:
    """Column names made different from one another, as DuckDB does it: `n`, `n_1`."""
    seen: dict[str, int] = {}
    unlike = []
    for name in names:
        again = seen.get(name, 0)
        seen[name] = again + 1
        unlike.append(f"{name}_{again}" if again else name)
    return unlike


def _plain(value: Any) -> Any:
    """A value as JSON carries it."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, float):
        return value if value - value == 0 else None  # neither nan nor infinity
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    return value if value is None or isinstance(value, str | int | bool) else str(value)


def _write_csv(found: duckdb.DuckDBPyConnection, names: Sequence[str]) -> None:
    lines = csv.writer(_Lines())
    lines.writerow(names)
    for rows in _batches(found):
        lines.writerows([_cell_csv(value) for value in row] for row in rows)
    sys.stdout.flush()


class _Lines:
    """Ends lines in the way of this system. The writer itself ends them with both characters, so that it quotes values with either."""

    def write(self, line: str) -> int:
        return sys.stdout.write(line.removesuffix("\r\n") + "\n")


def _cell_csv(value: Any) -> Any:
    if isinstance(value, list | tuple | dict):
        return json.dumps(_plain(value), ensure_ascii=False)
    return f"{value:f}" if isinstance(value, Decimal) else _plain(value) if isinstance(value, datetime | date | time | timedelta) else value


def _write_table(found: duckdb.DuckDBPyConnection, names: Sequence[str], types: Sequence[str]) -> None:
    rows = found.fetchmany(MOST_ROWS + 1)
    console = render.out()
    table = render.headed([])
    for name, type in zip(names, types, strict=True):
        number = type.upper().startswith(NUMBERS) or type == "NUMBER"
        table.add_column(name, justify="right" if number else "left", no_wrap=True, overflow="ellipsis")
    bound = min(console.width, WIDEST)
    cells = [[_cell(value) for value in row] for row in rows[:MOST_ROWS]]
    for row in cells:
        table.add_row(*(render.cut(value, bound) for value in row))
    console.print(table)
    if len(rows) > MOST_ROWS:
        render.remark(f"the first {MOST_ROWS} rows; --format csv or json prints all")
    else:
        render.remark(render.several(len(rows), "row"))
    if render.measured(console, table) > console.width or any(len(value) > bound for row in cells for value in row):
        render.remark("long values are cut; --format csv or json prints them whole")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.1f}"
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, list | tuple):
        return ", ".join(map(_cell, value))
    return str(value)
