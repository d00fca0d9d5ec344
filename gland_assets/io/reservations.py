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
  number integer primary key, holder text not null, build_id text not null, usd_nanos integer not null, tokens integer not null);
create table if not exists paid(one integer primary key check (one = 1), usd_nanos integer not null, tokens integer not null);
create table if not exists held(build_id text primary key, usd_nanos integer not null, tokens integer not null);
insert into paid values (1, 0, 0) on conflict do nothing;
insert into held values ('', 0, 0) on conflict do nothing"""
"""`paid` and `held` are running sums, of what own builds have paid and of what is reserved, by build and for all under '': to sum up ten
thousand builds anew takes milliseconds, and this is asked before every request."""

SUM_UP = """create table paid(one integer primary key check (one = 1), usd_nanos integer not null, tokens integer not null);
create table held(build_id text primary key, usd_nanos integer not null, tokens integer not null);
insert into paid select 1, (select coalesce(sum(usd_nanos), 0) from builds), (select coalesce(sum(prompt_tokens + completion_tokens), 0)
  from requests where build_id in (select build_id from builds));
insert into held select build_id, sum(usd_nanos), sum(tokens) from reservations group by build_id;
insert into held select '', coalesce(sum(usd_nanos), 0), coalesce(sum(tokens), 0) from reservations"""
"""Makes the running sums in a ledger that has none yet."""


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
    _hold(connection, *values[1:])
    return number


def release(connection: sqlite3.Connection, number: int) -> None:
    """Ends a reservation."""
    _give_back(connection, "number = ?", number)


def release_all(connection: sqlite3.Connection, holder: str) -> None:
    """Ends all reservations of a holder."""
    _give_back(connection, "holder = ?", holder)


def add_paid(connection: sqlite3.Connection, nanos: int, tokens: int) -> None:
    """Counts what a build of the project has paid."""
    connection.execute("update paid set usd_nanos = usd_nanos + ?, tokens = tokens + ?", (nanos, tokens))


def paid(connection: sqlite3.Connection) -> tuple[int, int]:
    """What all builds of the project have paid: billionths of dollars, and tokens."""
    nanos, tokens = connection.execute("select usd_nanos, tokens from paid").fetchone()
    return nanos, tokens


def _give_back(connection: sqlite3.Connection, which: str, value: int | str) -> None:
    ended = connection.execute(f"delete from reservations where {which} returning build_id, usd_nanos, tokens", (value,)).fetchall()
    for build_id, nanos, tokens in ended:
        _hold(connection, build_id, -nanos, -tokens)


_HOLD = """insert into held values (?, ?, ?)
  on conflict do update set usd_nanos = usd_nanos + excluded.usd_nanos, tokens = tokens + excluded.tokens"""


def _hold(connection: sqlite3.Connection, build_id: str, nanos: int, tokens: int) -> None:
    connection.executemany(_HOLD, (("", nanos, tokens), (build_id, nanos, tokens)))


def _held(connection: sqlite3.Connection, build_id: str) -> tuple[int, int]:
    nanos, tokens = connection.execute("select usd_nanos, tokens from held where build_id = ?", (build_id,)).fetchone() or (0, 0)
    return nanos, tokens


def _room(connection: sqlite3.Connection, wish: Wish) -> Iterator[tuple[Refusal, Decimal | int]]:
    """Each cap with what is spent and held of it, and what is wished for."""
    caps, build, worst = wish.caps, wish.build_id, wish.worst
    if caps.build_usd is not None:
        (spent,) = connection.execute("select usd_nanos from builds where build_id = ?", (build,)).fetchone() or (0,)
        held, _ = _held(connection, build)
        yield Refusal("--budget", caps.build_usd, from_nanos(spent), from_nanos(held)), from_nanos(worst.nanos)
    if caps.usd is None and caps.tokens is None:
        return
    (nanos, tokens), (held_nanos, held_tokens) = paid(connection), _held(connection, "")
    if caps.usd is not None:
        yield Refusal("[budget] usd", caps.usd, from_nanos(nanos), from_nanos(held_nanos)), from_nanos(worst.nanos)
    if caps.tokens is not None:
        yield Refusal("[budget] tokens", caps.tokens, tokens, held_tokens), worst.tokens
