"""The ledger: sums are exact, exports say what the ledger says, and any number of processes may write and export at once."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gland_assets.core.errors import WarehouseError
from gland_assets.core.tables import TABLES
from gland_assets.io import ledger as ledger_module
from gland_assets.io import ledger_export, ledger_writes
from gland_assets.io.ledger import Ledger, Spent
from gland_assets.io.ledger_layout import UNKNOWN
from gland_assets.io.store import ResponseStore
from tests.io.asking import NOON, reply, request

RECORDS = st.lists(
    st.tuples(
        st.integers(0, 30),
        st.sampled_from(["logic", "algebra"]),
        st.none() | st.decimals(0, 100, places=9),
        st.integers(0, 10**6),
        st.booleans(),
    ),
    max_size=25,
)

WRITER = """
import sys
from pathlib import Path
from gland_assets.io.ledger import Ledger
from tests.io.asking import reply, request
ledger = Ledger(Path(sys.argv[1]))
for number in range(int(sys.argv[2]), int(sys.argv[2]) + 150):
    ledger.record(reply(f"key-{number}"), request(), True)
    if number % 25 == 0:
        ledger.sync()
ledger.sync()
ledger.close()
"""


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(tmp_path)
    yield opened
    opened.close()


def exported(ledger: Ledger, table: str) -> list[dict[str, Any]]:
    rows = []
    for path in sorted(ledger.folder.glob(f"{table}*.parquet")):
        with pq.ParquetFile(path) as file:
            rows += file.read().to_pylist()
    return rows


@settings(max_examples=20, deadline=None)
@given(RECORDS)
def test_sums_and_exports_are_those_of_the_first_record_of_each_key(records: list[tuple[int, str, Decimal | None, int, bool]]) -> None:
    first: dict[str, tuple[str, Decimal | None, int]] = {}
    verdicts: dict[str, bool] = {}
    with TemporaryDirectory() as folder:
        ledger = Ledger(Path(folder))
        for number, slug, usd, tokens, accepted in records:
            key = f"key-{number}"
            first.setdefault(key, (slug, usd, tokens))
            verdicts[key] = accepted
            ledger.record(reply(key, usd=usd, prompt_tokens=tokens), request(discipline=slug), accepted)
        for asked in ("logic", "algebra", None):
            mine = [each for each in first.values() if asked in (None, each[0])]
            known = [usd for _, usd, _ in mine if usd is not None]
            assert ledger.spent(asked) == Spent(
                len(mine), sum(tokens for _, _, tokens in mine), 9 * len(mine), sum(known, Decimal(0)), len(mine) - len(known)
            )
        ledger.sync()
        rows = {row["request_key"]: row for row in exported(ledger, "requests")}
        assert {key: (row["discipline"], row["usd"], row["prompt_tokens"]) for key, row in rows.items()} == first
        assert {key: row["accepted"] for key, row in rows.items()} == verdicts
        ledger.close()


def test_a_request_is_exported_with_every_column(ledger: Ledger) -> None:
    ledger.record(reply("key", usd=None), request(), accepted=False)
    ledger.sync()
    assert exported(ledger, "requests") == [
        {
            "request_key": "key", "build_id": "build-1", "discipline": "logic", "stage": "answers", "prompt_hash": "hash of a prompt",
            "deployment": "main", "model": "model-a", "prompt_tokens": 12, "cached_tokens": 4, "completion_tokens": 9, "usd": None,
            "latency_s": 0.25, "attempts": 1, "accepted": False, "sent_at": NOON,
        }
    ]  # fmt: skip


def test_a_build_is_counted_while_it_runs_and_ended_once(ledger: Ledger) -> None:
    build_id = ledger.start_build("0.1.0", "taxonomy")
    ledger.record(reply("one", build_id=build_id, usd=Decimal("0.1")), request(), True)
    ledger.record(reply("two", build_id=build_id, usd=Decimal("0.2")), request(), False)
    ledger.record(reply("two", build_id=build_id, usd=Decimal("0.2")), request(), False)
    ledger.record(reply("old", build_id="another build"), request(), True)
    ledger.add_reused(build_id, 3)
    ledger.add_reused(build_id, 0)
    ledger.sync()
    [running] = exported(ledger, "builds")
    assert (running["build_id"], running["calls"], running["reused"], running["usd"]) == (build_id, 2, 3, Decimal("0.300000000"))
    assert (running["ended_at"], running["outcome"]) == (None, None)
    ledger.end_build(build_id, "done")
    ledger.sync()
    [ended] = exported(ledger, "builds")
    assert ended["outcome"] == "done"
    assert ended["ended_at"].astimezone(UTC) >= ended["started_at"]
    assert (ended["gland_version"], ended["taxonomy_hash"]) == ("0.1.0", "taxonomy")


def test_a_build_with_an_unknown_price_has_no_sum(ledger: Ledger) -> None:
    build_id = ledger.start_build("0.1.0", "taxonomy")
    ledger.record(reply("one", build_id=build_id), request(), True)
    ledger.record(reply("two", build_id=build_id, usd=None), request(), True)
    ledger.sync()
    assert [row["usd"] for row in exported(ledger, "builds")] == [None]
    assert ledger.spent().unpriced == 1


def test_build_ids_sort_by_time(ledger: Ledger) -> None:
    first, second = ledger.start_build("0.1.0", ""), ledger.start_build("0.1.0", "")
    assert first != second
    assert first[:15] <= second[:15]


def test_a_prompt_is_kept_once(ledger: Ledger) -> None:
    ledger.add_prompts([("hash", "answers", "answers.txt", "Answer {question}"), ("hash", "answers", "answers.txt", "other")])
    ledger.sync()
    assert exported(ledger, "prompts") == [{"prompt_hash": "hash", "stage": "answers", "name": "answers.txt", "text": "Answer {question}"}]


def test_an_empty_ledger_exports_typed_files_without_rows(ledger: Ledger) -> None:
    ledger.sync()
    for name in ("requests", "builds", "prompts"):
        assert exported(ledger, name) == []
        described = duckdb.sql(f"describe select * from read_parquet('{ledger.folder}/{name}*.parquet')").fetchall()
        wanted = ", ".join(f"null::{column.type} as {column.name}" for column in TABLES[name].columns)
        assert [row[:2] for row in described] == [row[:2] for row in duckdb.sql(f"describe select {wanted}").fetchall()]


def test_requests_are_exported_in_blocks_and_only_changed_ones_are_written(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (ledger_module, ledger_writes):
        monkeypatch.setattr(module, "BLOCK", 10)
    for number in range(25):
        ledger.record(reply(f"key-{number:02}"), request(), True)
    ledger.sync()
    before = {path.name: path.stat().st_mtime_ns for path in ledger.folder.iterdir()}
    assert len([name for name in before if name.startswith("requests-")]) == 4  # three blocks, and the one without rows
    ledger.sync()
    assert {path.name: path.stat().st_mtime_ns for path in ledger.folder.iterdir()} == before
    ledger.record(reply("key-03"), request(), False)
    ledger.record(reply("key-30"), request(), True)
    ledger.sync()
    after = {path.name: path.stat().st_mtime_ns for path in ledger.folder.iterdir()}
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"requests-0000000001-0000000010.parquet", "requests-0000000021-0000000030.parquet"}
    assert len(exported(ledger, "requests")) == 26


def test_the_exports_are_rebuilt_when_they_are_gone_or_of_another_ledger(ledger: Ledger) -> None:
    ledger.record(reply("key"), request(), True)
    ledger.sync()
    before = exported(ledger, "requests")
    stranger = ledger.folder / "requests-0000900001-0000920000.parquet"
    (ledger.folder / "requests-0000000001-0000020000.parquet").rename(stranger)
    ledger.sync()
    assert exported(ledger, "requests") == before
    assert not stranger.exists()


def test_processes_write_and_export_at_once(ledger: Ledger) -> None:
    children = [subprocess.Popen([sys.executable, "-c", WRITER, str(ledger.path.parent), str(start)]) for start in (0, 100, 200)]
    assert [child.wait(60) for child in children] == [0, 0, 0]
    keys = [row["request_key"] for row in exported(ledger, "requests")]
    assert sorted(keys) == sorted({f"key-{number}" for number in range(350)})
    assert ledger.spent().calls == 350


def test_one_exports_at_a_time(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    # Else one that read earlier could replace the file of one that read later, whose version is the one on record.
    at_work, most = 0, 0

    def watched(connection: sqlite3.Connection, folder: Path, block: int) -> None:
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        time.sleep(0.05)
        export(connection, folder, block)
        at_work -= 1

    export = ledger_export.export
    monkeypatch.setattr(ledger_export, "export", watched)
    ledger.record(reply("key"), request(), True)
    ledger.flush()
    threads = [threading.Thread(target=Ledger(ledger.path.parent).sync) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert most == 1
    assert len(exported(ledger, "requests")) == 1


def test_what_could_not_be_written_is_told_at_the_next_flush(ledger: Ledger) -> None:
    ledger.path.write_bytes(b"this is no database" * 1000)
    ledger.record(reply("key"), request(), True)
    with pytest.raises(WarehouseError, match=r"ledger\.sqlite is damaged"):
        ledger.flush()
    ledger.flush()  # told once
    with pytest.raises(WarehouseError, match="damaged"):
        ledger.start_build("0.1.0", "")


def test_an_unused_ledger_makes_no_file(ledger: Ledger) -> None:
    assert ledger.spent() == Spent(0, 0, 0, Decimal(0), 0)
    assert not ledger.path.exists()


def test_spending_by_discipline(ledger: Ledger) -> None:
    ledger.record(reply("one", usd=Decimal("0.5")), request(), True)
    ledger.record(reply("two", usd=Decimal("0.25")), request(discipline="algebra", stage="questions"), False)
    ledger.record(reply("three", usd=Decimal("0.25")), request(discipline="algebra"), True)
    assert {slug: spent.usd for slug, spent in ledger.spent_by_discipline().items()} == {"logic": Decimal("0.5"), "algebra": Decimal("0.5")}
    assert replace(ledger.spent("algebra"), usd=Decimal(0)) == Spent(2, 24, 18, Decimal(0), 0)


@settings(max_examples=20, deadline=None)
@given(RECORDS, st.integers(0, 25), st.booleans())
def test_a_lost_ledger_is_made_again_from_its_exports_and_the_stored_replies(
    records: list[tuple[int, str, Decimal | None, int, bool]], synced: int, with_exports: bool
) -> None:
    """What was exported comes back whole; of what came after, all but whether a reply was used."""
    with TemporaryDirectory() as folder:
        ledger, store = Ledger(Path(folder)), ResponseStore(Path(folder) / "responses.sqlite")
        build_id = ledger.start_build("0.1.0", "taxonomy")
        known: set[str] = set()
        for count, (number, slug, usd, tokens, accepted) in enumerate(records):
            if count == synced:
                ledger.sync()
                known = {row["request_key"] for row in exported(ledger, "requests")}
            paid = reply(f"key-{number}", usd=usd, prompt_tokens=tokens, build_id=build_id)
            standing = asyncio.run(store.put(paid, request(discipline=slug), "model-a"))
            ledger.record(standing, request(discipline=slug), accepted)
        ledger.flush()
        before = rows_of(ledger, "requests"), rows_of(ledger, "spending")
        ledger.close()
        store.close()
        for path in Path(folder).glob("ledger.sqlite*"):
            path.unlink()
        if not with_exports and known:
            shutil.rmtree(ledger.folder)
            known = set()
        again = Ledger(Path(folder))
        assert again.restore() == len(before[0])
        assert again.restore() == len(before[0]), "once"
        after = rows_of(again, "requests"), rows_of(again, "spending")
        assert after[1] == before[1]
        lost = {row["request_key"] for row in before[0]} - known
        assert [row | {"accepted": None} for row in after[0]] == [row | {"accepted": None} for row in before[0]]
        assert {row["request_key"] for row in after[0] if row["accepted"] == UNKNOWN} == lost
        again.sync()
        assert [row["accepted"] for row in exported(again, "requests") if row["request_key"] in lost] == [None] * len(lost)
        again.close()


def rows_of(ledger: Ledger, table: str) -> list[dict[str, Any]]:
    with ledger.reading() as connection:
        return [dict(row) for row in connection.execute(f"select * from {table} order by 1, 2")]


@pytest.mark.parametrize("keep", [0, 50, -1])
def test_a_damaged_export_is_written_again(ledger: Ledger, keep: int) -> None:
    build_id = ledger.start_build("0.1.0", "taxonomy")
    ledger.record(reply("key", build_id=build_id), request(), True)
    ledger.sync()
    whole = {table: exported(ledger, table) for table in ("requests", "builds", "prompts")}
    for path in ledger.folder.iterdir():
        path.write_bytes(path.read_bytes()[:keep])
    ledger.sync()
    assert {table: exported(ledger, table) for table in whole} == whole


def test_what_is_forgotten_stays_on_record_and_may_be_paid_for_again(ledger: Ledger) -> None:
    ledger.record(reply("a" * 32), request(), accepted=True)
    ledger.record(reply("b" * 32), request(), accepted=True)
    ledger.sync()
    once = ledger.spent()
    ledger.forget(["a" * 32])
    assert ledger.spent() == once and not ledger.knows("a" * 32) and ledger.knows("b" * 32)
    ledger.sync()
    assert {row["request_key"] for row in exported(ledger, "requests")} == {f"{'a' * 32}-1", "b" * 32}
    ledger.record(reply("a" * 32, sent_at=NOON.replace(hour=13)), request(), accepted=True)
    assert ledger.spent().calls == 3 and ledger.knows("a" * 32)


def test_a_reply_met_again_though_it_was_to_be_forgotten_is_no_second_payment(ledger: Ledger) -> None:
    paid = reply("a" * 32)
    ledger.record(paid, request(), accepted=True)
    once = ledger.spent()
    ledger.forget(["a" * 32])  # and the process is killed before the store has let it go
    ledger.record(replace(paid, reused=True), request(), accepted=False)
    assert ledger.spent() == once and ledger.knows("a" * 32)
    ledger.sync()
    assert [(row["request_key"], row["accepted"]) for row in exported(ledger, "requests")] == [("a" * 32, False)]


def test_a_restored_ledger_remembers_what_was_forgotten(ledger: Ledger) -> None:
    ledger.start_build("0.1.0", "t")
    ledger.record(reply("a" * 32), request(), accepted=True)
    ledger.forget(["a" * 32])
    ledger.sync()
    once = ledger.spent()
    ledger.close()
    for path in ledger.path.parent.glob("ledger.sqlite*"):
        path.unlink()
    restored = Ledger(ledger.path.parent)
    assert restored.restore() == 1 and restored.spent() == once and not restored.knows("a" * 32)
    restored.close()
