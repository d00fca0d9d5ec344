"""Commits gather what comes, and nobody waits for what only those who do not wait put off."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from gland_assets.io import group_commits
from gland_assets.io.group_commits import GroupWriter


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
