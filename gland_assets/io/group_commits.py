"""Commit to an SQLite file in groups: the sync that makes a commit durable is dear, and shared by all that has gathered."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from gland_assets.core.errors import WarehouseError
from gland_assets.io.sqlite import explained

A = TypeVar("A")
B = TypeVar("B")

GROUP = 2000  # most items in one commit
APART_S = 0.01
"""Between the beginnings of two commits, unless somebody waits for all of it: an item more in a commit costs a tenth of a commit."""
LAZY_S = 0.25
"""The same while nobody waits for any item."""


class GroupWriter(Generic[A, B]):
    """A thread with its own connection that commits what is given to it, as many items at a time as have gathered."""

    def __init__(
        self, path: Path, open_file: Callable[[], sqlite3.Connection], write: Callable[[sqlite3.Connection, Sequence[A]], Sequence[B]]
    ) -> None:
        """`write(connection, items)` gives one result an item, inside a transaction that is committed right after."""
        self._path, self._open, self._write = path, open_file, write
        self._queue: SimpleQueue[tuple[A, asyncio.Future[B] | None] | threading.Event] = SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._hurry = threading.Event()  # somebody waits for all of it
        self._awaited = threading.Event()  # somebody waits for an item
        self._failure: WarehouseError | None = None

    def post(self, item: A) -> None:
        """Queues an item; `flush` says whether it could be written."""
        self._put((item, None))

    async def put(self, item: A) -> B:
        """Queues an item; returns with its result once its commit is durable. Raises WarehouseError.

        The item is written even when the asker is cancelled.
        """
        done: asyncio.Future[B] = asyncio.get_running_loop().create_future()
        self._put((item, done))
        self._awaited.set()
        return await done

    def flush(self) -> None:
        """Returns once all that was queued is durable. Raises the first WarehouseError since the last flush, whoever was told of it."""
        if self._thread is not None:
            done = threading.Event()
            self._put(done)
            self._wake()
            done.wait()
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def close(self) -> None:
        """Commits what is queued and ends the thread; a later item starts it anew."""
        with self._lock:
            thread, self._thread = self._thread, None
            if thread is not None:
                self._queue.put(_END)
                self._wake()
                thread.join()

    def _wake(self) -> None:
        self._hurry.set()
        self._awaited.set()

    def _put(self, entry: tuple[A, asyncio.Future[B] | None] | threading.Event) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=f"writer of {self._path.name}", daemon=True)
                self._thread.start()
            self._queue.put(entry)

    def _run(self) -> None:
        connection: sqlite3.Connection | None = None
        began, more = 0.0, True
        while more:
            entries = [self._queue.get()]
            # Asleep rather than at the queue: each item that arrives there would wake this thread.
            self._hurry.wait(max(0.0, began + APART_S - time.monotonic()))
            self._awaited.wait(max(0.0, began + LAZY_S - time.monotonic()))
            self._hurry.clear()
            self._awaited.clear()
            with suppress(Empty):
                while len(entries) < GROUP:
                    entries.append(self._queue.get_nowait())
            if len(entries) == GROUP:  # what is left over may be waited for
                self._awaited.set()
            marks = [entry for entry in entries if isinstance(entry, threading.Event)]
            batch = [entry for entry in entries if not isinstance(entry, threading.Event)]
            if batch:
                began = time.monotonic()
                try:
                    connection = connection or self._open()
                    results = self._commit(connection, [item for item, _ in batch])
                except Exception as error:
                    told = error if isinstance(error, WarehouseError) else explained(self._path, error)
                    self._failure = self._failure or told
                    _tell([(done, told) for _, done in batch if done is not None])
                else:
                    _tell([(done, result) for (_, done), result in zip(batch, results, strict=True) if done is not None])
            for mark in marks:
                mark.set()
            more = _END not in marks
        if connection is not None:
            connection.close()

    def _commit(self, connection: sqlite3.Connection, items: Sequence[A]) -> Sequence[B]:
        connection.execute("begin immediate")
        try:
            results = self._write(connection, items)
            connection.execute("commit")
        except BaseException:
            if connection.in_transaction:
                connection.execute("rollback")
            raise
        return results


_END = threading.Event()


def _tell(answers: Iterable[tuple[asyncio.Future[B], B | WarehouseError]]) -> None:
    """Gives the askers their answers, with one call into each event loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[B], B | WarehouseError]]] = {}
    for done, answer in answers:
        by_loop.setdefault(done.get_loop(), []).append((done, answer))
    for loop, told in by_loop.items():
        with suppress(RuntimeError):  # the loop is closed, and nobody waits any more
            loop.call_soon_threadsafe(_settle, told)


def _settle(told: Iterable[tuple[asyncio.Future[B], B | WarehouseError]]) -> None:
    for done, answer in told:
        if done.done():
            continue  # its asker is gone; the item is written all the same
        if isinstance(answer, WarehouseError):
            done.set_exception(answer)
        else:
            done.set_result(answer)
