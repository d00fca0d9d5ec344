"""Who shares a bucket or a text with whom, looked up in minhash.duckdb while it is brought up to date, and their texts on demand."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import duckdb
import pyarrow as pa

from gland_assets.core.near import Row
from gland_assets.core.records import Duplicate
from gland_assets.io.partitions import Partitions
from gland_assets.io.sql import query


class Neighbours:
    """core.near's Around, within the transaction that has replaced the changed disciplines' rows in `bands` and `publishable`.

    What these rows were before is in the temporary tables minhash_was and minhash_was_bands.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, partitions: Partitions, changed: Iterable[str]) -> None:
        self._connection, self._partitions = connection, partitions
        self._changed = frozenset(changed)
        self._was: dict[str, Row] = {}
        self._now: dict[str, Row] = {}
        self._before: dict[str, Duplicate] = {}
        self._disciplines: dict[str, str] = {}
        self._buckets: dict[int, list[str]] = {}
        self._alike: dict[str, list[str]] = {}
        self._texts: dict[str, str] = {}

    def meet(self, ids: Collection[str]) -> None:
        """Three scans of the band keys, however many the rows: they are met in heaps."""
        note(self._connection, "minhash_met", ids)
        for name in ("asked", "shared"):
            self._connection.execute(f"create or replace temp table minhash_{name} as {query(f'minhash/{name}')}")
        members = _grouped(self._connection, query("minhash/members"))
        alike = _grouped(self._connection, query("minhash/alike"))
        self._buckets.update(members)
        self._alike.update(alike)
        self._learn({one for group in (*members.values(), *alike.values()) for one in group}.union(ids))
        keys: dict[bool, defaultdict[str, list[int]]] = {True: defaultdict(list), False: defaultdict(list)}
        for one, key, now in self._connection.execute("from minhash_asked semi join minhash_shared using (key)").fetchall():
            keys[now][one].append(key)
        for table, rows, held in (("publishable", self._now, keys[True]), ("minhash_was", self._was, keys[False])):
            met = f"select question_id, text_hash from {table} semi join minhash_met using (question_id)"
            for one, text_hash in self._connection.execute(met).fetchall():
                rows[one] = Row(text_hash, tuple(held[one]))

    def _learn(self, ids: Collection[str]) -> None:
        """Where these rows stand, and what was dropped of them before."""
        note(self._connection, "minhash_known", ids)
        known = "semi join minhash_known using (question_id)"
        self._disciplines.update(self._connection.execute(f"select question_id, discipline from publishable {known}").fetchall())
        self._before.update((row[0], Duplicate(*row)) for row in self._connection.execute(f"from duplicates {known}").fetchall())

    def was(self, question_id: str) -> Row | None:
        """As Around."""
        return (self._was if question_id in self._changed else self._now).get(question_id)

    def now(self, question_id: str) -> Row | None:
        """As Around."""
        return self._now.get(question_id)

    def before(self, question_id: str) -> Duplicate | None:
        """As Around."""
        return self._before.get(question_id)

    def discipline(self, question_id: str) -> str:
        """As Around."""
        return self._disciplines[question_id]

    def bucket(self, key: int) -> Sequence[str]:
        """As Around."""
        return self._buckets[key]

    def alike(self, text_hash: str) -> Sequence[str]:
        """As Around."""
        return self._alike[text_hash]

    def text(self, question_id: str) -> str:
        """The stored text; empty when the partition was replaced meanwhile and has it no more: the next build compares anew.

        Raises WarehouseError when the partition cannot be read.
        """
        if question_id not in self._texts:
            stored = self._partitions.columns("questions", self._disciplines[question_id], ["question_id", "text"])
            texts = zip(stored["question_id"].to_pylist(), stored["text"].to_pylist(), strict=True)
            self._texts.update((one, text) for one, text in texts if text is not None and one in self._disciplines)
        return self._texts.setdefault(question_id, "")


def note(connection: duckdb.DuckDBPyConnection, table: str, ids: Iterable[str]) -> None:
    """Make ids a temporary table of one column."""
    connection.register("given_ids", pa.table({"question_id": pa.array(list(ids), pa.string())}))
    connection.execute(f"create or replace temp table {table} as select * from given_ids")
    connection.unregister("given_ids")


def _grouped(connection: duckdb.DuckDBPyConnection, sql: str) -> dict[Any, list[str]]:
    """First column -> the second ones, in the query's order."""
    found: defaultdict[Any, list[str]] = defaultdict(list)
    for key, one in connection.execute(sql).fetchall():
        found[key].append(one)
    return dict(found)
