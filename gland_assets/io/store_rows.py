"""Every row of a response store, damaged ones told: a damaged page costs its own rows alone."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gland_assets.io.sqlite import FAULTS
from gland_assets.io.store_layout import COLUMNS, SIZE, parts_of, reply_of

END = 10_000
"""Numbers without a row, on end, before the end of a damaged table is taken to be reached."""
AT_ONCE = 500  # rows read together while nothing is damaged


@dataclass(frozen=True, slots=True)
class Row:
    """A row by its number. `values`, by column, are None when its reply cannot be read; `why` says what is wrong, if anything."""

    number: int
    values: dict[str, Any] | None
    why: str = ""

    @property
    def key(self) -> str:
        """The key of its request, where it can be read."""
        return str((self.values or {}).get("request_key", ""))


def every_row(connection: sqlite3.Connection) -> Iterator[Row]:
    """The rows in order of number. What is wrong beside the reply itself is mended in `values`: parts are left out, sizes put right."""
    connection.row_factory = sqlite3.Row
    start, missing = 1, 0
    unread: list[Row] = []  # since the last row that was found: those after the last one of all were never there
    while missing + len(unread) < END:
        found = _together(connection, start)
        if found is not None:
            yield from unread if found else ()
            unread, missing = [], 0
            yield from map(_row, found)
            if len(found) < AT_ONCE:
                return
            start = found[-1]["number"] + 1
            continue
        for number in range(start, start + AT_ONCE):
            try:
                row = connection.execute("select rowid as number, * from responses where rowid = ?", (number,)).fetchone()
            except FAULTS as error:
                unread.append(Row(number, None, _said(error)))
                continue
            if row is None:
                missing += 1
                continue
            yield from unread
            unread, missing = [], 0
            yield _row(row)
        start += AT_ONCE


def _together(connection: sqlite3.Connection, start: int) -> list[sqlite3.Row] | None:
    """The next rows; None when something among them is damaged."""
    query = "select rowid as number, * from responses where rowid >= ? order by rowid limit ?"
    try:
        found = connection.execute(query, (start, AT_ONCE)).fetchall()
    except FAULTS:
        return None
    numbers = [row["number"] for row in found]
    return found if all(before < after for before, after in zip([start - 1, *numbers], numbers, strict=False)) else None


def _row(row: sqlite3.Row) -> Row:
    values = dict(row)
    number, why = values.pop("number"), ""
    try:
        reply = reply_of([values[name] for name in COLUMNS])
        size = len(reply.text.encode())
    except (ValueError, TypeError, ArithmeticError, AttributeError) as error:
        return Row(number, None, _said(error))
    if values.get(SIZE) not in (None, size):
        values[SIZE], why = size, "its text is of another length than was stored"
    try:
        parts_of(values.get("parts"), values["prompt_hash"])
    except (ValueError, TypeError) as error:
        values["parts"], why = None, f"the parts of its key cannot be read: {_said(error)}"
    return Row(number, values, why)


def _said(error: Exception) -> str:
    """An error in one line; it may quote a whole reply."""
    return " ".join(str(error).partition(" with text ")[0].split())[:100]
