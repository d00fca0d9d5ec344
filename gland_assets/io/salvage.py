"""A damaged response store: every reply that can still be read goes into a new file, and the damaged one is kept beside it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from gland_assets.core.errors import WarehouseError
from gland_assets.io.sqlite import connect
from gland_assets.io.store_layout import DDL, LAYOUT
from gland_assets.io.store_rows import every_row


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
        for row in every_row(old):
            if row.values is None:
                lost += 1
            else:
                names, places = ", ".join(row.values), ", ".join("?" * len(row.values))
                new.execute(f"insert or ignore into responses({names}) values ({places})", tuple(row.values.values()))
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


def _free(path: Path) -> Path:
    number, found = 1, path
    while found.exists():
        number += 1
        found = path.with_name(f"{path.name}-{number}")
    return found


def _remove(path: Path) -> None:
    for tail in ("", "-wal", "-shm"):
        path.with_name(path.name + tail).unlink(missing_ok=True)
