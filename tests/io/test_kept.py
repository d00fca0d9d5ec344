"""What was paid for is kept before it is used, and nothing is asked for that could not be kept."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from gland_assets.core.budget import Caps
from gland_assets.core.errors import WarehouseError
from gland_assets.core.fanout import each
from gland_assets.core.requests import Reply
from gland_assets.io import store_layout
from gland_assets.io.lanes import Lane
from tests.io.asking import Bench, ask, deployment, request, text_of
from tests.server import ModelServer


def test_a_reply_is_durable_before_anything_uses_it(server: ModelServer, bench: Bench) -> None:
    gateway = bench.gateway(deployment(server.url))
    seen: list[str] = []

    def look(reply: Reply) -> str:
        with sqlite3.connect(gateway.store.path) as other:
            seen.extend(
                store_layout.text_of(text)
                for (text,) in other.execute("select text from responses where request_key = ?", [reply.request_key])
            )
        other.close()
        return reply.text

    [(text, _)] = ask(gateway, request(), accept=look)
    assert seen == [text]


BUILD = """
import asyncio, sys
from pathlib import Path
from gland_assets.core.budget import Caps
from gland_assets.io.gateway import Gateway
from gland_assets.io.ledger import Ledger
from gland_assets.io.store import ResponseStore
from tests.io.asking import deployment, project_of, request
warehouse, url, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
ledger = Ledger(warehouse)
store = ResponseStore(warehouse / "responses.sqlite")
gateway = Gateway(project_of(deployment(url, max_parallel_requests=4)), store, ledger, ledger.start_build("0", ""), Caps())
def told(reply):
    print(reply.request_key, flush=True)
async def main():
    await asyncio.gather(*(gateway.ask(request(f"question {n}"), told) for n in range(count)))
asyncio.run(main())
gateway.close()
"""


def test_a_killed_build_pays_for_nothing_twice(server: ModelServer, bench: Bench) -> None:
    server.state.latency = 0.02
    child = subprocess.Popen([sys.executable, "-c", BUILD, str(bench.warehouse), server.url, "60"], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    accepted = [child.stdout.readline() for _ in range(10)]
    os.kill(child.pid, signal.SIGKILL)
    accepted += [line for line in child.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
    child.stdout.close()
    child.wait(30)
    server.reset()
    gateway = bench.gateway(deployment(server.url))
    stored = gateway.store.count()
    assert len(accepted) <= stored < 60
    ask(gateway, *(request(f"question {n}") for n in range(60)))
    gateway.flush()
    assert server.answered == 60 - stored
    assert len(bench.requests()) == 60  # what the killed build paid is in the ledger now, under its own name
    assert len({row["build_id"] for row in bench.requests()}) == 2


def test_no_reply_is_asked_for_that_could_not_be_kept(server: ModelServer, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gland_assets.io.store.BUSY_SECONDS", 0.05)
    ask(bench.gateway(deployment(server.url)), request("first"))
    with closing(sqlite3.connect(bench.warehouse / "responses.sqlite", isolation_level=None)) as holder:
        holder.execute("begin exclusive")
        [told] = ask(bench.gateway(deployment(server.url)), request("second"))
        assert isinstance(told, WarehouseError) and "locked by another process" in str(told)
        assert server.count == 1
    [(_, reply)] = ask(bench.gateway(deployment(server.url)), request("second"))
    assert not reply.reused


def test_once_a_reply_cannot_be_kept_no_more_are_paid_for(server: ModelServer, bench: Bench) -> None:
    gateway = bench.gateway(deployment(server.url, max_parallel_requests=4))
    ask(gateway, request("first"))
    with closing(sqlite3.connect(bench.warehouse / "responses.sqlite", isolation_level=None)) as other:
        other.execute("create trigger full before insert on responses begin select raise(abort, 'database or disk is full'); end")
    server.state.latency = 0.1

    async def all_rows() -> None:
        await each([request(f"question {number}") for number in range(200)], lambda one: gateway.ask(one, text_of))

    with pytest.raises(WarehouseError, match="make room"):
        asyncio.run(all_rows())
    assert server.answered <= 1 + 3 * 4  # those under way, and those that took their places before the first was found not kept


def test_a_pace_that_cannot_be_kept_ends_the_build_and_leaves_nothing_set_aside(
    server: ModelServer, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise WarehouseError("_lane-main.lock cannot be locked")

    gateway = bench.gateway(deployment(server.url), caps=Caps(tokens=300))
    monkeypatch.setattr(Lane, "replied", fails)

    async def asking() -> None:
        await asyncio.wait_for(gateway.ask(request(), text_of), 30)

    with pytest.raises(WarehouseError, match="cannot be locked"):
        asyncio.run(asking())
    monkeypatch.undo()
    [(_, reply)] = ask(gateway, request())  # the whole cap is there for it
    assert not reply.reused and server.answered == 2


def test_a_reply_that_was_paid_for_and_is_lost_is_told_and_not_paid_for_again(server: ModelServer, bench: Bench) -> None:
    first = bench.gateway(deployment(server.url))
    ask(first, request("first"), request("second"))
    first.flush()
    first.store.close()
    for path in bench.warehouse.glob("responses.sqlite*"):
        path.unlink()
    again = bench.gateway(deployment(server.url))
    [told] = ask(again, request("first"))
    [(_, reply)] = ask(again, request("third"))
    assert isinstance(told, WarehouseError) and "has lost replies that were paid for: 2 are on record" in str(told)
    assert not reply.reused and server.count == 3
