"""Looking things up in the live views: by id, by the beginning of an id, at random."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gland_assets.core.errors import GlandError

if TYPE_CHECKING:
    import duckdb

PREFIX = re.compile(r"[0-9a-f]{6,32}")
"""What may be the beginning of an id."""

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Found:
    """Something with an id: its kind, id and discipline."""

    kind: str
    id: str
    discipline: str


def rows(connection: duckdb.DuckDBPyConnection, name: str, *values: object) -> list[Row]:
    """The rows of the packaged query `show/<name>`, by column name."""
    from gland_assets.io.live import steady
    from gland_assets.io.sql import query

    found = steady(lambda: connection.execute(query(f"show/{name}"), list(values)))
    names = [column[0] for column in found.description or ()]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def candidates(connection: duckdb.DuckDBPyConnection, prefix: str) -> list[Found]:
    """The things whose id begins with `prefix`, at most 20."""
    return [Found(row["kind"], row["id"], row["discipline"]) for row in rows(connection, "find", prefix)]


def find(connection: duckdb.DuckDBPyConnection, prefix: str) -> Found:
    """The one thing whose id begins with `prefix`. Raises GlandError when there is none, or several."""
    found = candidates(connection, prefix)
    if not found:
        raise GlandError(f"no row has an id that begins with {prefix}; `gland show` shows a few, `gland sql` finds others")
    if len(found) > 1:
        listed = "\n".join(f"  {each.id}  {each.kind} in {each.discipline}" for each in found)
        raise GlandError(f"several rows have an id that begins with {prefix}; give more of it:\n{listed}")
    return found[0]


def pairs(connection: duckdb.DuckDBPyConnection, ids: Sequence[str]) -> list[Row]:
    """Questions with their answers and all they come from, in the order of `ids`."""
    return rows(connection, "pairs", list(ids))


def random_ids(connection: duckdb.DuckDBPyConnection, count: int, seed: int) -> list[str]:
    """Ids of `count` kept questions, the same for the same seed and the same dataset."""
    return [row["id"] for row in rows(connection, "random", count, seed)]
