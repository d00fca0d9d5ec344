"""Locks between processes that the kernel releases when their holder dies: one a discipline, while it is made."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
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
        if not _stands(path, descriptor):  # taken away meanwhile, with the discipline: whoever comes next locks another file
            os.close(descriptor)
            return None
    except OSError as error:
        os.close(descriptor)
        if error.errno in (errno.EAGAIN, errno.EACCES):
            return None
        raise WarehouseError(f"{path} cannot be locked: {error.strerror}; put the warehouse on a disk that has file locks") from error
    with suppress(OSError):  # a full disk: who holds it is a help, not the lock itself
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return descriptor


def _stands(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def is_locked(path: Path) -> bool:
    """Whether somebody holds `path` just now."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:  # nobody has locked it yet, or whoever tries to will say what is wrong
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


@contextmanager
def locked(path: Path, what: str, stop: Callable[[], bool] | None = None) -> Iterator[None]:
    """Hold `path`, which stands for `what`, alone, waiting for whoever holds it. Raises Stopped when `stop()` says so while it waits."""
    while (descriptor := try_lock(path)) is None:
        if stop is not None and stop():
            raise Stopped(f"stopped while waiting for {what}, which {_holder(path)} holds")
        time.sleep(POLL_S)
    try:
        yield
    finally:
        os.close(descriptor)


@contextmanager
def discipline_lock(warehouse: Path, slug: str, stop: Callable[[], bool] | None = None) -> Iterator[None]:
    """Hold the discipline alone, as `locked`."""
    with locked(lock_path(warehouse, slug), slug, stop):
        yield


def holder(warehouse: Path, slug: str) -> str:
    """Who last locked the discipline, as far as the system tells: `process 123 (gland build)`."""
    return _holder(lock_path(warehouse, slug))


def _holder(path: Path) -> str:
    try:
        pid = int(path.read_text())
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
