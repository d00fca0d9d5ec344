"""What is given to a writer is committed in order and in groups, and nobody waits for longer than he has to."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from gland_assets.core.errors import WarehouseError
from gland_assets.io import group_commits
from gland_assets.io.group_commits import GroupWriter

ENDLESS_S = 3600.0


class Numbers:
    """A file of numbers, and how many came with each commit."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.groups: list[int] = []
        self.writer: GroupWriter[int, int] = GroupWriter(path, self._open, self._write)

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        connection.execute("create table if not exists numbers(place integer primary key, number integer)")
        return connection

    def _write(self, connection: sqlite3.Connection, items: Sequence[int]) -> Sequence[int]:
        self.groups.append(len(items))
        return [connection.execute("insert into numbers(number) values (?)", (item,)).lastrowid or 0 for item in items]

    def stored(self) -> list[int]:
        with closing(sqlite3.connect(self.path)) as connection:
            return [number for (number,) in connection.execute("select number from numbers order by place")]


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commits, "LAZY_S", ENDLESS_S)


@pytest.mark.usefixtures("patient")
def test_what_nobody_waits_for_gathers_until_somebody_does(tmp_path: Path) -> None:
    numbers = Numbers(tmp_path / "numbers.sqlite")
    numbers.writer.post(0)
    numbers.writer.flush()  # the first has nothing to be apart from
    for number in range(1, 50):
        numbers.writer.post(number)

    async def one_more() -> int:
        async with asyncio.timeout(60):
            return await numbers.writer.put(50)

    assert asyncio.run(one_more()) == 51
    assert numbers.stored() == list(range(51))
    assert len(numbers.groups) <= 3
    numbers.writer.close()


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("how", ["flush", "close"])
def test_flushing_and_closing_wait_for_nothing(tmp_path: Path, how: str) -> None:
    numbers = Numbers(tmp_path / "numbers.sqlite")
    numbers.writer.post(0)
    numbers.writer.flush()
    for number in range(1, 20):
        numbers.writer.post(number)
    getattr(numbers.writer, how)()
    assert numbers.stored() == list(range(20))
    numbers.writer.close()


def test_many_askers_at_once_share_commits_and_get_their_own_answers(tmp_path: Path) -> None:
    numbers = Numbers(tmp_path / "numbers.sqlite")

    async def all_of_them() -> list[int]:
        return list(await asyncio.gather(*map(numbers.writer.put, range(500))))

    places = asyncio.run(all_of_them())
    assert places == list(range(1, 501)) and numbers.stored() == list(range(500))
    assert len(numbers.groups) < 100
    numbers.writer.close()


def test_a_commit_that_fails_is_told_to_its_askers_and_to_the_next_flush(tmp_path: Path) -> None:
    numbers = Numbers(tmp_path / "nowhere" / "numbers.sqlite")
    with pytest.raises(WarehouseError):
        asyncio.run(numbers.writer.put(1))
    with pytest.raises(WarehouseError):
        numbers.writer.flush()
    numbers.writer.flush()  # told once
    numbers.path.parent.mkdir()
    assert asyncio.run(numbers.writer.put(2)) == 1
    numbers.writer.close()


@pytest.mark.parametrize("group", [1, 2, 2000])
def test_who_waits_does_not_wait_for_what_nobody_waits_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, group: int) -> None:
    monkeypatch.setattr(group_commits, "LAZY_S", 600.0)
    monkeypatch.setattr(group_commits, "GROUP", group)
    under_way, queued = threading.Event(), threading.Event()
    written: list[int] = []

    def write(connection: sqlite3.Connection, items: Sequence[int]) -> list[int]:
        under_way.set()
        assert queued.wait(30)
        written.extend(items)
        return list(items)

    def opened() -> sqlite3.Connection:
        return sqlite3.connect(tmp_path / "a.sqlite", isolation_level=None)

    writer: GroupWriter[int, int] = GroupWriter(tmp_path / "a.sqlite", opened, write)

    async def main() -> None:
        first = asyncio.create_task(writer.put(0))
        await asyncio.to_thread(under_way.wait, 30)
        writer.post(1)  # while the first is being committed
        writer.post(2)
        second = asyncio.create_task(writer.put(3))
        await asyncio.sleep(0)
        queued.set()
        assert list(await asyncio.wait_for(asyncio.gather(first, second), 30)) == [0, 3]

    asyncio.run(main())
    writer.post(4)
    writer.flush()
    assert written == [0, 1, 2, 3, 4]
    writer.close()
