"""`gland store verify` finds what is damaged, says where and what to do; and finds nothing in a store that is whole."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from gland_assets.io import store_rows
from gland_assets.io.ledger import Ledger
from gland_assets.io.store_rows import every_row
from gland_assets.io.verify import verify
from tests.cli.running import gland
from tests.recovery.conftest import Built
from tests.recovery.test_damage import overwrite


def change(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(statement)


def without_an_index_entry(path: Path) -> None:
    """One row stands in the table, and its index knows nothing of it: SQLite itself is made to believe that there is no index."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("pragma writable_schema = on")
        [(name, page, sql)] = connection.execute("select name, rootpage, sql from sqlite_master where name = 'asked'").fetchall()
        connection.execute("delete from sqlite_master where name = 'asked'")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("update responses set discipline = 'elsewhere' where rowid = 3")
        connection.execute("pragma writable_schema = on")
        connection.execute("insert into sqlite_master values ('index', ?, 'responses', ?, ?)", (name, page, sql))


DAMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "a text that does not inflate": (
        lambda path: change(path, "update responses set text = x'789c4bcb' where rowid = 2"), "row 2: its text cannot be inflated"),
    "a text that was altered": (
        lambda path: change(path, "update responses set text = 'less' where rowid = 2"), "its text is of another length"),
    "a price that is none": (lambda path: change(path, "update responses set usd = 'dear' where rowid = 2"), "row 2: "),
    "a time that is none": (lambda path: change(path, "update responses set sent_at = 'noon' where rowid = 2"), "row 2: Invalid isoformat"),
    "parts that are none": (lambda path: change(path, "update responses set parts = '[1' where rowid = 2"), "the parts of its key"),
    "an index that disagrees": (without_an_index_entry, "missing from index asked"),
    "its head overwritten": (lambda path: overwrite(path, 0, 4096), "file is not a database"),
    "a page overwritten": (lambda path: overwrite(path, 4096 * 4, 3000), "responses.sqlite: "),
    "of no table": (lambda path: change(path, "drop table responses"), "its table responses is gone"),
}  # fmt: skip


def test_a_whole_store_is_well_and_stays_as_it_is(built: Built) -> None:
    path = built.warehouse / "responses.sqlite"
    before = path.read_bytes()
    ran = gland(built.folder, "store", "verify")
    assert (ran.code, ran.err) == (0, "") and f"All is well: {built.calls} replies in {path}" in ran.out
    assert path.read_bytes() == before


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_told_with_its_row_and_the_next_step(built: Built, damage: str) -> None:
    path = built.warehouse / "responses.sqlite"
    harm, said = DAMAGES[damage]
    harm(path)
    ran = gland(built.folder, "store", "verify")
    assert ran.code == 2 and "Traceback" not in ran.err
    assert said in ran.out, ran.out
    assert "Put a copy of it back, or run `gland salvage`" in ran.err


@pytest.mark.parametrize("damage", [name for name in DAMAGES if name not in ("its head overwritten", "of no table")])
def test_what_salvage_leaves_is_sound_but_for_what_was_lost(built: Built, damage: str) -> None:
    path = built.warehouse / "responses.sqlite"
    DAMAGES[damage][0](path)
    assert gland(built.folder, "salvage").code == 0
    with closing(Ledger(built.warehouse)) as ledger:
        verdict = verify(path, ledger)
    assert not verdict.file and not verdict.rows_damaged
    assert verdict.replies + verdict.keys_lost == built.calls, "whatever is not there is told"


def test_replies_that_are_gone_are_told_by_their_keys(built: Built) -> None:
    path = built.warehouse / "responses.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        [(key,)] = connection.execute("select request_key from responses where rowid = 4")
    change(path, "delete from responses where rowid = 4")
    ran = gland(built.folder, "store", "verify")
    assert ran.code == 2 and f"{key} was paid for, and its reply is not there" in ran.out and "lost 1 reply" in ran.err
    for left in built.warehouse.glob("responses.sqlite*"):
        left.unlink()
    ran = gland(built.folder, "store", "verify")
    assert ran.code == 2 and f"lost {built.calls} replies" in ran.err


def test_rows_beyond_a_wide_gap_are_read_too(built: Built) -> None:
    path = built.warehouse / "responses.sqlite"
    change(path, f"update responses set rowid = rowid + {10 * store_rows.END} where rowid > 5")
    with closing(sqlite3.connect(path)) as connection:
        assert len([row for row in every_row(connection) if row.values]) == built.calls


def test_stats_sums_what_the_ledger_knows(built: Built) -> None:
    shown = gland(built.folder, "store", "stats", "--json").json
    with closing(Ledger(built.warehouse)) as ledger:
        spent = ledger.spent()
    assert (shown["replies"], shown["prompt_tokens"], shown["completion_tokens"]) == (
        spent.calls, spent.prompt_tokens, spent.completion_tokens,
    )  # fmt: skip
    assert shown["usd"] == pytest.approx(float(spent.usd))
    assert sum(each["replies"] for each in shown["by_stage"].values()) == sum(each["replies"] for each in shown["by_model"].values())
    assert shown["kept_bytes"] < shown["text_bytes"] and shown["network_disk"] is None
    said = gland(built.folder, "store", "stats").out
    assert f"{built.calls} replies" in said and f"1 build of this project paid for {built.calls} replies" in said and "questions" in said
