"""Open the project's SQLite files, which many processes and people write at once, and say what is wrong with them.

synchronous is FULL: in WAL mode NORMAL leaves the last commits to the operating system, and a power cut would lose replies that were paid
for.
"""

from __future__ import annotations

import os
import re
import sqlite3
import stat
import time
from collections.abc import Mapping
from pathlib import Path

from gland_assets.core.errors import WarehouseError

BUSY_SECONDS = 60.0  # how long a write waits for other processes' writes
WAL_POLL_S = 0.01
FAULTS = (sqlite3.Error, UnicodeDecodeError)
"""What reading a file may raise: an error that quotes a damaged file is no text itself."""

LEDGER = "ledger.sqlite"  # all in it stands elsewhere too


def connect(
    path: Path, ddl: str, version: int, busy_seconds: float = BUSY_SECONDS, upgrades: Mapping[int, str] | None = None
) -> sqlite3.Connection:
    """A connection in WAL mode, autocommit, its tables made by `ddl` where they are not there yet. Raises WarehouseError.

    `upgrades[n]` is what to do before, in a file of a layout older than n: changes of tables that are there.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=busy_seconds, isolation_level=None, check_same_thread=False)
        give_to_group(path)
    except (OSError, sqlite3.Error) as error:
        raise explained(path, error) from None
    try:
        _prepare(path, connection, ddl, version, upgrades or {}, busy_seconds)
    except FAULTS as error:
        connection.close()
        raise explained(path, error) from None
    except WarehouseError:
        connection.close()
        raise
    return connection


def give_to_group(path: Path) -> None:
    """Lets those write a new file who may write into its folder, whatever the umask: its -wal and -shm take their mode from it."""
    made = path.stat()
    if not made.st_size and made.st_uid == os.geteuid() and path.parent.stat().st_mode & stat.S_IWGRP:
        path.chmod(stat.S_IMODE(made.st_mode) | stat.S_IRGRP | stat.S_IWGRP)


def _prepare(
    path: Path, connection: sqlite3.Connection, ddl: str, version: int, upgrades: Mapping[int, str], busy_seconds: float
) -> None:  # fmt: skip
    found = known_layout(path, connection, version)
    _use_wal(connection, busy_seconds)
    connection.execute("pragma synchronous = full")
    if found < version:
        connection.execute("begin immediate")
        try:
            found = known_layout(path, connection, version)  # another process may have laid it out while this one waited
            for script in [*(upgrades.get(layout, "") for layout in range(found + 1, version + 1) if found), ddl]:
                for statement in script.split(";"):
                    connection.execute(statement)
            connection.execute(f"pragma user_version = {version}")
            connection.execute("commit")
        except BaseException:
            if connection.in_transaction:
                connection.execute("rollback")
            raise
    standing = {name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")}
    gone = [name for name in re.findall(r"create table if not exists (\w+)", ddl) if name not in standing]
    if gone:
        raise damaged(path, f"its table {gone[0]} is gone")


def _use_wal(connection: sqlite3.Connection, busy_seconds: float) -> None:
    """SQLite does not wait for others before it changes a file's journal, as it does everywhere else: several open a new file at once."""
    deadline = time.monotonic() + busy_seconds
    while True:
        try:
            if connection.execute("pragma journal_mode").fetchone()[0] != "wal":
                connection.execute("pragma journal_mode = wal")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() >= deadline:
                raise
        time.sleep(WAL_POLL_S)


def known_layout(path: Path, connection: sqlite3.Connection, version: int) -> int:
    """The layout a file is in; raises WarehouseError when it is newer than `version`."""
    found = int(connection.execute("pragma user_version").fetchone()[0])
    if found > version:
        raise WarehouseError(f"{path} was written by a newer GLAND (layout {found}, here {version}); upgrade with `pip install -U gland`")
    return found


def damaged(path: Path, what: str) -> WarehouseError:
    """What to do about a file that does not hold what it held."""
    what = " ".join(what.partition(" with text ")[0].split())[:100]  # an error may quote a whole reply
    if path.name == LEDGER:
        return WarehouseError(
            f"{path} is damaged ({what}); move it away with its -wal and -shm files and run again: it is restored from the folder "
            f"{path.stem}/ and the stored replies"
        )
    return WarehouseError(
        f"{path} is damaged ({what}), and it holds replies that were paid for; put a copy of it back, or run `gland salvage`, which saves "
        "what can be read and keeps the damaged file"
    )


def explained(path: Path, error: Exception) -> WarehouseError:
    """An SQLite or disk error as what happened to `path` and what to do."""
    said = str(error)
    low = said.lower()
    if "locked" in low or "busy" in low:
        return WarehouseError(f"{path} stays locked by another process; see that none hangs, then run again")
    if any(sign in low for sign in ("not a database", "malformed", "corrupt", "no such table", "no such column", "decode")):
        return damaged(path, said)
    if "full" in low or "disk i/o" in low:
        return WarehouseError(f"{path}: the disk is full or fails ({said}); make room and run again: what was stored stays")
    if "readonly" in low:
        return WarehouseError(f"{path} cannot be written ({said}); give write access to it and its folder, then run again")
    return WarehouseError(f"{path} cannot be read or written ({said}); check that its folder exists and that you may write there")
