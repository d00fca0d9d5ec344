"""A ledger that is gone, made again: from its exports, and for what came after them from the warehouse's own stored replies."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

from gland_assets.core.cost import to_nanos
from gland_assets.core.errors import DamagedPartition
from gland_assets.io.group_commits import GROUP
from gland_assets.io.ledger_layout import UNKNOWN
from gland_assets.io.sqlite import damaged

Write = tuple[str, tuple[Any, ...]]
"""A statement of the ledger by name, and its values."""

_BUILDS = "select build_id, min(sent_at), '', '' from responses group by build_id order by build_id"
_COLUMNS = f"""select request_key, build_id, discipline, stage, prompt_hash, deployment, model, prompt_tokens, cached_tokens,
  completion_tokens, usd, latency_s, attempts, {UNKNOWN}, sent_at from responses"""
_REQUESTS = f"{_COLUMNS} order by rowid"
LATEST = 5_000
_LATEST = f"{_COLUMNS} order by rowid desc limit {LATEST}"
_USD = 10  # the place of the price in both


def remains(exports: Path, store: Path) -> bool:
    """Whether there is anything to make a ledger from."""
    return store.exists() or any(exports.glob("*.parquet"))


def restore(connection: sqlite3.Connection, exports: Path, store: Path, write: Callable[[sqlite3.Connection, list[Write]], object]) -> int:
    """Fills a new ledger by `write` with what an earlier one left elsewhere, all of it or nothing. Returns how many requests it then holds.

    Of a build that only the stored replies tell of, version and end are not known, nor whether a reply was used.
    Raises sqlite3.Error, and WarehouseError when the stored replies cannot be read.
    """
    if not _empty(connection) or not remains(exports, store):
        return 0
    connection.execute("begin immediate")
    try:
        if not _empty(connection):  # another process has come first
            found = 0
        else:
            writes = _kept_elsewhere(exports, store)
            while some := list(islice(writes, GROUP)):
                write(connection, some)
            found = int(connection.execute("select count(*) from requests").fetchone()[0])
        connection.execute("commit")
    except BaseException:
        if connection.in_transaction:
            connection.execute("rollback")
        raise
    return found


def _empty(connection: sqlite3.Connection) -> bool:
    return bool(connection.execute("select not exists(select 1 from builds) and not exists(select 1 from requests)").fetchone()[0])


def _kept_elsewhere(exports: Path, store: Path) -> Iterator[Write]:
    """The exports, then the stored replies: what stands in both comes twice."""
    for row in _rows(exports / "builds.parquet"):
        yield "build", (row["build_id"], row["started_at"].isoformat(), row["gland_version"], row["taxonomy_hash"])
        yield "reused", (row["reused"], row["build_id"])
        if row["ended_at"]:
            yield "end", (row["ended_at"].isoformat(), row["outcome"], row["build_id"])
    for row in _rows(exports / "prompts.parquet"):
        yield "prompt", tuple(row.values())
    for path in sorted(exports.glob("requests-*.parquet")):
        for row in _rows(path):
            accepted = UNKNOWN if row["accepted"] is None else int(row["accepted"])
            values = row | {"accepted": accepted, "sent_at": row["sent_at"].isoformat()}
            yield "request", _in_nanos(tuple(values.values()))
    if store.exists():
        yield from _stored(store, ("build", _BUILDS), ("request", _REQUESTS))


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of one export; none when it is missing or damaged."""
    from gland_assets.io.parquet import read_rows  # here, for it imports pyarrow

    with suppress(FileNotFoundError, DamagedPartition):
        yield from read_rows(path)


def latest(store: Path) -> Iterator[Write]:
    """The latest stored replies, as the ledger would have them: a process that was killed may have stored some and not recorded them."""
    if store.exists():
        yield from _stored(store, ("request", _LATEST))


def _stored(path: Path, *queries: tuple[str, str]) -> Iterator[Write]:
    try:
        with closing(sqlite3.connect(path)) as connection:
            for statement, query in queries:
                for row in connection.execute(query):
                    yield statement, _in_nanos(row) if statement == "request" else row
    except (sqlite3.Error, ValueError, ArithmeticError) as error:
        raise damaged(path, str(error)) from None


def _in_nanos(values: tuple[Any, ...]) -> tuple[Any, ...]:
    usd = values[_USD]
    return (*values[:_USD], None if usd is None else to_nanos(Decimal(usd)), *values[_USD + 1 :])
