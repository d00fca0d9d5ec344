"""Whether a response store is whole: the file, its indexes, every row in it, and every reply that the project has on record as paid for."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from gland_assets.io.ledger import Ledger
from gland_assets.io.sqlite import FAULTS, explained, known_layout
from gland_assets.io.store_layout import LAYOUT
from gland_assets.io.store_rows import Row, every_row

NAMED = 20  # of each kind of damage that are listed; the others are counted
ALIVE = 1_000_000  # instructions of SQLite's between two signs of life: some tens of milliseconds
KEYS = 500  # looked up in one query

Told = Callable[[str, float], None]
"""Hears what is being read, and the part of it that is done, from 0 to 1; negative where that is not known."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found. Of rows and keys the first are named; of each kind, all are counted."""

    replies: int  # that can be read
    file: tuple[str, ...]  # what SQLite finds wrong with the file and its indexes
    damaged: tuple[Row, ...]
    rows_damaged: int
    lost: tuple[str, ...]  # keys of requests on record as paid for whose replies are not there
    keys_lost: int

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.file or self.rows_damaged or self.keys_lost)


def verify(path: Path, ledger: Ledger, told: Told = lambda what, done: None) -> Verdict:
    """Reads all of a store, and of the ledger the keys that were paid for. Changes nothing.

    Raises WarehouseError when the file cannot be opened at all, was written by a newer GLAND, or the ledger cannot be read.
    """
    if not path.exists():
        lost, many = _first(_lost(None, ledger, told))
        return Verdict(0, (), (), 0, tuple(lost), many)
    try:
        with closing(sqlite3.connect(path)) as connection:
            try:
                known_layout(path, connection, LAYOUT)
                file = _file(connection, told)
            except FAULTS as error:
                if "locked" in str(error) or "unable to open" in str(error):
                    raise
                return Verdict(0, (f"{error}",), (), 0, (), 0)
            replies, damaged, count = _rows(connection, told)
            # A damaged index would call replies lost that are there.
            lost, many = ([], 0) if file else _first(_lost(connection, ledger, told))
    except sqlite3.Error as error:
        raise explained(path, error) from None
    return Verdict(replies, file, tuple(damaged), count, tuple(lost), many)


def _file(connection: sqlite3.Connection, told: Told) -> tuple[str, ...]:
    """What SQLite says: of pages as its quick_check, and whether each index agrees with the rows."""
    connection.set_progress_handler(lambda: told("the file", -1.0), ALIVE)
    try:
        said = [line for (line,) in connection.execute(f"pragma integrity_check({NAMED})")]
    finally:
        connection.set_progress_handler(None, 0)
    tables = [name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")]
    gone = [] if "responses" in tables else ["its table responses is gone"]
    return (*gone, *(line for line in said if line != "ok"))


def _rows(connection: sqlite3.Connection, told: Told) -> tuple[int, list[Row], int]:
    """How many replies can be read, and the rows with something wrong."""
    replies, damaged, count = 0, [], 0
    try:
        last = connection.execute("select max(rowid) from responses").fetchone()[0] or 1
    except FAULTS:
        last = 0
    for row in every_row(connection):
        replies += row.values is not None
        if row.why:
            count += 1
            damaged += [row] if count <= NAMED else []
        if not row.number % KEYS:
            told("replies", min(1.0, row.number / last) if last else -1.0)
    return replies, damaged, count


def _lost(connection: sqlite3.Connection | None, ledger: Ledger, told: Told) -> Iterator[str]:
    """The keys of the ledger's requests whose replies are not in the store; those that were pruned have other keys."""
    if not ledger.path.exists():
        return
    with ledger.reading() as paid:
        last = paid.execute("select max(number) from requests").fetchone()[0] or 1
        for start in range(0, last, KEYS):
            query = "select request_key from requests where number > ? and number <= ? and instr(request_key, '-') = 0"
            keys = [key for (key,) in paid.execute(query, (start, start + KEYS))]
            places = ", ".join("?" * len(keys))
            there = connection.execute(f"select request_key from responses where request_key in ({places})", keys) if connection else ()
            yield from sorted(set(keys) - {key for (key,) in there})
            told("the ledger", min(1.0, (start + KEYS) / last))


def _first(keys: Iterator[str]) -> tuple[list[str], int]:
    found, count = [], 0
    for key in keys:
        count += 1
        found += [key] if count <= NAMED else []
    return found, count
