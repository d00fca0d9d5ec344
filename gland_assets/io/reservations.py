"""Reservations in the ledger: before a request is sent, the most it can cost is set aside, so that no cap is passed by requests in flight.

The asking, and the giving back, are writes of the ledger's one writer: whether there is room is decided in the transaction that takes it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from gland_assets.core.budget import Caps, Worst
from gland_assets.core.cost import from_nanos

DDL = """create table if not exists reservations(
  number integer primary key, holder text not null, build_id text not null, usd_nanos integer not null, tokens integer not null)"""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be set aside, for a build, by a holder: the name of a lock that its process keeps as long as it lives."""

    holder: str
    build_id: str
    worst: Worst
    caps: Caps


@dataclass(frozen=True, slots=True)
class Refusal:
    """A cap that leaves no room: its name, how much it is, what is spent of it and what is set aside by others; dollars or tokens."""

    cap: str
    most: Decimal | int
    spent: Decimal | int
    held: Decimal | int


def reserve(connection: sqlite3.Connection, wish: Wish) -> int | Refusal:
    """The number of the reservation, or why there is none."""
    for refusal, needed in _room(connection, wish):
        if refusal.spent + refusal.held + needed > refusal.most:
            return refusal
    values = (wish.holder, wish.build_id, wish.worst.nanos, wish.worst.tokens)
    number = connection.execute("insert into reservations(holder, build_id, usd_nanos, tokens) values (?, ?, ?, ?)", values).lastrowid
    assert number is not None
    return number


def paid(connection: sqlite3.Connection) -> tuple[int, int]:
    """What all builds of the project have paid: billionths of dollars, and tokens."""
    return _one(connection, _PAID), _one(connection, _PAID_TOKENS)


_PAID = "select sum(usd_nanos) from builds"
_PAID_TOKENS = "select sum(prompt_tokens + completion_tokens) from spending"


def _one(connection: sqlite3.Connection, query: str, *values: str) -> int:
    return int((connection.execute(query, values).fetchone() or (0,))[0] or 0)


def _room(connection: sqlite3.Connection, wish: Wish) -> Iterator[tuple[Refusal, Decimal | int]]:
    """Each cap with what is spent and held of it, and what is wished for."""
    caps, build, worst = wish.caps, wish.build_id, wish.worst
    if caps.build_usd is not None:
        spent = _one(connection, "select usd_nanos from builds where build_id = ?", build)
        held = _one(connection, "select sum(usd_nanos) from reservations where build_id = ?", build)
        yield Refusal("--budget", caps.build_usd, from_nanos(spent), from_nanos(held)), from_nanos(worst.nanos)
    if caps.usd is not None:
        spent, held = _one(connection, _PAID), _one(connection, "select sum(usd_nanos) from reservations")
        yield Refusal("[budget] usd", caps.usd, from_nanos(spent), from_nanos(held)), from_nanos(worst.nanos)
    if caps.tokens is not None:
        spent, held = _one(connection, _PAID_TOKENS), _one(connection, "select sum(tokens) from reservations")
        yield Refusal("[budget] tokens", caps.tokens, spent, held), worst.tokens
