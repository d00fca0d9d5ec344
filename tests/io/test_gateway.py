"""The gateway over real sockets: nothing is paid twice, and what happens is counted and told."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gland_assets.core.cost import usd
from gland_assets.core.requests import Reply, request_key
from tests.io.asking import PRICE, Bench, ask, deployment, failure, request, text_of
from tests.server import ModelServer

CANARY = "sk-canary-4711-secret"


def test_a_reply_is_paid_once_and_then_reused(server: ModelServer, bench: Bench) -> None:
    main = deployment(server.url)
    first, again = bench.gateway(main), bench.gateway(main)
    [(text, paid)] = ask(first, request())
    [(same, reused)] = ask(again, request())
    assert text == same == paid.text
    assert reused == replace(paid, reused=True)
    assert server.count == 1
    assert (first.tally.calls, first.tally.reused, again.tally.calls, again.tally.reused) == (1, 0, 0, 1)
    assert (paid.build_id, paid.deployment, paid.attempts, paid.reused) == (first.build_id, "main", 1, False)
    assert paid.usd == usd(PRICE, paid.prompt_tokens, 4, paid.completion_tokens)
    assert paid.request_key == request_key(request(), main.identity)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.integers(0, 6), min_size=1, max_size=5), min_size=1, max_size=4))
def test_any_order_of_builds_pays_for_each_request_once(server: ModelServer, builds: list[list[int]]) -> None:
    server.reset()
    texts: dict[int, set[str]] = {}
    with TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        for numbers in builds:
            gateway = bench.gateway(deployment(server.url))
            for number, (text, _) in zip(numbers, ask(gateway, *(request(f"question {n}") for n in numbers)), strict=True):
                texts.setdefault(number, set()).add(text)
            gateway.close()
        assert server.answered == len(texts) == len(bench.requests())
    assert all(len(said) == 1 for said in texts.values())


def test_identical_requests_at_once_are_one_call(server: ModelServer, bench: Bench) -> None:
    server.state.latency = 0.05
    gateway = bench.gateway(deployment(server.url))
    outcomes = ask(gateway, *([request()] * 20), request("another"))
    assert server.count == 2
    assert len({text for text, _ in outcomes}) == 2
    assert (gateway.tally.calls, gateway.tally.reused) == (2, 19)


def test_event_loops_of_one_process_pay_once_for_the_same_request(server: ModelServer, bench: Bench) -> None:
    server.state.latency = 0.05
    gateways, told = [bench.gateway(deployment(server.url)) for _ in range(2)], list[Any]()
    loops = [threading.Thread(target=lambda gateway=gateway: told.extend(ask(gateway, request(), request("two")))) for gateway in gateways]
    for loop in loops:
        loop.start()
    for loop in loops:
        loop.join()
    assert server.answered == 2
    assert sorted(reply.reused for _, reply in told) == [False, False, True, True]


def test_who_shares_a_call_gets_its_reply_when_the_first_asker_is_called_off(server: ModelServer, bench: Bench) -> None:
    server.state.latency = 0.1
    gateway = bench.gateway(deployment(server.url))

    async def first_leaves() -> tuple[str, Reply]:
        first = asyncio.create_task(gateway.ask(request(), text_of))
        await asyncio.sleep(0.03)
        second = asyncio.create_task(gateway.ask(request(), text_of))
        await asyncio.sleep(0.03)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        return await second

    text, _ = asyncio.run(first_leaves())
    assert text


def test_a_failure_is_shared_like_a_reply(server: ModelServer, bench: Bench) -> None:
    server.fail("400", times=1)
    server.state.latency = 0.05
    outcomes = ask(bench.gateway(deployment(server.url)), request(), request())
    assert [failure(each).cause for each in outcomes] == ["bad_request", "bad_request"]
    assert server.count == 1


def test_the_key_shows_nowhere(server: ModelServer, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THEIR_KEY", CANARY)
    main = deployment(server.url, key_env="THEIR_KEY")
    server.fail("400", message=f"what is {CANARY}?", match="one")
    server.fail("500", message=f"what is {CANARY}?", match="two")
    server.fail("401", message=f"what is {CANARY}?", match="three")
    gateway = bench.gateway(main)
    outcomes = ask(gateway, request("one"), request("two")) + ask(gateway, request("three"))
    assert server.log[0]["authorization"] == f"Bearer {CANARY}"
    told = [str(outcome) + repr(getattr(outcome, "detail", "")) for outcome in outcomes] + [repr(bench.events)]
    assert "canary" not in "".join(told)
    gateway.close()
    stored = b"".join(path.read_bytes() for path in bench.warehouse.rglob("*") if path.is_file())
    assert b"canary" not in stored


def test_measuring_counts_what_is_asked_inside_by_step(server: ModelServer, bench: Bench) -> None:
    gateway = bench.gateway(deployment(server.url), deployment(server.url, "unpriced", price=None))
    ask(gateway, request("before"))
    with gateway.measuring() as first:
        ask(gateway, request("before"), request("one"), request("two", stage="questions"))
    with gateway.measuring() as second:
        ask(gateway, request("three", ("unpriced",)))
    assert (first.calls, first.reused, second.calls, gateway.tally.calls) == (2, 1, 1, 4)
    assert {stage: tally.calls for stage, tally in first.stages.items()} == {"answers": 1, "questions": 1}
    assert first.usd is not None
    assert first.usd > 0
    assert second.usd is None
    assert first.completion_tokens > 0
    assert len(bench.requests()) == 4  # in the ledger when the measuring ends


def test_measures_of_tasks_side_by_side_do_not_mix(server: ModelServer, bench: Bench) -> None:
    gateway = bench.gateway(deployment(server.url))

    async def step(count: int) -> int:
        with gateway.measuring() as tally:
            await asyncio.gather(*(gateway.ask(request(f"step {count} question {n}"), text_of) for n in range(count)))
        return tally.calls

    async def both() -> list[int]:
        return list(await asyncio.gather(step(2), step(5)))

    assert asyncio.run(both()) == [2, 5]


def test_a_shared_store_serves_projects_and_each_ledger_learns_what_it_uses(server: ModelServer, tmp_path: Path) -> None:
    shared = tmp_path / "shared.sqlite"
    mine, theirs = Bench(tmp_path / "mine"), Bench(tmp_path / "theirs")
    [(text, paid)] = ask(mine.gateway(deployment(server.url), store=shared), request())
    gateway = theirs.gateway(deployment(server.url, "other-name", model="openai/main-model"), store=shared)
    [(same, _)] = ask(gateway, request(models=("other-name",), discipline="algebra"))
    assert (same, server.count) == (text, 1)
    gateway.close()
    [row] = theirs.requests()
    assert (row["build_id"], row["discipline"], row["usd_nanos"]) == (paid.build_id, "algebra", int((paid.usd or Decimal(0)).scaleb(9)))
    for bench in (mine, theirs):
        for each_gateway in bench.opened:
            each_gateway.close()


def test_a_revision_asks_anew_and_a_route_does_not(server: ModelServer, bench: Bench) -> None:
    main = deployment(server.url)
    for changed in (main, replace(main, route="openai/elsewhere"), replace(main, key_env=None, timeout=3.0), replace(main, revision="2")):
        ask(bench.gateway(changed), request())
    assert [each["body"]["model"] for each in server.log] == ["main-model", "main-model"]


def test_one_gateway_serves_many_event_loops(server: ModelServer, bench: Bench) -> None:
    gateway = bench.gateway(deployment(server.url, max_parallel_requests=2))
    for number in range(4):
        assert len(ask(gateway, *(request(f"loop {number} question {n}") for n in range(5)))) == 5
    assert (server.answered, gateway.tally.calls) == (20, 20)


def test_events_tell_what_happened(server: ModelServer, bench: Bench) -> None:
    server.fail("500")
    server.fail("empty")
    gateway = bench.gateway(deployment(server.url))
    [(text, reply)] = ask(gateway, request())
    ask(gateway, request())
    assert [event.kind for event in bench.events] == ["retry", "rejected", "accepted", "rejected", "accepted"]
    accepted = bench.events[2]
    assert (accepted.stage, accepted.discipline, accepted.text, accepted.reused) == ("answers", "logic", text, False)
    assert (accepted.tokens, accepted.usd) == (reply.prompt_tokens + reply.completion_tokens, reply.usd)
    assert (accepted.deployment, accepted.instead_of, accepted.seconds) == ("main", "", reply.latency_s)
    assert (bench.events[0].deployment, bench.events[0].cause) == ("main", "provider_error")
    assert (bench.events[4].usd, bench.events[4].reused) == (Decimal(0), True)
