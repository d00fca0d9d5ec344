"""The response store: every reply that was paid for, by its request's key. Shared by all processes, and by projects that name one file."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, closing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from gland_assets.core.cost import from_nanos
from gland_assets.core.key_parts import KeyParts
from gland_assets.core.project import Project
from gland_assets.core.requests import Reply, Request
from gland_assets.io.claims import Claims
from gland_assets.io.group_commits import GroupWriter
from gland_assets.io.sqlite import BUSY_SECONDS, FAULTS, connect, damaged, explained
from gland_assets.io.store_layout import (
    ASKED,
    COLUMNS,
    DDL,
    INSERT,
    KEPT_BYTES,
    LAYOUT,
    UPGRADES,
    Stored,
    kept,
    parts_of,
    reply_of,
    row_of,
    stored_of,
)  # fmt: skip

A = TypeVar("A")

_SELECT = f"select {', '.join(COLUMNS)} from responses where request_key "
_ONE = f"{_SELECT}= ?"
_BEGINNING = f"""select {", ".join(COLUMNS + ASKED)} from responses
  where request_key >= :prefix and request_key < :prefix || 'g' limit :most"""  # the digit after f: an index can serve it
_ASKED = "select request_key, parts, prompt_hash from responses where discipline = ? and stage = ? order by rowid desc limit ?"
_PAID = f"select request_key, build_id, {KEPT_BYTES}, usd from responses where discipline = ?"
_SUMS = f"""select build_id, stage, model, count(*), sum(prompt_tokens), sum(completion_tokens),
  sum(cast(round(usd * 1e9) as integer)), sum(usd is null), sum(coalesce(size, {KEPT_BYTES})), sum({KEPT_BYTES}), min(sent_at), max(sent_at)
  from responses where rowid > ? and rowid <= ? group by 1, 2, 3"""
KEYS = 500  # looked up in one query
RANGE = 500  # rows summed together: SQLite sorts them by group, and few are sorted faster
_DISCIPLINES = """with recursive found(slug) as (
  select min(discipline) from responses union all select (select min(discipline) from responses where discipline > slug) from found
  where slug is not null) select slug from found where slug is not null"""


def store_path(project: Project, warehouse: Path) -> Path:
    """Where a project's replies are stored: in its warehouse, or where it shares them with others."""
    return project.store_path or warehouse / "responses.sqlite"


@dataclass(frozen=True, slots=True)
class Paid:
    """What a stored reply cost, and the room its text takes."""

    request_key: str
    build_id: str  # that paid it
    bytes: int
    usd: Decimal | None  # None: the price is unknown


@dataclass(frozen=True, slots=True)
class Sum:
    """What the replies of one build, stage and model come to."""

    build_id: str
    stage: str
    model: str
    replies: int
    prompt_tokens: int
    completion_tokens: int
    usd: Decimal  # of those whose price is known
    unpriced: int  # replies whose price is unknown
    text_bytes: int  # of the texts as they came
    kept_bytes: int  # of the texts as they are kept
    oldest: datetime
    newest: datetime


class ResponseStore:
    """One `responses.sqlite`. The file is made by the first reply that is put into it.

    These methods are all that the rest asks of a store: behind them another database can stand.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._claims = Claims(path)
        self._lock = threading.Lock()
        self._proving = threading.Lock()
        self.proven = False
        self._reader: sqlite3.Connection | None = None
        self._writer: GroupWriter[tuple[Any, ...], bool] = GroupWriter(path, self._open, _insert)

    def _open(self) -> sqlite3.Connection:
        return connect(self.path, DDL, LAYOUT, BUSY_SECONDS, UPGRADES)

    def get(self, keys: Iterable[str]) -> dict[str, Reply]:
        """The stored replies among `keys`, marked as reused. Never waits for writers. Raises WarehouseError."""
        wanted = list(keys)
        if not wanted or not self.exists():
            return {}
        rows: list[tuple[Any, ...]] = []
        with self._reading() as connection:
            for start in range(0, len(wanted), KEYS):
                some = wanted[start : start + KEYS]
                rows += connection.execute(_ONE if len(some) == 1 else f"{_SELECT}in ({', '.join('?' * len(some))})", some)
        return {row[0]: self._read(reply_of, row) for row in rows}

    def prove(self) -> None:
        """Returns once the file has taken a write of this process: no reply is asked for that could not be kept. Raises WarehouseError."""
        with self._proving:
            if not self.proven:
                with closing(self._open()) as connection:
                    try:
                        connection.execute(f"pragma user_version = {LAYOUT}")
                    except FAULTS as error:
                        raise explained(self.path, error) from None
                self.proven = True

    def claimed(self, key: str) -> AbstractAsyncContextManager[None]:
        """A context while nobody else, of whatever process and project, asks for this request: look again inside. Raises WarehouseError."""
        return self._claims.claimed(key)

    async def put(self, reply: Reply, request: Request, identity: str) -> Reply:
        """Stores a reply to `request` of the model `identity`; returns once the commit is durable, with the reply that stands:
        an earlier one of the same key wins.

        Raises WarehouseError.
        """
        try:
            row = row_of(reply, request, identity)
        except UnicodeEncodeError as error:
            raise explained(self.path, error) from None
        # A reply that has arrived is paid for: the writer commits it even when the asker is cancelled here.
        added = await self._writer.put(row)
        return reply if added else replace(self.get((reply.request_key,))[reply.request_key], reused=True)

    def count(self) -> int:
        """How many replies are stored."""
        if not self.exists():
            return 0
        with self._reading() as connection:
            return int(connection.execute("select count(*) from responses").fetchone()[0])

    def disciplines(self) -> list[str]:
        """The disciplines that have replies, in order of name; looks at as many rows as there are disciplines."""
        if not self.exists():
            return []
        with self._reading() as connection:
            return [slug for (slug,) in connection.execute(_DISCIPLINES)]

    def of_discipline(self, slug: str) -> list[Paid]:
        """What is stored for one discipline, replies themselves aside."""
        if not self.exists():
            return []
        with self._reading() as connection:
            rows = connection.execute(_PAID, (slug,)).fetchall()
        return [Paid(key, build_id, size, None if usd is None else Decimal(usd)) for key, build_id, size, usd in rows]

    def beginning(self, prefix: str, most: int) -> list[Stored]:
        """Stored replies whose key begins with these hex digits, at most so many."""
        if not self.exists():
            return []
        with self._reading() as connection:
            rows = connection.execute(_BEGINNING, {"prefix": prefix, "most": most}).fetchall()
        return [self._read(stored_of, row) for row in rows]

    def asked(self, discipline: str, stage: str, most: int) -> list[tuple[str, KeyParts | None]]:
        """The keys stored for one discipline's stage with their parts where they are kept, the newest first, at most so many."""
        if not self.exists():
            return []
        with self._reading() as connection:
            rows = connection.execute(_ASKED, (discipline, stage, most)).fetchall()
        return [(key, self._read(lambda row: parts_of(*row), row)) for key, *row in rows]

    def sums(self, told: Callable[[float], None] = lambda done: None) -> list[Sum]:
        """What is stored, by build, stage and model; `told` hears the part that is read, from 0 to 1. A million take about 3 CPU s."""
        if not self.exists():
            return []
        found: dict[tuple[str, str, str], Sum] = {}
        with self._reading() as connection:
            last = connection.execute("select max(rowid) from responses").fetchone()[0] or 0
            for start in range(0, last, RANGE):
                for row in connection.execute(_SUMS, (start, start + RANGE)):
                    one = _sum(row)
                    group = one.build_id, one.stage, one.model
                    found[group] = _both(found[group], one) if group in found else one
                told(min(1.0, (start + RANGE) / last))
        return list(found.values())

    def remove(self, keys: Sequence[str]) -> None:
        """Takes replies out, in small transactions: killed in between, it has removed some. The file keeps its size, for new ones.

        Raises WarehouseError.
        """
        with closing(self._open()) as connection:
            try:
                for start in range(0, len(keys), KEYS):
                    some = keys[start : start + KEYS]
                    connection.execute(f"delete from responses where request_key in ({', '.join('?' * len(some))})", some)
            except sqlite3.Error as error:
                raise explained(self.path, error) from None

    def exists(self) -> bool:
        """Whether there is a file: looking makes none."""
        return self._reader is not None or self.path.exists()

    def _read(self, read: Callable[[Sequence[Any]], A], row: Sequence[Any]) -> A:
        try:
            return read(row)
        except (ValueError, TypeError, ArithmeticError) as error:
            raise damaged(self.path, f"a reply in it cannot be read: {error}") from None

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """This process's connection for reading, to itself meanwhile."""
        with self._lock:
            self._reader = self._reader or self._open()
            try:
                yield self._reader
            except FAULTS as error:
                raise explained(self.path, error) from None

    def close(self) -> None:
        """Commits what is queued and lets go of the file; the next use opens it again."""
        self._writer.close()
        self._claims.close()
        with self._lock:
            if self._reader is not None:
                self._reader.close()
                self._reader = None


def _sum(row: Sequence[Any]) -> Sum:
    build_id, stage, model, replies, prompt, completion, nanos, unpriced, text, kept_in, oldest, newest = row
    return Sum(
        build_id, stage, model, replies, prompt, completion, from_nanos(nanos or 0), unpriced, text, kept_in,
        datetime.fromisoformat(oldest), datetime.fromisoformat(newest),
    )  # fmt: skip


def _both(one: Sum, other: Sum) -> Sum:
    """Two sums of one build, stage and model together."""
    return Sum(
        one.build_id, one.stage, one.model, one.replies + other.replies, one.prompt_tokens + other.prompt_tokens,
        one.completion_tokens + other.completion_tokens, one.usd + other.usd, one.unpriced + other.unpriced,
        one.text_bytes + other.text_bytes, one.kept_bytes + other.kept_bytes, min(one.oldest, other.oldest), max(one.newest, other.newest),
    )  # fmt: skip


def _insert(connection: sqlite3.Connection, rows: Sequence[tuple[Any, ...]]) -> list[bool]:
    return [connection.execute(INSERT, (key, kept(text), *rest)).rowcount == 1 for key, text, *rest in rows]
