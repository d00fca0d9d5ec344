"""Locks between processes that the kernel releases when their holder dies: one a discipline, while it is made."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from gland_assets.core.errors import Stopped, WarehouseError

POLL_S = 0.1


def lock_path(warehouse: Path, slug: str) -> Path:
    """The file whose lock stands for the discipline. It stays when the lock is released."""
    return warehouse / "locks" / f"{slug}.lock"


def try_lock(path: Path) -> int | None:
    """Lock `path` now: an open descriptor, whose closing releases the lock, or None when another holds it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise WarehouseError(f"{path} cannot be opened: {error.strerror}; give write access to the warehouse") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    except OSError as error:
        os.close(descriptor)
        if error.errno in (errno.EAGAIN, errno.EACCES):
            return None
        raise WarehouseError(f"{path} cannot be locked: {error.strerror}; put the warehouse on a disk that has file locks") from error
    return descriptor


@contextmanager
def discipline_lock(warehouse: Path, slug: str, stop: Callable[[], bool] | None = None, poll_s: float = POLL_S) -> Iterator[None]:
    """Hold the discipline alone, waiting for whoever holds it. Raises Stopped when `stop()` says so while it waits."""
    path = lock_path(warehouse, slug)
    while (descriptor := try_lock(path)) is None:
        if stop is not None and stop():
            raise Stopped(f"stopped while waiting for {slug}, which {holder(warehouse, slug)} is making")
        time.sleep(poll_s)
    try:
        yield
    finally:
        os.close(descriptor)


def holder(warehouse: Path, slug: str) -> str:
    """Who last locked the discipline, as far as the system tells: `process 123 (gland build)`."""
    try:
        pid = int(lock_path(warehouse, slug).read_text())
    except (OSError, ValueError):
        return "another process"
    return describe_process(pid)


def describe_process(pid: int) -> str:
    """`process 123 (its command)`, the command cut to 120 characters."""
    import psutil

    try:
        command = " ".join(psutil.Process(pid).cmdline())
    except psutil.Error:
        command = ""
    return f"process {pid} ({command[:120]})" if command else f"process {pid}"
