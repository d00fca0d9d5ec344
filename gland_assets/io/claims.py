"""Who is asking for which reply: processes that share a store, whatever their projects, do not pay for one request at the same time.

A claim is a lock on one byte of an empty file beside the store, at the place that the request's key names. The kernel gives it back when
its process ends, however it ends.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from gland_assets.io.sqlite import explained, give_to_group

POLL_S, LONGEST_POLL_S = 0.02, 0.25
"""Between two looks whether a claim is free: sooner at first; later on, for a thousand may wait, and a reply takes its time."""

DIGITS = 15  # of a key's hex digits: a file has 2**63 places
TAKEN = (errno.EACCES, errno.EAGAIN)


class Claims:
    """The claims of one process on requests of the store at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path.with_name(f"{path.name}-asking")
        self._file: int | None = None

    @asynccontextmanager
    async def claimed(self, key: str) -> AsyncIterator[None]:
        """While no other process asks for this request. Raises WarehouseError."""
        place, wait = int(key[:DIGITS], 16), POLL_S
        while not self._lock(place):
            await asyncio.sleep(wait)
            wait = min(LONGEST_POLL_S, 1.5 * wait)
        try:
            yield
        finally:
            if self._file is not None:
                fcntl.lockf(self._file, fcntl.LOCK_UN, 1, place)

    def _lock(self, place: int) -> bool:
        try:
            if self._file is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
                give_to_group(self.path)
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
        except OSError as error:
            if error.errno in TAKEN and self._file is not None:
                return False
            raise explained(self.path, error) from None
        return True

    def close(self) -> None:
        """Gives all claims back."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
