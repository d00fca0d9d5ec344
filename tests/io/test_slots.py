"""Slots hold over all processes of a machine, are shared fairly, and none is lost, however a process ends."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gland_assets.core.errors import WarehouseError
from gland_assets.io.slots import Slots, _Shared

TAKES = """
import asyncio, sys, time
from pathlib import Path
from gland_assets.io.slots import Slots
slots, log, name = Slots(Path(sys.argv[1]), int(sys.argv[2])), sys.argv[3], sys.argv[4]
async def one():
    async with slots.one():
        with open(log, "a", buffering=1) as out:
            out.write(f"{time.monotonic()} 1 {name}\\n")
        await asyncio.sleep(0.01)
        with open(log, "a", buffering=1) as out:
            out.write(f"{time.monotonic()} -1 {name}\\n")
async def main():
    await asyncio.gather(*(one() for _ in range(int(sys.argv[5]))))
print("ready", flush=True)
sys.stdin.readline()
asyncio.run(main())
"""
HOLDS = """
import asyncio, sys
from pathlib import Path
from gland_assets.io.slots import Slots
async def main():
    slots = Slots(Path(sys.argv[1]), 2)
    async with slots.one(), slots.one():
        print("held", flush=True)
        await asyncio.sleep(60)
asyncio.run(main())
"""


def start(script: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.parametrize(("limit", "processes"), [(4, 3), (1, 3)])
def test_no_more_than_the_limit_are_held_at_once_and_each_process_gets_its_share(tmp_path: Path, limit: int, processes: int) -> None:
    log, each = tmp_path / "log", 60
    crew = [start(TAKES, tmp_path / "slots.lock", limit, log, name, each) for name in range(processes)]
    assert [said(one) for one in crew] == ["ready"] * processes
    for one in crew:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.close()
    assert [one.wait(60) for one in crew] == [0] * processes
    for one in crew:
        assert one.stdout is not None
        one.stdout.close()
    events = sorted((float(at), int(more), name) for at, more, name in (line.split() for line in log.read_text().splitlines()))
    held = most = 0
    for _, more, _ in events:
        held += more
        most = max(most, held)
    assert most == limit and held == 0 and len(events) == 2 * processes * each
    # While all want slots, none of them waits for another's end: when the first has had all its turns, each has had some.
    turns = [name for _, more, name in events if more == 1]
    early = turns[: min(len(turns) - turns[::-1].index(str(name)) for name in range(processes))]
    assert {early.count(str(name)) >= each // 10 for name in range(processes)} == {True}


def test_a_killed_process_holds_nothing(tmp_path: Path) -> None:
    holder = start(HOLDS, tmp_path / "slots.lock")
    assert said(holder) == "held"
    slots = Slots(tmp_path / "slots.lock", 2)

    async def wait(seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds), slots.one():
                return True
        except TimeoutError:
            return False

    assert not asyncio.run(wait(0.3))
    holder.kill()
    holder.communicate()
    assert asyncio.run(wait(30))
    slots.close()


def test_two_gateways_of_one_process_share_the_limit_too(tmp_path: Path) -> None:
    first, second = Slots(tmp_path / "slots.lock", 2), Slots(tmp_path / "slots.lock", 2)
    held = most = 0

    async def one(slots: Slots) -> None:
        nonlocal held, most
        async with slots.one():
            held += 1
            most = max(most, held)
            await asyncio.sleep(0.002)
            held -= 1

    async def all_at_once() -> None:
        await asyncio.gather(*(one(slots) for slots in (first, second) for _ in range(20)))

    asyncio.run(all_at_once())
    assert (most, held) == (2, 0)
    first.close()
    asyncio.run(one(second))  # the file is open as long as one of them uses it
    assert held == 0
    second.close()


def test_who_is_called_off_while_waiting_or_holding_leaves_no_slot_behind(tmp_path: Path) -> None:
    slots = Slots(tmp_path / "slots.lock", 1)

    async def hold() -> None:
        async with slots.one():
            await asyncio.sleep(60)

    async def calling_off() -> None:
        for _ in range(20):
            tasks = [asyncio.create_task(hold()) for _ in range(3)]
            await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        async with asyncio.timeout(10), slots.one():
            pass

    asyncio.run(calling_off())
    slots.close()


def test_waiters_are_served_in_order(tmp_path: Path) -> None:
    slots, order = Slots(tmp_path / "slots.lock", 1), list[int]()

    async def one(number: int) -> None:
        async with slots.one():
            order.append(number)
            await asyncio.sleep(0)

    async def all_at_once() -> None:
        await asyncio.gather(*(one(number) for number in range(50)))

    asyncio.run(all_at_once())
    assert order == list(range(50))
    slots.close()


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=60))
@settings(max_examples=50, deadline=None)
def test_names_take_turns_and_each_is_served_in_order(asking: list[str]) -> None:
    slots, order = Slots(None, 1), list[tuple[str, int]]()

    async def one(whose: str, number: int) -> None:
        async with slots.one(whose):
            order.append((whose, number))
            await asyncio.sleep(0)

    async def all_at_once() -> None:
        await asyncio.gather(*(one(whose, number) for number, whose in enumerate(asking)))

    asyncio.run(all_at_once())
    assert len(order) == len(asking)
    served = Counter[str]()
    for whose, number in order:
        assert number == [place for place, other in enumerate(asking) if other == whose][served[whose]]
        served[whose] += 1
        waiting = [other for other in served if served[other] < asking.count(other)]
        assert all(served[whose] - served[other] <= 2 for other in waiting)  # the first one came when nobody waited


def test_event_loops_of_one_process_share_too(tmp_path: Path) -> None:
    path, order, under_way = tmp_path / "slots.lock", list[str](), threading.Event()

    def run(name: str, count: int) -> None:
        slots = Slots(path, 4)

        async def one() -> None:
            async with slots.one():
                order.append(name)
                await asyncio.sleep(0.002)
            if len(order) >= 20:
                under_way.set()

        async def all_at_once() -> None:
            await asyncio.gather(*(one() for _ in range(count)))

        asyncio.run(all_at_once())
        slots.close()

    large = threading.Thread(target=run, args=("large", 2000))
    large.start()
    assert under_way.wait(60)
    run("small", 50)
    large.join()
    assert len(order) == 2050
    small = [place for place, name in enumerate(order) if name == "small"]
    assert small[-1] - small[0] <= 1000, "it waited for the end of the other"


def test_a_lock_that_fails_is_told_to_those_who_wait(tmp_path: Path) -> None:
    holder = start(HOLDS, tmp_path / "a.lock")
    assert said(holder) == "held"

    async def waits() -> None:
        slots = Slots(tmp_path / "a.lock", 2)

        async def one() -> None:
            async with slots.one():
                pass

        waiting = [asyncio.create_task(one()) for _ in range(3)]
        await asyncio.sleep(0)
        descriptor = cast(_Shared, slots._file)._descriptor
        kept, unusable = os.dup(descriptor), os.open(tmp_path / "a.lock", os.O_RDONLY)
        os.dup2(unusable, descriptor)  # a file that may only be read takes no lock to write
        told = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 20)
        os.dup2(kept, descriptor)
        os.close(kept)
        os.close(unusable)
        assert [type(one) for one in told] == [WarehouseError] * 3

    asyncio.run(waits())
    holder.kill()
    holder.communicate()


def test_a_folder_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WarehouseError, match="cannot be opened"):
        Slots(tmp_path / "file" / "slots.lock", 1)
