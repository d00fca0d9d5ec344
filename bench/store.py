"""What a response store of many replies costs: python -m bench.store [--runs N] [--folder DIR] [replies].

Makes a store of so many replies (by default a million) in a temporary folder, and measures looking up, opening, putting, `gland store
stats` and `gland store verify`; last, what the store and the ledger take of a request at 64 in flight. Texts are passages of the manual
that comes with Python, of 50 to 6,000 characters, every third as JSON, of a mean length that is printed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from pydoc_data.topics import topics
from random import Random

from bench.changes import cpu, declare, machine
from gland_assets.core.project import StageSettings
from gland_assets.core.requests import Message, Reply, Request, request_key
from gland_assets.io.ledger import Ledger
from gland_assets.io.paid import paid_reply
from gland_assets.io.store import ResponseStore
from tests.cli.running import command

MODEL = "openai/large-1"
MANUAL = " ".join(" ".join(topics[name].split()) for name in sorted(topics))
LENGTHS = (50, 6000)  # characters: as many replies of each length as of every other
STAGES = ("questions", "answers")
SETTINGS = StageSettings(("large",), 0.7, 0.95, 2048)
STARTED = datetime(2026, 1, 1, tzinfo=UTC)
AT_ONCE = 2000  # put at once when the store is made
IN_FLIGHT = 64
LATENCY_S = (0.1, 0.3)
ASKED = 3000  # requests whose CPU is measured


def text(number: int) -> str:
    """A reply: the same number, the same text."""
    rng = Random(number)
    at, length = rng.randrange(len(MANUAL) - LENGTHS[1]), rng.randint(*LENGTHS)
    said = MANUAL[at : at + length]
    if number % 3:
        return said
    phrases = said.split(". ")
    return json.dumps({"sessions": [{"title": phrase[:40], "key_concepts": phrase[40:].split(", ")} for phrase in phrases]})


def asked(number: int) -> Request:
    """A request, its prompt some 400 characters long."""
    at = number * 7919 % (len(MANUAL) - 400)
    turns = (Message("user", MANUAL[at : at + 400]),)
    stage = STAGES[number % len(STAGES)]
    return Request(stage, f"discipline-{number // 4000:04}", f"{number:032x}", turns, f"{0:032x}", SETTINGS, number)


def answered(number: int, key: str) -> Reply:
    """What was paid for it."""
    sent_at = STARTED + timedelta(seconds=number)
    build_id = f"20260101-000000-{number // 100_000:08x}"
    return Reply(key, text(number), "stop", "large", MODEL, 300, 0, 400, Decimal("0.0011"), 2.5, 1, build_id, sent_at)


async def put(store: ResponseStore, numbers: range) -> None:
    """Puts replies, all of them at once."""
    requests = [asked(number) for number in numbers]
    pairs = [(answered(number, request_key(request, MODEL)), request) for number, request in zip(numbers, requests, strict=True)]
    await asyncio.gather(*(store.put(reply, request, MODEL) for reply, request in pairs))


def tell(what: str, taken: list[float], unit: str) -> None:
    """One line of the table."""
    print(f"| {what} | {statistics.median(taken):,.1f} {unit} | {min(taken):,.1f}–{max(taken):,.1f} |", flush=True)


def timed(run: Callable[[], object], clock: Callable[[], float], runs: int) -> list[float]:
    """Milliseconds that each of several runs takes by a clock."""
    taken = []
    for _ in range(runs):
        before = clock()
        run()
        taken.append((clock() - before) * 1000)
    return taken


def looked_up(store: ResponseStore, count: int, runs: int) -> None:
    """1,000 keys in one call, others each time; and one by one."""
    rng = Random(1)

    def keys(size: int) -> list[str]:
        return [request_key(asked(number), MODEL) for number in rng.sample(range(count), size)]

    sets: Iterator[list[str]] = iter([keys(1000) for _ in range(2 * runs)])

    def all_of_them() -> None:
        assert len(store.get(next(sets))) == 1000

    all_of_them()  # once unmeasured
    tell("look up 1,000 replies, wall", timed(all_of_them, time.perf_counter, runs), "ms")
    known = keys(1000)
    tell("look up one reply, CPU", timed(lambda: [store.get((key,)) for key in known], time.process_time, runs), "µs")
    missing = [key[::-1] for key in known]
    tell("look up one that is not there, CPU", timed(lambda: [store.get((key,)) for key in missing], time.process_time, runs), "µs")


def opened(path: Path) -> None:
    """The first look into the file."""
    with closing(ResponseStore(path)) as store:
        store.get(("none",))


async def flights(folder: Path, first: int, stored: bool) -> float:
    """CPU microseconds a request: its key, looking for its reply, waiting for one, putting and recording it. Not `stored`: only waiting."""
    with closing(ResponseStore(folder / "responses.sqlite")) as store, closing(Ledger(folder)) as ledger:
        ledger.start_build("0", "")
        store.prove()
        numbers = iter(range(first, first + ASKED))
        replies = {number: answered(number, "") for number in range(first, first + ASKED)}
        rng = Random(first)

        async def ask() -> None:
            for number in numbers:
                await asyncio.sleep(rng.uniform(*LATENCY_S))
                if stored:
                    await kept(number)

        async def kept(number: int) -> None:
            request = asked(number)
            key = request_key(request, MODEL)
            assert paid_reply(store, ledger, key) is None
            given = replies[number]
            reply = Reply(key, *(getattr(given, name) for name in Reply.__dataclass_fields__ if name != "request_key"))
            await store.put(reply, request, MODEL)
            ledger.record(reply, request, accepted=True)

        before = time.process_time()
        await asyncio.gather(*(ask() for _ in range(IN_FLIGHT)))
        ledger.flush()
        return (time.process_time() - before) / ASKED * 1e6


def main(count: int, folder: Path, runs: int) -> None:
    """Make the store if `folder` does not hold it yet, and measure."""
    warehouse = folder / "warehouse"
    path = warehouse / "responses.sqlite"
    declare(folder, 9, "http://127.0.0.1:9/v1")
    print(f"{machine()}, SQLite {sqlite3.sqlite_version}\n", flush=True)
    store = ResponseStore(path)
    if not store.count():
        before, at = time.process_time(), time.perf_counter()
        for start in range(0, count, AT_ONCE):
            asyncio.run(put(store, range(start, min(start + AT_ONCE, count))))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"made in {time.perf_counter() - at:,.0f} s, {(time.process_time() - before) / count * 1e6:.0f} µs CPU a reply; {peak:,.0f} MB"
        )
    store.close()
    mean = statistics.mean(len(text(number).encode()) for number in range(2000))
    print(f"{count:,} replies of {mean:,.0f} bytes: {path.stat().st_size / count:,.0f} bytes a reply in the file\n")
    print("| what | median | least–most |\n|---|---|---|", flush=True)
    tell("open, wall", timed(lambda: opened(path), time.perf_counter, runs), "ms")
    looked_up(store, count, runs)
    tell("`gland store stats`, CPU", [cpu(*command("store", "stats"), folder=folder, says=f"{count:,}") for _ in range(runs)], "s")
    tell("`gland store verify`, CPU", [cpu(*command("store", "verify"), folder=folder, says="All is well")], "s")
    turns = iter(range(10**7, 10**9, AT_ONCE))
    put_in = timed(lambda: asyncio.run(put(store, range(at := next(turns), at + AT_ONCE))), time.process_time, runs)
    tell(f"put, {AT_ONCE:,} at once, CPU a reply with its making", [taken * 1000 / AT_ONCE for taken in put_in], "µs")
    store.close()
    waiting = [asyncio.run(flights(folder / "flights", 10**9 + turn * ASKED, False)) for turn in range(runs)]
    taken = [asyncio.run(flights(folder / "flights", 10**9 + turn * ASKED, True)) for turn in range(runs)]
    tell(f"a request at {IN_FLIGHT} in flight, CPU", [each - statistics.median(waiting) for each in taken], "µs")


if __name__ == "__main__":
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("replies", type=int, nargs="?", default=1_000_000)
    given.add_argument("--folder", type=Path, help="where the store is kept and found again; by default it is thrown away")
    given.add_argument("--runs", type=int, default=5)
    wanted = given.parse_args()
    with tempfile.TemporaryDirectory() as thrown_away:
        main(wanted.replies, wanted.folder or Path(thrown_away), wanted.runs)
