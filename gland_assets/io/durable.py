"""Files that are replaced in one move: written under a temporary name, fsynced, renamed. A reader finds the old or the new one, whole.

A writer holds a lock on its temporary file, which the kernel releases when it dies: so what a killed one left is told apart and removed.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from gland_assets.core.errors import WarehouseError

PART = ".part"


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file to write that takes the place of `path` when the body ends, and vanishes when the body raises.

    Raises WarehouseError when the system refuses; what stood at `path` then still stands.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _held(path) as file:
            temporary = Path(file.name)
            try:
                yield file
                file.flush()
                os.fsync(file.fileno())
                # Rename, not write in place: a reader that is mid-scan keeps the old file.
                os.replace(temporary, path)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
        _sync_folder(path.parent)
    except OSError as error:
        raise WarehouseError(
            f"{path} cannot be written: {error.strerror or error}; free space or give write access there, then run the same command again"
        ) from error


def write_text(path: Path, text: str) -> None:
    """Replace a UTF-8 text file. Raises as `replacing`."""
    with replacing(path) as file:
        file.write(text.encode("utf-8"))


def sweep(warehouse: Path) -> int:
    """Remove the temporary files of writers that were killed, in `warehouse` and the folders in it; those being written stay. How many."""
    removed = 0
    for left in (*warehouse.glob(f".*{PART}"), *warehouse.glob(f"*/.*{PART}")):
        with suppress(OSError), open(left, "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            left.unlink()
            removed += 1
    return removed


def _held(path: Path) -> BinaryIO:
    """A new temporary file beside `path`, locked. Another name when it was swept away before the lock was taken."""
    while True:
        temporary = path.with_name(f".{path.name}.{uuid4().hex}{PART}")
        file = open(temporary, "xb")  # noqa: SIM115  the caller closes it
        with suppress(OSError):  # a disk without locks: nothing is swept there either
            fcntl.flock(file, fcntl.LOCK_EX)
        if temporary.exists():
            return file
        file.close()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
