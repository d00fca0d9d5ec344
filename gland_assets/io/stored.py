"""Looking around in the response store and the ledger: requests by the beginning of their key, and what stands near a missing one."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from gland_assets.core.cost import from_nanos
from gland_assets.core.key_parts import Neighbours
from gland_assets.io.ledger import Ledger
from gland_assets.io.ledger_layout import UNKNOWN
from gland_assets.io.store import ResponseStore
from gland_assets.io.store_layout import Stored

NEAR = 50_000  # replies of one discipline's stage, the newest, among which the nearest is looked for
MOST = 20  # keys with one beginning that are listed


@dataclass(frozen=True, slots=True)
class Paid:
    """What the ledger says of a paid request."""

    request_key: str
    stage: str
    discipline: str
    build_id: str
    sent_at: datetime
    deployment: str
    model: str
    prompt_tokens: int
    completion_tokens: int
    usd: Decimal | None  # None: the price is unknown
    accepted: bool | None  # whether the reply could be used; None where only the reply tells of the request
    pruned: bool  # its reply was taken out of the store


def stored(store: ResponseStore, prefix: str) -> list[Stored]:
    """The stored replies whose key begins with these hex digits, at most 20."""
    return store.beginning(prefix, MOST)


def neighbours(store: ResponseStore, discipline: str, stage: str) -> Neighbours:
    """The stored keys of one discipline's stage."""
    return Neighbours(store.asked(discipline, stage, NEAR))


def paid(warehouse: Path, prefix: str) -> list[Paid]:
    """The requests in the ledger whose key begins with these hex digits, at most 20; of those with one key, the one that stands first."""
    with closing(Ledger(warehouse)) as ledger:
        if not ledger.exists():
            return []
        with ledger.reading() as connection:
            return [_paid(row) for row in connection.execute(f"select * from requests where {_BEGINS} limit {MOST}", (prefix, prefix))]


_BEGINS = "request_key >= ? and request_key < ? || 'g'"  # the digit after f: an index can serve it


def _paid(row: sqlite3.Row) -> Paid:
    plain: Mapping[str, Any] = dict(row)
    key, _, number = plain["request_key"].partition("-")
    names = ("stage", "discipline", "build_id", "deployment", "model", "prompt_tokens", "completion_tokens")
    usd = None if plain["usd_nanos"] is None else from_nanos(plain["usd_nanos"])
    accepted = None if plain["accepted"] == UNKNOWN else bool(plain["accepted"])
    sent_at = datetime.fromisoformat(plain["sent_at"])
    return Paid(key, **{name: plain[name] for name in names}, sent_at=sent_at, usd=usd, accepted=accepted, pruned=bool(number))
