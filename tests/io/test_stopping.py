"""Stopping is prompt, and keeps what is under way."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gland_assets.core.errors import Stopped
from gland_assets.core.fanout import each
from gland_assets.io.sending import Waits
from tests.io.asking import Bench, ask, deployment, request, text_of
from tests.server import ModelServer


def test_stopping_keeps_what_is_under_way_and_calls_off_what_waits(server: ModelServer, bench: Bench) -> None:
    halt = False
    gateway = bench.gateway(
        deployment(server.url, max_parallel_requests=1), deployment(server.url, "slow"), stop=lambda: halt,
        waits=Waits(retries=5, first=60.0, longest=60.0),
    )  # fmt: skip
    server.fail("500", times=100, match="failing")

    async def stop_midway() -> list[Any]:
        nonlocal halt
        await gateway.ask(request("first"), text_of)
        server.state.latency = 0.5
        waiting = [
            asyncio.create_task(gateway.ask(asked, text_of))
            for asked in (
                request("in flight"), request("in flight"), request("waits for its turn"),
                request("failing, sleeps before it is repeated", ("slow",)),
            )
        ]  # fmt: skip
        while server.count < 3:
            await asyncio.sleep(0.01)
        halt = True
        return await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 10)

    ends = asyncio.run(stop_midway())
    assert [type(each) for each in ends] == [tuple, Stopped, Stopped, Stopped]
    assert server.answered == gateway.store.count() == 2
    assert [type(each) for each in ask(gateway, request("late"))] == [Stopped]


def test_stopping_ends_a_fan_out_as_stopped(server: ModelServer, bench: Bench) -> None:
    server.fail("hang", times=1000)
    halt = False
    gateway = bench.gateway(deployment(server.url, timeout=1.0), stop=lambda: halt)

    async def build() -> None:
        nonlocal halt
        fan = asyncio.create_task(each(range(40), lambda number: gateway.ask(request(f"question {number}"), text_of)))
        while server.count == 0:
            await asyncio.sleep(0.01)
        halt = True
        await fan

    with pytest.raises(Stopped):
        asyncio.run(asyncio.wait_for(build(), 10))


def test_a_cancelled_asker_is_cancelled_and_not_stopped(server: ModelServer, bench: Bench) -> None:
    server.fail("hang")
    gateway = bench.gateway(deployment(server.url))

    async def leave() -> None:
        asking = asyncio.create_task(gateway.ask(request(), text_of))
        while server.count == 0:
            await asyncio.sleep(0.01)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

    asyncio.run(leave())
