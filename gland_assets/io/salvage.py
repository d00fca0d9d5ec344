"""A damaged response store: every reply that can still be read goes into a new file, and the damaged one is kept beside it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gland_assets.core.errors import WarehouseError
from gland_assets.io.sqlite import FAULTS, connect
from gland_assets.io.store_layout import COLUMNS, DDL, LAYOUT, reply_of

END = 10_000
"""Rows in a row that are not there before the end of the table is taken to be reached: rows are numbered without gaps."""


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What became of a damaged store: replies saved, rows that could not be read, and where the damaged file is kept."""

    saved: int
    lost: int
    kept: Path


def salvage(path: Path) -> Salvaged:
    """Puts in the place of the store at `path` one with every reply in it that can be read.

    Raises WarehouseError when there is no file, or nothing in it can be read; it then stays as it is.
    """
    if not path.exists():
        raise WarehouseError(f"there is no {path} to save replies from")
    fresh = path.with_name(f"{path.name}.saved")
    _remove(fresh)
    lost = 0
    with closing(connect(fresh, DDL, LAYOUT)) as new, closing(sqlite3.connect(path)) as old:
        new.execute("begin")
        for row in _rows(path, old):
            if row is None:
                lost += 1
            else:
                names, places = ", ".join(row), ", ".join("?" * len(row))
                new.execute(f"insert or ignore into responses({names}) values ({places})", tuple(row.values()))
        new.execute("commit")
        saved = int(new.execute("select count(*) from responses").fetchone()[0])
    if not saved:
        _remove(fresh)
        raise WarehouseError(f"nothing in {path} can be read; put a copy of it back")
    kept = _free(path.with_name(f"{path.name}.damaged"))
    for tail in ("-wal", "-shm", ""):
        part = path.with_name(path.name + tail)
        if part.exists():
            part.rename(kept.with_name(kept.name + tail))
    fresh.rename(path)
    return Salvaged(saved, lost, kept)


def _rows(path: Path, old: sqlite3.Connection) -> Iterator[dict[str, Any] | None]:
    """Each row by column, None for one that cannot be read; asked for by number, so that a damaged page costs its own rows alone."""
    old.row_factory = sqlite3.Row
    number = missing = 0
    unread = 0  # since the last row that was found: those after the last one of all were never there
    while missing + unread < END:
        number += 1
        try:
            row = old.execute("select * from responses where rowid = ?", (number,)).fetchone()
            if row is None:
                missing += 1
                continue
            reply_of([row[name] for name in COLUMNS])
        except (*FAULTS, ValueError, TypeError, ArithmeticError, IndexError):
            unread += 1
            continue
        yield from [None] * unread
        missing = unread = 0
        yield dict(row)


def _free(path: Path) -> Path:
    number, found = 1, path
    while found.exists():
        number += 1
        found = path.with_name(f"{path.name}-{number}")
    return found


def _remove(path: Path) -> None:
    for tail in ("", "-wal", "-shm"):
        path.with_name(path.name + tail).unlink(missing_ok=True)
