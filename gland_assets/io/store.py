"""The response store: every reply that was paid for, by its request's key. Shared by all processes, and by projects that name one file."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from gland_assets.core.key_parts import KeyParts
from gland_assets.core.project import Project
from gland_assets.core.requests import Reply, Request
from gland_assets.io.sqlite import BUSY_SECONDS, FAULTS, GroupWriter, connect, damaged, explained

LAYOUT = 2
DDL = """create table if not exists responses(
  request_key text not null unique, text text not null, finish_reason text not null, deployment text not null, model text not null,
  prompt_tokens integer not null, cached_tokens integer not null, completion_tokens integer not null,
  usd text, latency_s real not null, attempts integer not null, build_id text not null, sent_at text not null,
  stage text not null, discipline text not null, prompt_hash text not null, parts text);
create index if not exists asked on responses(discipline, stage)"""
UPGRADES = {2: "alter table responses add column parts text"}
COLUMNS = (
    "request_key", "text", "finish_reason", "deployment", "model", "prompt_tokens", "cached_tokens", "completion_tokens", "usd",
    "latency_s", "attempts", "build_id", "sent_at",
)  # fmt: skip
ASKED = ("stage", "discipline", "prompt_hash", "parts")
"""What the request was; `parts`, of its key, is null in rows older than layout 2."""

INSERT = (
    f"insert into responses({', '.join(COLUMNS + ASKED)}) values ({', '.join('?' * len(COLUMNS + ASKED))})"
    " on conflict(request_key) do nothing"
)  # fmt: skip
SELECT = f"select {', '.join(COLUMNS)} from responses where request_key in "
KEYS = 500  # looked up in one query


DISCIPLINES = """with recursive found(slug) as (
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


class ResponseStore:
    """One `responses.sqlite`. The file is made by the first reply that is put into it."""

    def __init__(self, path: Path) -> None:
        self.path = path
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
        found: dict[str, Reply] = {}
        if not wanted or not self.exists():
            return found
        with self.reading() as connection:
            for start in range(0, len(wanted), KEYS):
                some = wanted[start : start + KEYS]
                try:
                    for row in connection.execute(f"{SELECT}({', '.join('?' * len(some))})", some):
                        found[row[0]] = reply_of(row)
                except (ValueError, TypeError, ArithmeticError) as error:
                    raise damaged(self.path, f"a reply in it cannot be read: {error}") from None
        return found

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

    async def put(self, reply: Reply, request: Request, identity: str) -> Reply:
        """Stores a reply to `request` of the model `identity`; returns once the commit is durable, with the reply that stands:
        an earlier one of the same key wins.

        Raises WarehouseError.
        """
        # A reply that has arrived is paid for: the writer commits it even when the asker is cancelled here.
        added = await asyncio.wrap_future(self._writer.put(_row(reply, request, identity)))
        return reply if added else replace(self.get((reply.request_key,))[reply.request_key], reused=True)

    def count(self) -> int:
        """How many replies are stored."""
        if not self.exists():
            return 0
        with self.reading() as connection:
            return int(connection.execute("select count(*) from responses").fetchone()[0])

    def disciplines(self) -> list[str]:
        """The disciplines that have replies, in order of name; looks at as many rows as there are disciplines."""
        if not self.exists():
            return []
        with self.reading() as connection:
            return [slug for (slug,) in connection.execute(DISCIPLINES)]

    def of_discipline(self, slug: str) -> list[Paid]:
        """What is stored for one discipline, replies themselves aside."""
        if not self.exists():
            return []
        query = "select request_key, build_id, length(cast(text as blob)), usd from responses where discipline = ?"
        with self.reading() as connection:
            rows = connection.execute(query, (slug,)).fetchall()
        return [Paid(key, build_id, size, None if usd is None else Decimal(usd)) for key, build_id, size, usd in rows]

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

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """This process's connection for reading, to itself meanwhile. Raises WarehouseError."""
        with self._lock:
            self._reader = self._reader or self._open()
            try:
                yield self._reader
            except FAULTS as error:
                raise explained(self.path, error) from None

    def close(self) -> None:
        """Commits what is queued and lets go of the file; the next use opens it again."""
        self._writer.close()
        with self._lock:
            if self._reader is not None:
                self._reader.close()
                self._reader = None


def _insert(connection: sqlite3.Connection, rows: Sequence[tuple[Any, ...]]) -> list[bool]:
    return [connection.execute(INSERT, row).rowcount == 1 for row in rows]


def _row(reply: Reply, request: Request, identity: str) -> tuple[Any, ...]:
    return (
        reply.request_key, reply.text, reply.finish_reason, reply.deployment, reply.model, reply.prompt_tokens,
        reply.cached_tokens, reply.completion_tokens, None if reply.usd is None else f"{reply.usd:f}", reply.latency_s, reply.attempts,
        reply.build_id, reply.sent_at.astimezone(UTC).isoformat(), request.stage, request.discipline, request.prompt_hash,
        KeyParts.of(request, identity).packed(),
    )  # fmt: skip


def reply_of(row: Sequence[Any]) -> Reply:
    """The reply in the values of COLUMNS."""
    values = dict(zip(COLUMNS, row, strict=True))
    values["usd"] = None if values["usd"] is None else Decimal(values["usd"])
    values["sent_at"] = datetime.fromisoformat(values["sent_at"])
    return Reply(**values, reused=True)
