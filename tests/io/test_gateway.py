"""The gateway over real sockets: nothing is paid twice, faults are survived or named, limits hold, and stopping is prompt."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gland_assets.core.budget import Caps
from gland_assets.core.chain import TRIES
from gland_assets.core.cost import usd
from gland_assets.core.errors import EnvironmentFault, Stopped, WarehouseError
from gland_assets.core.fanout import each
from gland_assets.core.project import Deployment
from gland_assets.core.requests import Message, Rejected, Reply, Request, RequestFailed, request_key
from gland_assets.io import store_layout
from gland_assets.io.gateway import Gateway
from gland_assets.io.ledger import Ledger
from gland_assets.io.sending import Waits
from gland_assets.io.store import ResponseStore
from tests.io.asking import PRICE, QUICK, deployment, project_of, request
from tests.server import ModelServer

NO_CAPS = Caps()
CANARY = "sk-canary-4711-secret"
SCHEMA = {
    "type": "object", "required": ["names"], "additionalProperties": False,
    "properties": {"names": {"type": "array", "minItems": 2, "items": {"type": "string"}}},
}  # fmt: skip


class Bench:
    """Gateways over one warehouse, one after the other, as builds follow each other."""

    def __init__(self, warehouse: Path) -> None:
        self.warehouse = warehouse
        self.opened: list[Gateway] = []
        self.events: list[Any] = []

    def gateway(
        self, *deployments: Deployment, waits: Waits = QUICK, store: Path | None = None, caps: Caps = NO_CAPS, **how: Any
    ) -> Gateway:
        """A gateway of a build of its own."""
        ledger = Ledger(self.warehouse)
        build_id = ledger.start_build("0.1.0", "taxonomy")
        responses = ResponseStore(store or self.warehouse / "responses.sqlite")
        made = Gateway(project_of(*deployments), responses, ledger, build_id, caps, on_event=self.events.append, waits=waits, **how)
        self.opened.append(made)
        return made

    def requests(self) -> list[dict[str, Any]]:
        """The ledger's rows."""
        with sqlite3.connect(self.warehouse / "ledger.sqlite") as connection:
            connection.row_factory = sqlite3.Row
            rows = [dict(row) for row in connection.execute("select * from requests order by number")]
        connection.close()
        return rows


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    for gateway in made.opened:
        gateway.close()


def text_of(reply: Reply) -> str:
    return reply.text


def ask(gateway: Gateway, *asked: Request, accept: Callable[[Reply], Any] = text_of) -> list[Any]:
    """Results, or the errors in their place, of requests asked at once in an event loop of their own."""

    async def all_at_once() -> list[Any]:
        return list(await asyncio.gather(*(gateway.ask(one, accept) for one in asked), return_exceptions=True))

    return asyncio.run(all_at_once())


def failure(outcome: Any) -> RequestFailed:
    assert isinstance(outcome, RequestFailed)
    return outcome


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


def test_rejected_replies_are_stored_and_their_seeds_are_walked_again(server: ModelServer, bench: Bench) -> None:
    seeds: list[int] = []

    def third_time(reply: Reply) -> str:
        if len(seeds) < 2:
            seeds.append(1)
            raise Rejected("off_topic", "not this one")
        return reply.text

    first = bench.gateway(deployment(server.url))
    [(text, reply)] = ask(first, request(), accept=third_time)
    assert server.count == 3
    assert len({each["body"]["seed"] for each in server.log}) == 3
    assert [each["body"]["seed"] for each in server.log] == [request().retry(n).seed for n in range(3)]
    assert (first.tally.calls, first.tally.rejected) == (3, 2)
    first.flush()
    assert [row["accepted"] for row in bench.requests()] == [0, 0, 1]
    seeds.clear()
    again = bench.gateway(deployment(server.url))
    assert ask(again, request(), accept=third_time) == [(text, replace(reply, reused=True))]
    assert (server.count, again.tally.calls, again.tally.reused) == (3, 0, 3)


def test_a_request_fails_by_name_when_every_try_is_rejected_and_costs_nothing_again(server: ModelServer, bench: Bench) -> None:
    server.fail("refusal", times=100)
    main = deployment(server.url)
    first = bench.gateway(main)
    failed = failure(ask(first, request())[0])
    assert (failed.cause, failed.attempts, failed.request) == ("refusal", TRIES, request())
    assert failed.request_key == request_key(request().retry(TRIES - 1), main.identity)
    assert server.count == TRIES
    assert failure(ask(bench.gateway(main), request())[0]).cause == "refusal"
    assert server.count == TRIES
    assert first.tally.failures == 1


@pytest.mark.parametrize(
    ("kind", "cause"),
    [
        ("empty", "empty"),
        ("refusal", "refusal"),
        ("loop", "loop"),
        ("echo", "echo"),
        ("length", "cut_off"),
        ("content_filter", "content_filter"),
    ],
)
def test_a_bad_reply_is_asked_again(server: ModelServer, bench: Bench, kind: str, cause: str) -> None:
    server.fail(kind)
    gateway = bench.gateway(deployment(server.url))
    [(_, reply)] = ask(gateway, request("A question long enough to be recognised, word for word, when it comes back as its own answer."))
    assert server.count == 2
    assert reply.text
    assert [event.text.partition(":")[0] for event in bench.events if event.kind == "rejected"] == [cause]


@pytest.mark.parametrize(("kind", "cause"), [("bad_json", "not_json"), ("refusal", "refusal")])
def test_a_reply_that_is_not_the_json_asked_for_is_asked_again(server: ModelServer, bench: Bench, kind: str, cause: str) -> None:
    server.fail(kind)
    [(names, _)] = ask(bench.gateway(deployment(server.url)), request(schema=SCHEMA), accept=lambda reply: json.loads(reply.text)["names"])
    assert len(names) >= 2
    assert server.count == 2
    assert [event.text.partition(":")[0] for event in bench.events if event.kind == "rejected"] == [cause]


def test_json_that_does_not_fit_the_schema_is_rejected_where_the_server_does_not_hold_to_it(server: ModelServer, bench: Bench) -> None:
    impossible = {
        "type": "object",
        "properties": {"n": {"type": "integer", "minimum": 5, "maximum": 5, "multipleOf": 7}},
        "required": ["n"],
    }
    failed = failure(ask(bench.gateway(deployment(server.url)), request(schema=impossible))[0])
    assert failed.cause == "schema"
    assert "$.n" in failed.detail


@pytest.mark.parametrize("kind", ["429", "500", "503", "reset", "garbage", "no_choices"])
def test_what_waiting_can_cure_is_cured_by_waiting(server: ModelServer, bench: Bench, kind: str) -> None:
    server.fail(kind, times=QUICK.retries)
    gateway = bench.gateway(deployment(server.url), deployment(server.url, "spare"))
    [(_, reply)] = ask(gateway, request(models=("main", "spare")))
    assert (reply.deployment, reply.attempts) == ("main", QUICK.retries + 1)
    assert gateway.tally.retries == QUICK.retries
    assert len([event for event in bench.events if event.kind == "retry"]) == QUICK.retries


def test_a_hanging_call_is_given_up_and_repeated(server: ModelServer, bench: Bench) -> None:
    server.fail("hang")
    [(_, reply)] = ask(bench.gateway(deployment(server.url, timeout=0.3)), request())
    assert reply.attempts == 2


def test_retry_after_is_waited_for_and_bounded(server: ModelServer, bench: Bench) -> None:
    waits = Waits(retries=1, first=0.0, longest=0.0, obeyed=0.2)
    assert waits.before(0, 0.1) == 0.1
    assert waits.before(0, 3600.0) == 0.2
    assert waits.before(0, None) == 0.0
    heard: list[tuple[int, float | None]] = []

    class Heard(Waits):
        def before(self, retry: int, asked: float | None) -> float:
            heard.append((retry, asked))
            return 0.0

    server.fail("429", times=2, retry_after=3600)
    began = time.monotonic()
    ask(bench.gateway(deployment(server.url), waits=Heard(obeyed=0.3)), request())
    assert heard == [(0, 3600.0), (1, 3600.0)]
    assert server.count == 3
    assert time.monotonic() - began >= 0.6  # the endpoint is left alone for as long as is granted, whatever one request waits for


@given(st.integers(0, 40), st.none() | st.floats(0, 1e6))
def test_waits_stay_within_their_bounds(retry: int, asked: float | None) -> None:
    waits = Waits()
    assert 0 <= waits.before(retry, asked) <= waits.obeyed + waits.longest
    assert waits.before(retry, asked) >= min(asked or 0, waits.obeyed)


@pytest.mark.parametrize("kind", ["429", "500", "400", "404", "401"])
def test_the_next_deployment_answers_and_its_answer_stands(server: ModelServer, bench: Bench, kind: str) -> None:
    server.fail(kind, times=100, match="main-model")
    both = (deployment(server.url), deployment(server.url, "spare"))
    [(text, reply)] = ask(bench.gateway(*both), request(models=("main", "spare")))
    assert (reply.deployment, reply.model) == ("spare", "spare-model-served")
    assert (bench.events[-1].deployment, bench.events[-1].instead_of) == ("spare", "main")
    assert reply.attempts == (QUICK.retries + 2 if kind in ("429", "500") else 2)
    server.reset()
    [(again, _)] = ask(bench.gateway(*both), request(models=("main", "spare")))
    assert (again, server.count) == (text, 0)


@pytest.mark.parametrize(
    ("kind", "cause"), [("429", "rate_limited"), ("500", "provider_error"), ("reset", "connection"), ("400", "bad_request")]
)
def test_a_fault_no_deployment_cures_is_one_failed_request(server: ModelServer, bench: Bench, kind: str, cause: str) -> None:
    server.fail(kind, times=100, match="unlucky")
    gateway = bench.gateway(deployment(server.url), deployment(server.url, "spare"))
    models = ("main", "spare")
    unlucky, (text, _) = ask(gateway, request("an unlucky question", models), request("a lucky one", models))
    calls = 2 if kind == "400" else 2 * (QUICK.retries + 1)
    assert (failure(unlucky).cause, failure(unlucky).attempts) == (cause, calls)
    assert text
    server.reset()
    [(_, reply)] = ask(bench.gateway(deployment(server.url)), request("an unlucky question"))
    assert not reply.reused  # a fault is no reply: it is asked again in the next build


@pytest.mark.parametrize(
    ("kind", "message", "advice"),
    [
        ("401", "no", "check the key"),
        ("402", "pay", "top up"),
        ("429", "insufficient_quota", "top up"),
        ("403", "no", "may use"),
        ("404", "no such model", "does not know it"),
    ],
)
def test_what_only_the_user_can_cure_stops_the_build(server: ModelServer, bench: Bench, kind: str, message: str, advice: str) -> None:
    server.fail(kind, times=100, message=message)
    gateway = bench.gateway(deployment(server.url, max_parallel_requests=2))
    outcomes = ask(gateway, *(request(f"question {n}") for n in range(20)))
    assert all(isinstance(each, EnvironmentFault) for each in outcomes)
    assert advice in str(outcomes[0])
    assert "deployment.main" in str(outcomes[0])
    assert server.count <= 2  # those already on their way; nobody asks in vain a thousand times


def test_a_missing_key_stops_the_build_only_when_no_deployment_is_left(server: ModelServer, bench: Bench) -> None:
    keyless = deployment(server.url, key_env="NOT_SET_ANYWHERE")
    [(_, reply)] = ask(bench.gateway(keyless, deployment(server.url, "spare")), request(models=("main", "spare")))
    assert (reply.deployment, reply.attempts) == ("spare", 1)
    [stopped] = ask(bench.gateway(keyless), request("another"))
    assert isinstance(stopped, EnvironmentFault)
    assert "NOT_SET_ANYWHERE" in str(stopped)


def test_one_forbidden_question_does_not_stop_a_deployment_that_answers(server: ModelServer, bench: Bench) -> None:
    gateway = bench.gateway(deployment(server.url))
    ask(gateway, request("first"))
    server.fail("403", match="barred")
    outcomes = ask(gateway, request("a barred question"))
    assert failure(outcomes[0]).cause == "forbidden"
    assert isinstance(ask(gateway, request("third"))[0], tuple)


def test_a_server_that_was_never_there_stops_the_build(bench: Bench) -> None:
    [stopped] = ask(bench.gateway(deployment("http://127.0.0.1:9/v1")), request())
    assert isinstance(stopped, EnvironmentFault)
    assert "http://127.0.0.1:9/v1" in str(stopped)


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


def test_the_parallel_limit_holds(server: ModelServer, bench: Bench) -> None:
    server.state.latency = 0.1
    gateway = bench.gateway(deployment(server.url, max_parallel_requests=2))
    ask(gateway, *(request(f"question {n}") for n in range(12)))
    assert server.state.most_in_flight == 2


def test_each_endpoint_of_equal_rank_has_its_own_limit(server: ModelServer, bench: Bench) -> None:
    server.state.latency = 0.1
    gateway = bench.gateway(deployment((server.url, server.url.replace("127.0.0.1", "localhost")), max_parallel_requests=2))
    ask(gateway, *(request(f"question {n}") for n in range(12)))
    assert server.state.most_in_flight == 4


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


def test_conversations_are_echoes_only_of_what_was_said(server: ModelServer, bench: Bench) -> None:
    server.fail("echo")
    turns = (
        Message("user", "Name three fruits, please."),
        Message("assistant", "Apple, pear and plum."),
        Message("user", "And three more?"),
    )
    [(_, reply)] = ask(bench.gateway(deployment(server.url)), request(messages=turns))
    assert reply.text != "And three more?"
    assert server.count == 2
