"""The ledger: what was paid, by which build, for what. `ledger.sqlite` is written by every process of the project and is the truth.

`sync` exports it to Parquet files that readers take without a lock. They hold nothing of their own: delete the folder and the next `sync`
writes it again. Delete the ledger instead, and whoever opens it next makes it again from these and from the stored replies.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from secrets import token_hex
from typing import Any

from gland_assets.core.cost import from_nanos, to_nanos
from gland_assets.core.errors import WarehouseError
from gland_assets.core.requests import Reply, Request
from gland_assets.io.group_commits import GroupWriter
from gland_assets.io.ledger_layout import BLOCK, DDL, LAYOUT, UPGRADES
from gland_assets.io.ledger_restore import latest, remains, restore
from gland_assets.io.ledger_writes import Done, Write, write
from gland_assets.io.locks import try_lock
from gland_assets.io.reservations import Refusal, Wish, paid
from gland_assets.io.sqlite import FAULTS, connect, explained


@dataclass(frozen=True, slots=True)
class Spent:
    """Sums over paid requests."""

    calls: int
    prompt_tokens: int
    completion_tokens: int
    usd: Decimal  # of the calls whose price is known
    unpriced: int  # calls whose price is unknown


class Ledger:
    """The ledger of one warehouse."""

    def __init__(self, warehouse: Path) -> None:
        self.path = warehouse / "ledger.sqlite"
        self.folder = warehouse / "ledger"
        self._store = warehouse / "responses.sqlite"  # a store shared with other projects does not say what this one has paid
        self._lock_path = warehouse / "locks" / "_ledger.lock"
        self._reader: sqlite3.Connection | None = None
        self.restored = 0
        self._writer: GroupWriter[Write, Done] = GroupWriter(self.path, self._open, write)

    def _open(self) -> sqlite3.Connection:
        connection = connect(self.path, DDL, LAYOUT, upgrades=UPGRADES)
        try:
            self.restored += restore(connection, self.folder, self._store, write)
        except (*FAULTS, WarehouseError) as error:
            connection.close()
            raise error if isinstance(error, WarehouseError) else explained(self.path, error) from None
        return connection

    def restore(self) -> int:
        """Requests that a ledger that was gone holds again, through this object; 0 when there was nothing to do. Raises WarehouseError."""
        if self.exists():
            with self.reading():
                pass
        return self.restored

    def exists(self) -> bool:
        """Whether anything has ever been recorded: looking makes no file."""
        return self.path.exists() or remains(self.folder, self._store)

    def start_build(self, gland_version: str, taxonomy_hash: str) -> str:
        """Records a build that starts now and gives its id, which sorts by time. Durable when it returns."""
        now = datetime.now(UTC)
        build_id = f"{now:%Y%m%d-%H%M%S}-{token_hex(4)}"
        self._put("build", (build_id, now.isoformat(), gland_version, taxonomy_hash))
        self.flush()
        return build_id

    def end_build(self, build_id: str, outcome: str) -> None:
        """Records how a build ended, now, or when it started if the clock was set back since. Durable when it returns.

        A build that was killed keeps neither time nor outcome.
        """
        self._put("end", (datetime.now(UTC).isoformat(), outcome, build_id))
        self.flush()

    def record(self, reply: Reply, request: Request, accepted: bool) -> None:
        """Queues a paid reply, fresh or met again: known ones change at most in `accepted`. Durable after the next `flush`."""
        nanos = None if reply.usd is None else to_nanos(reply.usd)
        self._put(
            "request",
            (
                reply.request_key, reply.build_id, request.discipline, request.stage, request.prompt_hash, reply.deployment, reply.model,
                reply.prompt_tokens, reply.cached_tokens, reply.completion_tokens, nanos, reply.latency_s, reply.attempts, int(accepted),
                reply.sent_at.astimezone(UTC).isoformat(),
            ),
        )  # fmt: skip

    def catch_up(self) -> None:
        """Records what was lately stored in the warehouse and is not on record. Durable when it returns. Raises WarehouseError."""
        for statement, values in latest(self._store):
            self._put(statement, values)
        self.flush()

    def add_reused(self, build_id: str, count: int) -> None:
        """Queues a count of replies that `build_id` got without paying."""
        if count:
            self._put("reused", (count, build_id))

    def add_prompts(self, prompts: Iterable[tuple[str, str, str, str]]) -> None:
        """Queues prompt texts as (prompt_hash, stage, name, text); a known hash stays as it is."""
        for prompt in prompts:
            self._put("prompt", prompt)

    async def reserve(self, wish: Wish) -> int | Refusal:
        """Sets aside what is wished for; returns once that is durable, with its number, or why there is no room for it."""
        answer = await self._writer.put(("reserve", (wish,)))
        assert answer is not None
        return answer

    def release(self, number: int) -> None:
        """Queues the end of a reservation."""
        self._put("release", (number,))

    def release_all(self, holder: str) -> None:
        """Queues the end of all reservations of a holder."""
        self._put("release all", (holder,))

    def holders(self) -> list[str]:
        """Who has set something aside."""
        with self.reading() as connection:
            return [holder for (holder,) in connection.execute("select distinct holder from reservations")]

    def _put(self, statement: str, values: tuple[Any, ...]) -> None:
        self._writer.post((statement, values))

    def flush(self) -> None:
        """Returns once everything queued by this process is durable. Raises WarehouseError if any of it could not be written."""
        self._writer.flush()

    def close(self) -> None:
        """Writes what is queued and lets go of the file. Raises as `flush`."""
        self._writer.close()
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        self.flush()

    def paid(self) -> tuple[Decimal, int]:
        """What the project's own builds have paid, as caps count it: dollars whose price is known, and tokens."""
        self.flush()
        if not self.exists():
            return Decimal(0), 0
        with self.reading() as connection:
            nanos, tokens = paid(connection)
        return from_nanos(nanos), tokens

    def knows(self, key: str) -> bool:
        """Whether a reply to this request is on record as paid for, by whichever process and build. Raises WarehouseError."""
        if self._reader is None:
            if not self.exists():
                return False
            self._reader = self._open()
        try:
            return self._reader.execute("select 1 from requests where request_key = ?", (key,)).fetchone() is not None
        except FAULTS as error:
            raise explained(self.path, error) from None

    def forget(self, keys: Sequence[str]) -> None:
        """Records that the replies to these requests are taken out of the store: their rows stay, and they may be paid for again.

        Durable when it returns. A row's key then has its number behind it: so the key is free for another payment.
        """
        for key in keys:
            self._put("forget", (key,))
        self.flush()

    def spent(self, discipline: str | None = None) -> Spent:
        """What was paid in all builds together, for one discipline or for all."""
        where, values = ("where discipline = ?", (discipline,)) if discipline is not None else ("", ())
        return self._sums(where, values).get("", Spent(0, 0, 0, Decimal(0), 0))

    def spent_by_discipline(self) -> Mapping[str, Spent]:
        """What was paid in all builds together, by discipline slug."""
        return self._sums("", (), "discipline")

    def _sums(self, where: str, values: tuple[Any, ...], by: str = "''") -> dict[str, Spent]:
        self.flush()
        if not self.exists():
            return {}
        sums = "sum(calls), sum(prompt_tokens), sum(completion_tokens), sum(usd_nanos), sum(unpriced)"
        query = f"select {by}, {sums} from spending {where} group by 1"
        with self.reading() as connection:
            rows = connection.execute(query, values).fetchall()
        return {row[0]: Spent(row[1], row[2], row[3], from_nanos(row[4]), row[5]) for row in rows}

    def sync(self) -> None:
        """Brings the exported Parquet files up to date: what changed since the last export, by whichever process.

        Readers find each file whole, before or after, and no request in two of them. Raises WarehouseError.
        """
        from gland_assets.io.ledger_export import export  # here, for it imports pyarrow

        self.flush()
        with self._alone(), self.reading() as connection:
            export(connection, self.folder, BLOCK)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        while (descriptor := try_lock(self._lock_path)) is None:
            time.sleep(0.02)
        try:
            yield
        finally:
            os.close(descriptor)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection of its own to the file, whose rows have names. Raises WarehouseError."""
        with closing(self._open()) as connection:
            connection.row_factory = sqlite3.Row
            try:
                yield connection
            except FAULTS as error:
                raise explained(self.path, error) from None
