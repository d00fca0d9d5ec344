"""A DuckDB file opened for writing through dagster-duckdb's resource: a short bounded wait, the holder named, always closed."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from gland_assets.core.errors import DamagedDatabase, Stopped, WarehouseBusy, WarehouseError
from gland_assets.io.locks import describe_process, locked

if TYPE_CHECKING:
    from dagster_duckdb import DuckDBResource

WAIT_S = 3.0
"""How long another process may hold the file before it counts as busy: longer than a query, shorter than a session."""

POLL_S = 0.1

HEAD_BYTES = 3 * 4096
"""What DuckDB writes first into a new file."""

_DAMAGE = re.compile("not a valid DuckDB|[Cc]orrupt|checksum|Could not read enough bytes|replaying WAL|[Dd]eserializ|INTERNAL Error")
_REFUSAL = re.compile("No space left|Could not write|Permission denied|Read-only file system|File too large")

# Threads of one process share DuckDB's instance of a file, and with it attached names and whether it is read-only.
_ONE_AT_A_TIME = threading.Lock()

_HOLDER = re.compile(r"held in (?P<command>.+?) \(PID (?P<pid>\d+)\)")


def duckdb_resource(path: Path) -> DuckDBResource:
    """dagster-duckdb's resource for the file at `path`."""
    from dagster_duckdb import DuckDBResource  # here, for it imports dagster: over a second

    return DuckDBResource(database=str(path))


@contextmanager
def opened(resource: DuckDBResource, wait_s: float = WAIT_S, stop: Callable[[], bool] | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """A writing connection from `resource`, closed whatever happens in the body.

    Raises WarehouseBusy when another process still holds the file after `wait_s` seconds, and WarehouseError when it cannot be opened.
    """
    path = Path(resource.database)
    config = {"custom_user_agent": "dagster", **resource.connection_config}
    # The resource alone would try for 100 s. Held open here first, the file is ours already when the resource connects.
    with _in_turn(path, stop), closing(_claimed(path, wait_s, stop, config=config)), resource.get_connection() as connection:
        try:
            yield connection
        finally:  # the resource leaves it open when the body raises
            connection.close()


@contextmanager
def opened_to_read(path: Path, wait_s: float = WAIT_S) -> Iterator[duckdb.DuckDBPyConnection]:
    """A read-only connection, beside which other processes may read too. Raises as `opened`."""
    with _in_turn(path, None), closing(_claimed(path, wait_s, None, read_only=True)) as connection:
        yield connection


@contextmanager
def opened_to_write(path: Path, wait_s: float = WAIT_S) -> Iterator[duckdb.DuckDBPyConnection]:
    """A writing connection without the resource, and so without Dagster: for files that hold nothing published. Raises as `opened`."""
    with _in_turn(path, None), closing(_claimed(path, wait_s, None)) as connection:
        yield connection


@contextmanager
def _in_turn(path: Path, stop: Callable[[], bool] | None) -> Iterator[None]:
    """One GLAND process after the other, as long as it takes: the bounded wait is for others, who may hold the file for hours."""
    with _ONE_AT_A_TIME, locked(path.parent / "locks" / f"_{path.name}.lock", path.name, stop):
        yield


def _claimed(path: Path, wait_s: float, stop: Callable[[], bool] | None, **how: Any) -> duckdb.DuckDBPyConnection:
    deadline = time.monotonic() + wait_s
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return duckdb.connect(str(path), **how)
        except duckdb.IOException as error:
            if "Could not set lock" not in str(error):
                raise refused(path, error) from error
            if stop is not None and stop():
                raise Stopped(f"stopped while waiting for {path}") from error
            if time.monotonic() >= deadline:
                raise WarehouseBusy(str(path), _holder(str(error))) from error
        except (duckdb.Error, OSError) as error:
            raise refused(path, error) from error
        time.sleep(POLL_S)


def _holder(message: str) -> str:
    found = _HOLDER.search(message)
    if found is None:
        return "another process"
    said = describe_process(int(found["pid"]))
    return said if "(" in said else f"{said} ({found['command']})"


def stands(path: Path) -> bool:
    """Whether there is a database. One whose making was cut off before it could hold anything is removed."""
    if not _unborn(path):
        return path.exists()
    time.sleep(POLL_S)  # another process may be about to write its head
    if _unborn(path):
        path.unlink(missing_ok=True)
    return path.exists()


def _unborn(path: Path) -> bool:
    try:
        with open(path, "rb") as file:
            head = file.read(HEAD_BYTES)
        written_ahead = path.with_name(f"{path.name}.wal")
        return len(head) < HEAD_BYTES and head[8:12] in (b"DUCK", b"") and not (written_ahead.exists() and written_ahead.stat().st_size)
    except OSError:
        return False


def refused(path: Path, error: Exception) -> WarehouseError:
    """What is told when DuckDB refuses a file that nobody holds."""
    reason = str(error).splitlines()[0]
    if _DAMAGE.search(str(error)) and not _REFUSAL.search(str(error)):
        return DamagedDatabase(
            f"{path} is damaged: {reason}; move the file away and run `gland publish`, which makes it again. Tables of your own that were "
            "in it have to come from a copy"
        )
    return WarehouseError(f"{path} cannot be used: {reason}; free space, give write access, or move the file away and run `gland publish`")
