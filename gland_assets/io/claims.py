"""Who is asking for which reply: nobody who shares a store, whatever the project, pays for one request while another does.

A claim is a lock on one byte of an empty file beside the store, at the place that the request's key names. The kernel gives it back when
its process ends, however it ends. Within a process, where the kernel's locks keep nobody out, the file's one object knows who has what.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from gland_assets.io.one_each import OneEach
from gland_assets.io.sqlite import explained, give_to_group

POLL_S, LONGEST_POLL_S = 0.02, 0.25
"""Between two looks whether a claim is free: sooner at first; later on, for a thousand may wait, and a reply takes its time."""

DIGITS = 15  # of a key's hex digits: a file has 2**63 places
TAKEN = (errno.EACCES, errno.EAGAIN)


class Claims:
    """The claims of one user of the store at `path` on requests."""

    def __init__(self, path: Path) -> None:
        self.path = path.with_name(f"{path.name}-asking")
        self._file: _File | None = None
        self._mine: set[int] = set()

    @asynccontextmanager
    async def claimed(self, key: str) -> AsyncIterator[None]:
        """While nobody else asks for this request, in this process or another. Raises WarehouseError."""
        place, wait = int(key[:DIGITS], 16), POLL_S
        while not self._lock(place):
            await asyncio.sleep(wait)
            wait = min(LONGEST_POLL_S, 1.5 * wait)
        try:
            yield
        finally:
            self._unlock(place)

    def _lock(self, place: int) -> bool:
        try:
            if self._file is None:
                self._file = _FILES.open(self.path)
            if not self._file.lock(place):
                return False
        except OSError as error:
            raise explained(self.path, error) from None
        self._mine.add(place)
        return True

    def _unlock(self, place: int) -> None:
        if self._file is not None and place in self._mine:
            self._mine.discard(place)
            self._file.unlock(place)

    def close(self) -> None:
        """Gives all its claims back."""
        for place in tuple(self._mine):
            self._unlock(place)
        if self._file is not None:
            _FILES.release(self._file)
            self._file = None


class _File:
    """The claims of one process."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        self._guard, self._taken = threading.Lock(), set[int]()
        give_to_group(path)

    def lock(self, place: int) -> bool:
        """Whether the place was free, and is now taken."""
        with self._guard:
            if place in self._taken:
                return False
            try:
                fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
            except OSError as error:
                if error.errno in TAKEN:
                    return False
                raise
            self._taken.add(place)
            return True

    def unlock(self, place: int) -> None:
        """Makes the place free."""
        with self._guard:
            self._taken.discard(place)
            fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, place)

    def close(self) -> None:
        """Lets go of the file."""
        os.close(self._descriptor)


_FILES = OneEach(_File)
