"""The response store: what was put is there, for every process, after any crash; the first reply of a key stands."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gland_assets.core.errors import WarehouseError
from gland_assets.core.key_parts import KeyParts
from gland_assets.core.requests import Reply
from gland_assets.io.store import ResponseStore
from gland_assets.io.store_layout import kept, text_of
from tests.io.asking import reply, request

TEXTS = st.text(st.characters(codec="utf-8"), max_size=60)
LONG_TEXTS = st.builds(lambda text, times: text * times, TEXTS, st.integers(1, 100))
REPLIES = st.builds(
    replace, st.just(reply()), request_key=st.text("abcdef", min_size=1, max_size=3), text=LONG_TEXTS, model=TEXTS,
    usd=st.none() | st.decimals(0, 10, places=9), latency_s=st.floats(0, 100), prompt_tokens=st.integers(0, 10**9),
)  # fmt: skip

LAYOUT_1 = """create table responses(
  request_key text not null unique, text text not null, finish_reason text not null, deployment text not null, model text not null,
  prompt_tokens integer not null, cached_tokens integer not null, completion_tokens integer not null,
  usd text, latency_s real not null, attempts integer not null, build_id text not null, sent_at text not null,
  stage text not null, discipline text not null, prompt_hash text not null);
insert into responses values ('old', 'said before', 'stop', 'main', 'model-a', 12, 4, 9, '0.5', 0.25, 1, 'build-0',
  '2026-01-01T00:00:00+00:00', 'answers', 'logic', 'hash of a prompt');
pragma user_version = 1"""
LAYOUT_2 = LAYOUT_1.replace("prompt_hash text not null);", "prompt_hash text not null, parts text);").replace(
    "'hash of a prompt');", "'hash of a prompt', null);").replace("user_version = 1", "user_version = 2")  # fmt: skip

PUTTER = """
import asyncio, sys
from pathlib import Path
from gland_assets.io.store import ResponseStore
from tests.io.asking import reply, request
async def main(store, start, count):
    async def put(number):
        await store.put(reply(f"key-{number}", f"text of {number}"), request(), "model-a")
        print(number, flush=True)
    for wave in range(start, start + count, 50):
        await asyncio.gather(*(put(number) for number in range(wave, min(wave + 50, start + count))))
asyncio.run(main(ResponseStore(Path(sys.argv[1])), int(sys.argv[2]), int(sys.argv[3])))
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ResponseStore]:
    opened = ResponseStore(tmp_path / "responses.sqlite")
    yield opened
    opened.close()


def put(store: ResponseStore, *replies: Reply) -> list[Reply]:
    async def all_at_once() -> list[Reply]:
        return await asyncio.gather(*(store.put(each, request(), "model-a") for each in replies))

    return asyncio.run(all_at_once())


@settings(max_examples=25, deadline=None)
@given(st.lists(REPLIES, max_size=12))
def test_what_was_put_first_is_found_again_whole(replies: list[Reply]) -> None:
    first: dict[str, Reply] = {}
    for each in replies:
        first.setdefault(each.request_key, replace(each, reused=True))
    with TemporaryDirectory() as folder:
        store = ResponseStore(Path(folder) / "responses.sqlite")
        put(store, *replies)
        store.close()
        again = ResponseStore(Path(folder) / "responses.sqlite")
        assert again.get([*first, "unknown"]) == first
        assert again.count() == len(first)
        again.close()


def test_put_tells_which_reply_stands(store: ResponseStore) -> None:
    mine, other = reply("key", "mine"), reply("key", "other")
    assert put(store, mine) == [mine]
    assert put(store, other) == [replace(mine, reused=True)]


def test_a_store_without_a_file_holds_nothing_and_makes_none(store: ResponseStore) -> None:
    assert store.get(["key"]) == {}
    assert store.count() == 0
    assert not store.path.exists()


def test_more_keys_than_one_query_takes(store: ResponseStore) -> None:
    put(store, *(reply(f"key-{number}") for number in range(1300)))
    assert len(store.get([f"key-{number}" for number in range(2000)])) == 1300


def test_many_puts_share_few_commits(store: ResponseStore) -> None:
    put(store, reply("first"))
    batches: list[int] = []
    write = store._writer._write

    def counted(connection: sqlite3.Connection, rows: object) -> object:
        batches.append(len(rows))  # type: ignore[arg-type]
        return write(connection, rows)  # type: ignore[arg-type]

    store._writer._write = counted  # type: ignore[assignment]
    put(store, *(reply(f"key-{number}") for number in range(500)))
    assert sum(batches) == 500
    assert len(batches) < 100


def test_put_returns_only_when_another_process_can_read_it(store: ResponseStore) -> None:
    async def put_and_look() -> list[tuple[int]]:
        await store.put(reply("key"), request(), "model-a")
        with sqlite3.connect(store.path) as other:
            return other.execute("select count(*) from responses where request_key = 'key'").fetchall()

    assert asyncio.run(put_and_look()) == [(1,)]


def test_the_commit_reaches_the_disk(store: ResponseStore) -> None:
    put(store, reply("key"))
    connection = store._open()
    assert connection.execute("pragma synchronous").fetchone() == (2,)  # full
    assert connection.execute("pragma journal_mode").fetchone() == ("wal",)
    connection.close()


def test_a_cancelled_asker_loses_nothing_that_arrived(store: ResponseStore) -> None:
    async def give_up() -> None:
        putting = asyncio.create_task(store.put(reply("key"), request(), "model-a"))
        await asyncio.sleep(0)
        putting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await putting

    asyncio.run(give_up())
    store.close()
    assert "key" in store.get(["key"])


def test_processes_write_one_file_at_once(store: ResponseStore) -> None:
    # Four processes open a file that is not there yet, and half of their keys are the same.
    children = [
        subprocess.Popen([sys.executable, "-c", PUTTER, str(store.path), str(start), "200"], stdout=subprocess.DEVNULL)
        for start in (0, 100, 200, 300)
    ]
    assert [child.wait(60) for child in children] == [0, 0, 0, 0]
    assert store.count() == 500
    assert {key: each.text for key, each in store.get(["key-0", "key-150", "key-499"]).items()} == {
        "key-0": "text of 0", "key-150": "text of 150", "key-499": "text of 499",
    }  # fmt: skip


def test_a_killed_process_loses_nothing_it_was_told_is_stored(store: ResponseStore) -> None:
    child = subprocess.Popen([sys.executable, "-c", PUTTER, str(store.path), "0", "100000"], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    told = [int(child.stdout.readline()) for _ in range(300)]
    os.kill(child.pid, signal.SIGKILL)
    told += [int(line) for line in child.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
    child.stdout.close()
    child.wait(30)
    assert set(store.get([f"key-{number}" for number in told])) == {f"key-{number}" for number in told}


def test_what_cannot_be_stored_says_so_and_hinders_nothing_after_it(store: ResponseStore) -> None:
    put(store, reply("first"))
    with pytest.raises(WarehouseError):
        put(store, reply("half an emoji", "\ud83d"))
    put(store, reply("second"))
    assert set(store.get(["first", "half an emoji", "second"])) == {"first", "second"}


def test_a_damaged_file_says_what_to_do(store: ResponseStore) -> None:
    store.path.write_bytes(b"this is no database" * 1000)
    with pytest.raises(WarehouseError, match=r"responses\.sqlite is damaged.*put a copy of it back, or run `gland salvage`"):
        store.get(["key"])
    with pytest.raises(WarehouseError, match="damaged"):
        put(store, reply("key"))


FILLS_THE_DISK = """
import asyncio, resource, signal, sys
from pathlib import Path
from gland_assets.core.errors import WarehouseError
from gland_assets.io.store import ResponseStore
from tests.io.asking import reply, request
store = ResponseStore(Path(sys.argv[1]))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
async def wave(numbers):
    putting = [store.put(reply(f"key-{number}", "x" * 2000), request(), "model-a") for number in numbers]
    return await asyncio.gather(*putting, return_exceptions=True)
def put(numbers):
    failed = []
    for start in range(0, len(numbers), 20):
        for number, answer in zip(numbers[start:], asyncio.run(wave(numbers[start:start + 20]))):
            if isinstance(answer, WarehouseError):
                failed.append(number)
                assert "make room" in str(answer), answer
            else:
                assert not isinstance(answer, BaseException), answer
    return failed
resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, resource.RLIM_INFINITY))
failed = put(range(400))
print(failed, flush=True)
sys.stdin.readline()
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert put(failed) == []
store.close()
"""


def test_a_disk_that_fills_up_during_a_commit_loses_nothing_that_was_told_stored(store: ResponseStore) -> None:
    command = [sys.executable, "-c", FILLS_THE_DISK, str(store.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        failed = {f"key-{number}" for number in json.loads(child.stdout.readline())}
        every = {f"key-{number}" for number in range(400)}
        assert 20 < len(failed) < 400
        assert set(store.get(every)) == every - failed, "a commit is whole or not at all"
        child.communicate("\n")
    assert child.returncode == 0
    assert set(store.get(every)) == every, "with room again the same process stores what it could not"


def test_a_locked_file_says_what_to_do(store: ResponseStore, monkeypatch: pytest.MonkeyPatch) -> None:
    put(store, reply("first"))
    store.close()
    monkeypatch.setattr("gland_assets.io.store.BUSY_SECONDS", 0.05)
    with sqlite3.connect(store.path, isolation_level=None) as holder:
        holder.execute("begin immediate")
        assert "first" in store.get(["first"])  # readers wait for nobody
        with pytest.raises(WarehouseError, match="locked by another process"):
            put(store, reply("second"))
        holder.execute("rollback")
    put(store, reply("second"))
    holder.close()
    assert store.count() == 2


def test_a_new_file_that_another_process_is_laying_out_is_waited_for(store: ResponseStore) -> None:
    # SQLite itself does not wait here: `pragma journal_mode = wal` fails at once while another writes.
    store.path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(store.path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("create table theirs(a)")
        other.execute("begin immediate")
        done = threading.Timer(0.2, other.execute, ("commit",))
        done.start()
        store.prove()
        done.join()
    assert store.count() == 0


def test_a_file_of_a_newer_version_is_left_alone(store: ResponseStore) -> None:
    with sqlite3.connect(store.path) as newer:
        newer.execute("pragma user_version = 99")
    newer.close()
    with pytest.raises(WarehouseError, match="newer GLAND"):
        put(store, reply("key"))


def test_a_folder_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    store = ResponseStore(tmp_path / "file" / "responses.sqlite")
    with pytest.raises(WarehouseError, match="cannot be read or written"):
        put(store, reply("key"))
    store.close()


def test_dollars_keep_every_digit(store: ResponseStore) -> None:
    put(store, reply("key", usd=Decimal("0.000000001")))
    assert store.get(["key"])["key"].usd == Decimal("0.000000001")


def laid_out_before(path: Path, layout: str = LAYOUT_1) -> None:
    """A store as an older layout was, with one reply."""
    with sqlite3.connect(path, isolation_level=None) as older:
        older.executescript(layout)
    older.close()


@given(LONG_TEXTS)
def test_a_text_is_kept_in_no_more_room_than_it_takes_and_comes_back(text: str) -> None:
    raw = text.encode()
    standing = kept(raw)
    assert text_of(standing) == text
    assert len(standing) < len(raw) if isinstance(standing, bytes) else standing == text


@pytest.mark.parametrize("layout", [LAYOUT_1, LAYOUT_2])
def test_an_older_store_is_read_beside_what_is_put_into_it(store: ResponseStore, layout: str) -> None:
    laid_out_before(store.path, layout)
    long = "Said now. " * 200
    put(store, reply("new", long))
    assert {key: each.text for key, each in store.get(["old", "new"]).items()} == {"old": "said before", "new": long}
    with closing(sqlite3.connect(store.path)) as connection:
        rows = dict(connection.execute("select request_key, typeof(text) || ' ' || coalesce(size, 'unknown') from responses"))
    assert rows == {"old": "text unknown", "new": f"blob {len(long)}"}, "the old row stands as it was written"
    assert {each.request_key: each.bytes for each in store.of_discipline("logic")}["old"] == len("said before")
    [old, new] = sorted(store.sums(), key=lambda each: each.build_id)
    assert (old.text_bytes, old.kept_bytes, old.usd) == (11, 11, Decimal("0.5"))
    assert new.text_bytes == len(long) > 10 * new.kept_bytes


@settings(max_examples=25, deadline=None)
@given(st.lists(REPLIES, max_size=12), st.integers(1, 5))
def test_sums_are_those_of_the_replies_however_many_are_read_at_once(replies: list[Reply], at_once: int) -> None:
    first: dict[str, Reply] = {}
    for each in replies:
        first.setdefault(each.request_key, each)
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patched:
        patched.setattr("gland_assets.io.store.RANGE", at_once)
        store = ResponseStore(Path(folder) / "responses.sqlite")
        put(store, *replies)
        heard: list[float] = []
        sums = store.sums(heard.append)
        store.close()
    assert sum(each.replies for each in sums) == len(first)
    assert sum(each.usd for each in sums) == sum(each.usd for each in first.values() if each.usd is not None)
    assert sum(each.unpriced for each in sums) == sum(each.usd is None for each in first.values())
    assert sum(each.text_bytes for each in sums) == sum(len(each.text.encode()) for each in first.values())
    assert sum(each.prompt_tokens for each in sums) == sum(each.prompt_tokens for each in first.values())
    assert heard == sorted(heard) and (not first or heard[-1] == 1.0)


def test_a_store_of_the_first_layout_is_brought_up_in_place(store: ResponseStore) -> None:
    laid_out_before(store.path)
    put(store, reply("new"))
    assert {key: each.text for key, each in store.get(["old", "new"]).items()} == {"old": "said before", "new": reply().text}
    with closing(sqlite3.connect(store.path)) as connection:
        assert connection.execute("pragma user_version").fetchone() == (3,)
        kept = dict(connection.execute("select request_key, parts from responses").fetchall())
        searched = connection.execute("explain query plan select 1 from responses where discipline = 'a' and stage = 'b'").fetchall()
    assert kept["old"] is None, "what it was asked with is not known"
    assert kept["new"] == KeyParts.of(request(), "model-a").packed()
    assert any("INDEX asked" in row[3] for row in searched)


def test_processes_bring_one_older_store_up_at_once(store: ResponseStore) -> None:
    laid_out_before(store.path)
    children = [
        subprocess.Popen([sys.executable, "-c", PUTTER, str(store.path), str(start), "50"], stdout=subprocess.DEVNULL)
        for start in (0, 50, 100)
    ]
    assert [child.wait(60) for child in children] == [0, 0, 0]
    assert store.count() == 151


def test_a_discipline_s_replies_are_listed_and_taken_out(store: ResponseStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gland_assets.io.store.KEYS", 2)

    async def fill() -> None:
        for number in range(5):
            slug = ("logic", "optics")[number % 2]
            await store.put(reply(f"key-{number}", "three é"), replace(request(), discipline=slug), "model-a")

    assert (store.disciplines(), store.of_discipline("logic")) == ([], [])
    asyncio.run(fill())
    assert store.disciplines() == ["logic", "optics"]
    listed = store.of_discipline("logic")
    assert [(each.request_key, each.bytes, each.usd) for each in listed] == [(f"key-{n}", 8, Decimal("0.000123456")) for n in (0, 2, 4)]
    store.remove([each.request_key for each in listed])
    assert store.disciplines() == ["optics"] and set(store.get([f"key-{n}" for n in range(5)])) == {"key-1", "key-3"}
