"""Slots: the parallel requests of one endpoint, shared by every process over the warehouse. Each is a byte of a file, locked.

The kernel ends a lock with its process, however that goes and whatever a clock says, so nothing has to expire. Each process that wants
slots also locks a byte of its own further on; from these a process knows how many others there are, and gives a slot back when it holds
more than its share. Within a process event loops share in the same way, and within one of those disciplines take turns. The file's first
bytes hold the endpoint's pace, which is changed under a lock too.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import mmap
import os
import random
import struct
import threading
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields
from operator import attrgetter
from pathlib import Path
from typing import TypeVar
from weakref import WeakKeyDictionary

from gland_assets.core.errors import WarehouseError
from gland_assets.core.pacing import Pace
from gland_assets.io.one_each import OneEach

T = TypeVar("T")

PACE = 1 << 29  # the byte whose lock lets a process change the pace
WANTING = 1 << 30  # the first byte of those that say a process wants slots
PROCESSES = 64  # more than that count as that many
COUNTED_S = 0.25  # how long the count of others holds
POLL_S = 0.02  # how often a free slot is looked for, when this process can't tell

LAYOUT = 1.0  # of a pace in a file: its first number
_ROW = struct.Struct(f"={1 + len(fields(Pace))}d")
_VALUES = attrgetter(*(each.name for each in fields(Pace)))


class Slots:
    """The slots of one endpoint, as one gateway takes them."""

    def __init__(self, path: Path | None, limit: int) -> None:
        """`limit` slots over all processes that name the file `path`; without one, in this process alone. It may be changed at any time."""
        self.limit = limit
        self._file = _Unshared() if path is None else _FILES.open(path)
        self._queues: WeakKeyDictionary[asyncio.AbstractEventLoop, _Queue] = WeakKeyDictionary()

    def close(self) -> None:
        """Lets go of the file."""
        if isinstance(self._file, _Shared):
            _FILES.release(self._file)

    def look(self, change: Callable[[Pace], T]) -> T:
        """What `change` says of the endpoint's pace; what it changes there is seen by all processes."""
        return self._file.look(change)

    @asynccontextmanager
    async def one(self, whose: str = "") -> AsyncIterator[None]:
        """Holds a slot, waiting for one as long as it takes. In this event loop those who are named `whose` take turns with those named
        otherwise, and among themselves who came first is served first."""
        loop = asyncio.get_running_loop()
        queue = self._queues.get(loop)
        if queue is None:
            queue = self._queues[loop] = _Queue()
        self._file.want(queue, 1)
        try:
            number = await self._acquire(queue, whose)
            try:
                yield
            finally:
                self._give(queue, number)
        finally:
            self._file.want(queue, -1)

    async def _acquire(self, queue: _Queue, whose: str) -> int:
        if not queue.anyone() and (number := self._file.take(queue, self.limit)) is not None:
            return number
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        queue.waiting.setdefault(whose, deque()).append(future)
        self._look_later(queue)
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and future.exception() is None:
                self._give(queue, future.result())
            raise

    def _give(self, queue: _Queue, number: int) -> None:
        if not (number < self.limit and self._file.fair(queue, self.limit) and queue.hand_over(number)):
            self._file.give(number)

    def _look_later(self, queue: _Queue) -> None:
        if not queue.looking:
            queue.looking = True
            # Not in step with other processes, or the same one would always come first.
            asyncio.get_running_loop().call_later(random.uniform(0.5, 1.5) * POLL_S, self._look, queue)

    def _look(self, queue: _Queue) -> None:
        queue.looking = False
        while queue.anyone():
            try:
                number = self._file.take(queue, self.limit)
            except WarehouseError as fault:  # told to those who wait: nobody else would hear of it
                queue.tell(fault)
                return
            if number is None:
                self._look_later(queue)
                return
            queue.hand_over(number)


@dataclass(slots=True, eq=False)
class _Queue:
    """Who waits in one event loop, by name and in order of coming, the name whose turn it is first; and whether a look is due."""

    waiting: dict[str, deque[asyncio.Future[int]]] = field(default_factory=dict)
    looking: bool = False

    def anyone(self) -> bool:
        """Whether somebody waits; those who were called off are forgotten."""
        while self.waiting:
            whose, line = next(iter(self.waiting.items()))
            while line and line[0].done():
                line.popleft()
            if line:
                return True
            del self.waiting[whose]
        return False

    def hand_over(self, number: int) -> bool:
        """Gives the slot to whose turn it is; whether there was somebody."""
        if not self.anyone():
            return False
        self._next().set_result(number)
        return True

    def tell(self, fault: WarehouseError) -> None:
        """Raises a fault where anybody waits."""
        while self.anyone():
            self._next().set_exception(fault)

    def _next(self) -> asyncio.Future[int]:
        whose = next(iter(self.waiting))
        line = self.waiting.pop(whose)
        first = line.popleft()
        if line:
            self.waiting[whose] = line  # after all the others
        return first


class _Unshared:
    """Slots of this process alone."""

    def __init__(self) -> None:
        self._taken: dict[int, _Queue] = {}  # slot -> for whom
        self._pace = Pace()

    def look(self, change: Callable[[Pace], T]) -> T:
        """What `change` says of the pace."""
        return change(self._pace)

    def take(self, queue: _Queue, limit: int) -> int | None:
        """A free slot, now this process's and taken for this queue, or None."""
        number = next((number for number in range(limit) if number not in self._taken), None)
        if number is not None:
            self._taken[number] = queue
        return number

    def give(self, number: int) -> None:
        """Makes a slot free."""
        self._taken.pop(number, None)

    def want(self, queue: _Queue, more: int) -> None:
        """Counts who wants or holds a slot here."""

    def fair(self, queue: _Queue, limit: int) -> bool:
        """Whether this queue holds no more than its share."""
        return True


class _Shared(_Unshared):
    """Slots that are bytes of a file."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self._guard = threading.Lock()
        self._wanting: Counter[_Queue] = Counter()
        self._place = -1
        self._others, self._counted_at = 0, -COUNTED_S
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            os.posix_fallocate(self._descriptor, 0, _ROW.size)  # now, for a full disk would end the process at the first write
            self._shown = mmap.mmap(self._descriptor, _ROW.size)
        except OSError as error:
            raise WarehouseError(f"{path} cannot be opened: {error.strerror}; give write access to the warehouse") from error

    def look(self, change: Callable[[Pace], T]) -> T:
        with self._guard:
            self._locked(fcntl.LOCK_EX, PACE)
            try:
                layout, *values = _ROW.unpack_from(self._shown)
                pace = Pace(*values)
                if layout != LAYOUT or not pace.usable(time.monotonic()):
                    pace = Pace()
                before = _VALUES(pace)
                answer = change(pace)
                if (after := _VALUES(pace)) != before:
                    _ROW.pack_into(self._shown, 0, LAYOUT, *after)
                return answer
            finally:
                self._unlock(PACE)

    def take(self, queue: _Queue, limit: int) -> int | None:
        with self._guard:
            start = random.randrange(limit)  # or all would look at the same taken ones first
            for place in range(start, start + limit):
                number = place % limit
                if number not in self._taken and self._lock(number):
                    self._taken[number] = queue
                    return number
            return None

    def give(self, number: int) -> None:
        with self._guard:
            self._taken.pop(number, None)
            self._unlock(number)

    def want(self, queue: _Queue, more: int) -> None:
        with self._guard:
            self._wanting[queue] += more
            if not self._wanting[queue]:
                del self._wanting[queue]
            if self._wanting and self._place < 0:
                self._place = next((place for place in range(WANTING, WANTING + PROCESSES) if self._lock(place)), -1)
            elif not self._wanting and self._place >= 0:
                self._unlock(self._place)
                self._place = -1

    def fair(self, queue: _Queue, limit: int) -> bool:
        with self._guard:
            now = time.monotonic()
            if now - self._counted_at >= COUNTED_S:
                self._others, self._counted_at = sum(map(self._held_elsewhere, range(WANTING, WANTING + PROCESSES))), now
            sharing = self._others + len(self._wanting)
            return sharing == 1 or sum(taker is queue for taker in self._taken.values()) <= limit // sharing

    def close(self) -> None:
        """Lets go of the file."""
        self._shown.close()
        os.close(self._descriptor)

    def _held_elsewhere(self, place: int) -> bool:
        if place == self._place:
            return False
        if not self._lock(place):
            return True
        self._unlock(place)
        return False

    def _lock(self, byte: int) -> bool:
        return self._locked(fcntl.LOCK_EX | fcntl.LOCK_NB, byte)

    def _locked(self, how: int, byte: int) -> bool:
        try:
            fcntl.lockf(self._descriptor, how, 1, byte)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EACCES):
                return False
            raise WarehouseError(
                f"{self.path} cannot be locked: {error.strerror}; put the warehouse on a disk that has file locks"
            ) from error
        return True

    def _unlock(self, byte: int) -> None:
        fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, byte)


_FILES = OneEach(_Shared)
