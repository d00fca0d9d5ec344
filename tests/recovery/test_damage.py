"""Damaged and lost files: made again for nothing, or told with what to do; and nothing is paid for twice."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random

import duckdb
import pytest

from gland_assets.core.errors import WarehouseError
from gland_assets.core.plan import make_plan
from gland_assets.io.foresight import foresee
from gland_assets.io.ledger import Ledger
from gland_assets.io.partitions import Partitions
from gland_assets.io.project import load_project
from tests.cli.running import gland
from tests.recovery.conftest import Built
from tests.recovery.published import digests
from tests.server import ModelServer
from tests.test_build import build, rows

SPENT = "select * from requests order by request_key"


def cut(path: Path, keep: int) -> None:
    """Keep the first bytes, or all but the last few."""
    path.write_bytes(path.read_bytes()[:keep])


def overwrite(path: Path, start: int, count: int) -> None:
    """Bytes that no text and no number of ours holds, in place of `count` from `start` on."""
    data = bytearray(path.read_bytes())
    data[start : start + count] = Random(start).choices(range(0xF8, 0x100), k=len(data[start : start + count]))
    path.write_bytes(data)


def drop(path: Path, table: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"drop table {table}")


def gone(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def test_whatever_can_be_made_again_is_made_again_for_nothing(built: Built, server: ModelServer) -> None:
    warehouse, paid = built.warehouse, rows(built.folder, SPENT)
    cut(warehouse / "syllabi" / "logic.parquet", 0)
    cut(warehouse / "questions" / "optics.parquet", -1)
    cut(warehouse / "signatures" / "music.parquet", 8)
    cut(warehouse / "duplicates" / "all.parquet", 500)
    for lost in ("subjects/optics.parquet", "answers", "fields", "ledger", "live", "live.sql", "locks", "dagster"):
        gone(warehouse / lost)
    for part in warehouse.glob("ledger.sqlite*"):
        gone(part)
    cut(warehouse / "minhash.duckdb", 20_000)
    with duckdb.connect(str(warehouse / "gland.duckdb")) as connection:
        connection.execute("drop view dataset; drop table answers; drop table requests; create table mine as select 1 as i")
    code, said = build(built.folder, "--workers", "1")
    assert code == 0, said
    assert server.count == 0
    assert digests(built.folder) == built.digests | {"requests": digests(built.folder)["requests"]}
    assert rows(built.folder, "from mine") == [(1,)]
    # What was used of the replies is known of those that were met again: of all but those of other levels than the lost.
    assert [row[:-2] for row in rows(built.folder, SPENT)] == [row[:-2] for row in paid]
    assert f"ledger.sqlite was gone: {built.calls} paid requests put back on record." in said


DAMAGES: dict[str, Callable[[Path], None]] = {
    "gone": gone,
    "emptied": lambda path: cut(path, 0),
    "cut in half": lambda path: cut(path, path.stat().st_size // 2),
    "its head overwritten": lambda path: overwrite(path, 0, 4096),
    "all but its head overwritten": lambda path: overwrite(path, 4096, 10**9),
    "of no table": lambda path: drop(path, path.stem if path.stem == "responses" else "requests"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_no_reply_that_was_lost_is_paid_for_again(built: Built, server: ModelServer, damage: str) -> None:
    built.edit()
    path = built.warehouse / "responses.sqlite"
    whole = path.read_bytes()
    DAMAGES[damage](path)
    for verb in (["plan"], ["build", "--yes"]):
        ran = gland(built.folder, *verb)
        assert ran.code == 2 and str(path) in ran.err and "Traceback" not in ran.err
        assert ("put the file back" in ran.err) if damage in ("gone", "emptied") else ("put a copy of it back" in ran.err), ran.err
    assert server.count == 0
    for left in built.warehouse.glob("responses.sqlite*"):
        left.unlink()
    path.write_bytes(whole)
    assert gland(built.folder, "plan", "--json").json["requests"]["calls"] == 2


def test_who_wants_to_pay_again_can(built: Built, server: ModelServer) -> None:
    built.edit()
    path = built.warehouse / "responses.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("delete from responses where stage = 'questions'")
        connection.commit()
    ran = gland(built.folder, "plan")
    assert ran.code == 2 and f"{built.calls} are on record, and it holds {built.calls - 6}" in ran.err
    assert f"delete {built.warehouse / 'ledger.sqlite'} and the folder {built.warehouse / 'ledger'}" in ran.err
    for lost in (*built.warehouse.glob("ledger.sqlite*"), built.warehouse / "ledger"):
        gone(lost)
    assert (
        gland(built.folder, "plan", "--json").json["requests"]["calls"] == 6
    )  # three questions of Logic, and answers, as far as one can tell
    with closing(Ledger(built.warehouse)) as ledger:
        assert ledger.spent().calls == built.calls - 6


def test_garbage_anywhere_in_the_stored_replies_is_told_or_does_no_harm(built: Built) -> None:
    for asset in ("syllabi", "questions", "answers"):
        gone(built.warehouse / asset)
    project = load_project(built.folder / "taxonomy.toml")
    plan = make_plan(project, Partitions(built.warehouse).metas())
    path = built.warehouse / "responses.sqlite"
    whole, rng = path.read_bytes(), Random(7)
    assert foresee(project, built.warehouse, plan).all.calls == 0
    told = 0
    for _ in range(60):
        overwrite(path, rng.randrange(100, len(whole)), rng.choice((40, 300, 5000)))
        try:
            assert foresee(project, built.warehouse, plan).all.calls == 0, "a reply that was paid for would be asked for again"
        except WarehouseError as error:
            assert str(path) in str(error) and "back" in str(error)
            told += 1
        path.write_bytes(whole)
    assert told > 20


def test_what_can_be_read_of_a_damaged_store_is_saved(built: Built) -> None:
    built.edit()
    path = built.warehouse / "responses.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        whole = dict(connection.execute("select request_key, text from responses"))
        [(root,)] = connection.execute("select rootpage from sqlite_master where name = 'responses'")
    pages = path.stat().st_size // 4096
    overwrite(path, 4096 * (root - 1) + 4096 * (pages // 2), 3000)  # some page in the middle
    damaged = path.read_bytes()
    ran = gland(built.folder, "salvage")
    assert ran.code == 0 and "replies saved in" in ran.out and "responses.sqlite.damaged" in ran.out
    with closing(sqlite3.connect(path)) as connection:
        saved = dict(connection.execute("select request_key, text from responses"))
        assert connection.execute("pragma integrity_check").fetchall() == [("ok",)]
    assert len(whole) - 8 <= len(saved) <= len(whole) and saved.items() <= whole.items()
    assert (built.warehouse / "responses.sqlite.damaged").read_bytes() == damaged
    assert f"{len(saved)} replies saved" in ran.out and (len(saved) == len(whole)) == ("cannot be read" not in ran.out)
    ran = gland(built.folder, "plan")
    assert ran.code == 0 or "has lost replies that were paid for" in ran.err


def test_a_store_of_which_nothing_can_be_read_stays_as_it_is(built: Built) -> None:
    path = built.warehouse / "responses.sqlite"
    overwrite(path, 0, 4096)
    damaged = path.read_bytes()
    ran = gland(built.folder, "salvage")
    assert ran.code == 2 and f"nothing in {path} can be read; put a copy of it back" in ran.err
    assert path.read_bytes() == damaged and set(built.warehouse.glob("responses.sqlite*")) == {
        path,
        path.with_name("responses.sqlite-asking"),
    }
    path.unlink()
    assert "there is no" in gland(built.folder, "salvage").err


@pytest.mark.parametrize("damage", ["of no table", "its head overwritten", "all but its head overwritten"])
def test_a_damaged_ledger_is_told_and_made_again_once_it_is_out_of_the_way(built: Built, server: ModelServer, damage: str) -> None:
    with closing(Ledger(built.warehouse)) as ledger:
        spent = ledger.spent_by_discipline()
    built.edit()
    path = built.warehouse / "ledger.sqlite"
    DAMAGES[damage](path)
    ran = gland(built.folder, "build", "--yes")
    assert ran.code == 2 and f"{path} is damaged" in ran.err and "move it away with its -wal and -shm files and run again" in ran.err
    assert server.count == 0 and "Traceback" not in ran.err
    for part in built.warehouse.glob("ledger.sqlite*"):
        part.rename(built.folder / part.name)
    assert gland(built.folder, "plan", "--json").json["requests"]["calls"] == 2
    with closing(Ledger(built.warehouse)) as ledger:
        assert ledger.spent_by_discipline() == spent


def test_a_damaged_published_file_is_told_and_made_again_once_it_is_out_of_the_way(built: Built) -> None:
    path = built.warehouse / "gland.duckdb"
    overwrite(path, 8192, 10**9)
    damaged = path.read_bytes()
    for verb in (["build"], ["publish"]):
        ran = gland(built.folder, *verb)
        assert ran.code == 2 and f"{path} is damaged" in ran.err and "move the file away and run `gland publish`" in ran.err, ran.err
    assert path.read_bytes() == damaged
    path.rename(built.folder / "damaged.duckdb")
    assert gland(built.folder, "publish").code == 0
    assert digests(built.folder) == built.digests
