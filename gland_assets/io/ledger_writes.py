"""The ledger's writes, as one commit makes them: paid requests with the sums over them, builds, prompts and reservations."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from gland_assets.io.ledger_layout import BLOCK, STORED, UNKNOWN
from gland_assets.io.reservations import Refusal, add_paid, release, release_all, reserve

Write = tuple[str, tuple[Any, ...]]  # what to write, and its values
Done = int | Refusal | None  # what a reservation was answered with

_STATEMENTS = {
    "build": "insert into builds(build_id, started_at, gland_version, taxonomy_hash) values (?, ?, ?, ?) on conflict do nothing",
    "end": "update builds set ended_at = max(started_at, ?), outcome = ? where build_id = ?",
    "reused": "update builds set reused = reused + ? where build_id = ?",
    "prompt": "insert into prompts(prompt_hash, stage, name, text) values (?, ?, ?, ?) on conflict do nothing",
}
_FORGET = "update requests set request_key = request_key || '-' || number where request_key = ? returning number"
# A reply that a killed prune had only begun to take out is still there, and is met again: the same payment, not another.
_RECALL = """update or ignore requests set request_key = :request_key
  where request_key > :request_key || '-' and request_key < :request_key || '.' and sent_at = :sent_at returning number"""
_INSERT = f"insert into requests({', '.join(STORED)}) values ({', '.join('?' * len(STORED))}) on conflict do nothing"
_ACCEPTED = "update requests set accepted = ? where request_key = ? and accepted is not ? returning number"
_BUILD_SUMS = "update builds set calls = calls + ?, usd_nanos = usd_nanos + ?, unpriced = unpriced + ? where build_id = ?"
_SPENDING = """insert into spending values (?, ?, ?, ?, ?, ?, ?) on conflict do update set calls = calls + excluded.calls,
  prompt_tokens = prompt_tokens + excluded.prompt_tokens, completion_tokens = completion_tokens + excluded.completion_tokens,
  usd_nanos = usd_nanos + excluded.usd_nanos, unpriced = unpriced + excluded.unpriced"""
_TOUCH = "insert into blocks(block, version) values (?, 1) on conflict do update set version = version + 1"


def write(connection: sqlite3.Connection, writes: Sequence[Write]) -> list[Done]:
    """Writes these, in order; gives one answer each."""
    touched: set[int] = set()
    done: list[Done] = []
    sums = _Sums()
    for statement, values in writes:
        answer: Done = None
        if statement == "request":
            touched.update(_write_request(connection, values, sums))
        elif statement == "forget":
            touched.update(_blocks(connection.execute(_FORGET, values)))
        elif statement == "reserve":
            sums.write(connection)  # it goes by them
            answer = reserve(connection, values[0])
        elif statement == "release":
            release(connection, values[0])
        elif statement == "release all":
            release_all(connection, values[0])
        else:
            connection.execute(_STATEMENTS[statement], values)
        done.append(answer)
    sums.write(connection)
    connection.executemany(_TOUCH, ((block,) for block in sorted(touched)))
    return done


class _Sums:
    """What was paid within one commit: summed up here, for a row of sums takes as long to write as a request's own."""

    def __init__(self) -> None:
        self._builds: dict[str, list[int]] = {}  # calls, billionths of dollars, calls of unknown price, tokens
        self._spending: dict[tuple[str, str], list[int]] = {}  # calls, tokens of prompts and replies, billionths, calls of unknown price

    def add(self, row: Mapping[str, Any]) -> None:
        """Counts a paid request."""
        nanos, unpriced = row["usd_nanos"] or 0, int(row["usd_nanos"] is None)
        prompt, completion = row["prompt_tokens"], row["completion_tokens"]
        _add(self._builds, row["build_id"], (1, nanos, unpriced, prompt + completion))
        _add(self._spending, (row["discipline"], row["stage"]), (1, prompt, completion, nanos, unpriced))

    def write(self, connection: sqlite3.Connection) -> None:
        """Adds what has been counted to the sums in the file."""
        for build_id, (calls, nanos, unpriced, tokens) in self._builds.items():
            # A shared store holds what other projects' builds have paid, too: that is none of this budget.
            if connection.execute(_BUILD_SUMS, (calls, nanos, unpriced, build_id)).rowcount:
                add_paid(connection, nanos, tokens)
        connection.executemany(_SPENDING, ((*which, *sums) for which, sums in self._spending.items()))
        self._builds.clear()
        self._spending.clear()


K = TypeVar("K")


def _add(sums: dict[K, list[int]], key: K, amounts: tuple[int, ...]) -> None:
    known = sums.get(key)
    sums[key] = list(amounts) if known is None else [one + more for one, more in zip(known, amounts, strict=True)]


def _write_request(connection: sqlite3.Connection, values: tuple[Any, ...], sums: _Sums) -> list[int]:
    """The blocks that changed."""
    row = dict(zip(STORED, values, strict=True))
    recalled = _blocks(connection.execute(_RECALL, row))
    added = connection.execute(_INSERT, values)
    if added.rowcount != 1:
        if row["accepted"] == UNKNOWN:
            return recalled
        return recalled + _blocks(connection.execute(_ACCEPTED, (row["accepted"], row["request_key"], row["accepted"])))
    assert added.lastrowid is not None
    sums.add(row)
    return [(added.lastrowid - 1) // BLOCK]


def _blocks(changed: sqlite3.Cursor) -> list[int]:
    return [(number - 1) // BLOCK for (number,) in changed.fetchall()]
