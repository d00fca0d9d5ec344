"""No cap is passed, whoever spends at the same time; what is left is used; and who dies holds nothing back."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gland_assets.core.budget import NANOS, Caps, Worst, worst_case
from gland_assets.core.cost import from_nanos
from gland_assets.core.errors import BudgetReached, EnvironmentFault
from gland_assets.core.progress import Asked, Counted
from gland_assets.core.project import Deployment, Price
from gland_assets.core.requests import Reply, Request
from gland_assets.io.budget import Budget
from gland_assets.io.gateway import Gateway
from gland_assets.io.ledger import Ledger
from gland_assets.io.ledger_layout import LAYOUT
from gland_assets.io.reservations import Wish
from gland_assets.io.store import ResponseStore
from tests.io.asking import PRICE, QUICK, deployment, project_of, reply, request
from tests.server import ModelServer

WORST = Decimal(worst_case(request("question 00"), PRICE).nanos) / NANOS
MANY = [request(f"question {number:02}") for number in range(30)]


def spend(warehouse: Path, server: ModelServer, caps: Caps, asked: list[Request], **changed: Any) -> list[Any]:
    """Ask all at once within `caps`, in a build of its own; replies or errors."""
    return ask_all(warehouse, [deployment(server.url, **changed)], caps, asked)


def ask_all(
    warehouse: Path, deployments: list[Deployment], caps: Caps, asked: list[Request], on_event: Callable[[Any], None] | None = None
) -> list[Any]:
    """Ask all at once within `caps`, in a build of its own; replies or errors."""
    ledger = Ledger(warehouse)
    store = ResponseStore(warehouse / "responses.sqlite")
    project = project_of(*deployments)
    gateway = Gateway(project, store, ledger, ledger.start_build("0", ""), caps, on_event, waits=QUICK)

    def text(reply: Reply) -> str:
        return reply.text

    async def all_at_once() -> list[Any]:
        return list(await asyncio.gather(*(gateway.ask(one, text) for one in asked), return_exceptions=True))

    try:
        return asyncio.run(all_at_once())
    finally:
        gateway.close()


def paid(warehouse: Path) -> tuple[Decimal, int]:
    ledger = Ledger(warehouse)
    try:
        return ledger.paid()
    finally:
        ledger.close()


def one_costs(tmp_path: Path, server: ModelServer) -> tuple[Decimal, int]:
    """Dollars and tokens of a typical request."""
    spend(tmp_path / "measured", server, Caps(), MANY)
    usd, tokens = paid(tmp_path / "measured")
    server.reset()
    return usd / len(MANY), tokens // len(MANY)


THOUSANDTHS = st.integers(0, 20_000).map(lambda thousandths: Decimal(thousandths) / 1000)  # so that a token costs whole billionths
PRICES = st.builds(Price, THOUSANDTHS, THOUSANDTHS, st.none() | THOUSANDTHS)
FAULTS = st.lists(st.tuples(st.sampled_from(["429", "500", "refusal", "length"]), st.integers(1, 4)), max_size=3)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.tuples(PRICES, PRICES), st.lists(st.integers(1, 400), min_size=4, max_size=24), st.integers(300, 900), st.sampled_from([1, 3]),
    st.sampled_from(["usd", "build_usd", "tokens"]), st.floats(0, 0.4) | st.just(1.2), FAULTS, st.sampled_from([0.0, 0.004]),
)  # fmt: skip
def test_what_the_provider_bills_is_what_all_books_say_and_no_cap_is_passed(
    server: ModelServer, prices: tuple[Price, Price], sizes: list[int], most: int, gateways: int, capped: str, part: float,
    faults: list[tuple[str, int]], latency: float,
) -> None:  # fmt: skip
    server.reset()
    server.state.latency, server.state.spread = latency, 1.0
    for kind, times in faults:
        server.fail(kind, times=times)
    names = ("main", "spare")
    deployments = [deployment(server.url, name, price=price) for name, price in zip(names, prices, strict=True)]
    asked = [request(f"question {number} {'word ' * size}", models=names[:: 1 - 2 * (number % 2)]) for number, size in enumerate(sizes)]
    asked = [replace(one, settings=replace(one.settings, max_tokens=most)) for one in asked]
    worst = [worst_case(one, prices[number % 2]) for number, one in enumerate(asked)]
    dollars = from_nanos(int(part * sum(each.nanos for each in worst))) / (gateways if capped == "build_usd" else 1)
    tokens = int(part * sum(each.tokens for each in worst))
    caps = {"usd": Caps(usd=dollars), "build_usd": Caps(build_usd=dollars), "tokens": Caps(tokens=tokens)}[capped]
    told: list[Asked] = []
    with TemporaryDirectory() as folder, ThreadPoolExecutor(gateways) as threads:
        running = [threads.submit(ask_all, Path(folder), deployments, caps, asked[one::gateways], told.append) for one in range(gateways)]
        outcomes = [outcome for each in running for outcome in each.result()]
        usd, tokens = paid(Path(folder))
        with closing(sqlite3.connect(Path(folder) / "ledger.sqlite")) as ledger:
            builds = [from_nanos(nanos) for (nanos,) in ledger.execute("select usd_nanos from builds")]
            held = ledger.execute("select (select count(*) from reservations), sum(abs(usd_nanos) + abs(tokens)) from held").fetchone()
    billed = server.bill({f"{name}-model": price for name, price in zip(names, prices, strict=True)})
    counted = Counted.of(told).whole
    assert billed == (usd, tokens) == (counted.usd, counted.tokens) and usd == sum(builds)
    assert held == (0, 0)
    assert caps.usd is None or usd <= caps.usd
    assert caps.tokens is None or tokens <= caps.tokens
    assert caps.build_usd is None or all(each <= caps.build_usd for each in builds)
    assert part < 1 or faults or not any(isinstance(one, BudgetReached) for one in outcomes)


WISHES = st.lists(
    st.tuples(st.sampled_from(["ask", "pay", "end", "end all"]), st.sampled_from(["one", "two", "elsewhere"]), st.integers(0, 40)),
    max_size=40,
)


@settings(max_examples=40, deadline=None)
@given(WISHES, st.sampled_from([LAYOUT, 2]))
def test_running_sums_are_what_summing_up_anew_would_give(wishes: list[tuple[str, str, int]], layout: int) -> None:
    with TemporaryDirectory() as folder:
        ledger = Ledger(Path(folder))
        for build in ("one", "two"):
            ledger._put("build", (build, "2026", "0", ""))
        held: list[int] = []
        for number, (what, build, amount) in enumerate(wishes):
            if what == "ask":
                caps = Caps(usd=from_nanos(200), tokens=300, build_usd=from_nanos(100))
                answer = asyncio.run(ledger.reserve(Wish(build, build, Worst(amount, amount + 1), caps)))
                held += [answer] if isinstance(answer, int) else []
            elif what == "pay":
                paid_for = reply(f"key {number % 7}", build_id=build, usd=from_nanos(amount), prompt_tokens=amount, completion_tokens=1)
                ledger.record(paid_for, request(), True)
            elif what == "end" and held:
                ledger.release(held.pop(amount % len(held)))
            else:
                ledger.release_all(build)
        ledger.close()
        if layout != LAYOUT:
            _as_before_running_sums(ledger.path)
        with ledger.reading() as connection:
            rows = connection.execute("select build_id, usd_nanos, tokens from reservations").fetchall()
            sums = {row["build_id"]: tuple(row)[1:] for row in connection.execute("select * from held")}
            for build in {"", *(row["build_id"] for row in rows)}:
                mine = [row for row in rows if build in ("", row["build_id"])]
                assert sums.pop(build) == (sum(row["usd_nanos"] for row in mine), sum(row["tokens"] for row in mine))
            assert set(sums.values()) <= {(0, 0)}
            own = connection.execute(
                "select sum(usd_nanos), sum(prompt_tokens + completion_tokens) from requests where build_id in ('one', 'two')"
            )
            nanos, tokens = tuple(own.fetchone())
        assert ledger.paid() == (from_nanos(nanos or 0), tokens or 0)
        ledger.close()


def _as_before_running_sums(path: Path) -> None:
    """The ledger as the layout had it that knew no running sums."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("drop table paid; drop table held; pragma user_version = 2")


def test_who_is_called_off_while_asking_for_room_holds_nothing_back(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    budget = Budget(ledger, Caps(usd=WORST), ledger.start_build("0", ""), tmp_path / "locks")

    async def called_off() -> int | None:
        asking = asyncio.create_task(budget.reserve(deployment("http://nowhere"), request("question 00")))
        await asyncio.sleep(0)  # it has asked, and nobody has answered
        asking.cancel()
        await asyncio.wait([asking])
        assert asking.cancelled()
        return await budget.reserve(deployment("http://nowhere"), request("question 00"))

    number = asyncio.run(called_off())
    assert isinstance(number, int)
    budget.settle(number)
    ledger.flush()
    assert ledger.holders() == []
    budget.close()
    ledger.close()


@pytest.mark.parametrize("cap", ["usd", "build_usd"])
def test_a_cap_in_dollars_is_kept_and_used(tmp_path: Path, server: ModelServer, cap: str) -> None:
    cost, _ = one_costs(tmp_path, server)
    most = WORST + 12 * cost
    outcomes = spend(tmp_path, server, Caps(usd=most) if cap == "usd" else Caps(build_usd=most), MANY)
    usd, _ = paid(tmp_path)
    stopped = [one for one in outcomes if isinstance(one, BudgetReached)]
    # It ends only where the next request, at its worst, could pass the cap; and what is under way then is kept.
    assert most - WORST < usd <= most
    assert len(stopped) + server.answered == len(MANY) and stopped
    assert ("--budget" if cap == "build_usd" else "[budget] usd") in str(stopped[0])


@pytest.mark.parametrize("price", [PRICE, None], ids=["priced", "unpriced"])
def test_a_cap_in_tokens_is_kept(tmp_path: Path, server: ModelServer, price: Price | None) -> None:
    _, tokens = one_costs(tmp_path, server)
    most = worst_case(MANY[0], PRICE).tokens + 5 * tokens
    outcomes = spend(tmp_path, server, Caps(tokens=most), MANY, price=price, model="openai/nobody-knows-it")
    assert 0 < sum(isinstance(one, BudgetReached) for one in outcomes) < len(MANY)
    assert 0 < paid(tmp_path)[1] <= most


def test_a_build_that_was_stopped_goes_on_when_the_cap_is_raised_and_pays_for_nothing_twice(tmp_path: Path, server: ModelServer) -> None:
    cost, _ = one_costs(tmp_path, server)
    spend(tmp_path, server, Caps(usd=WORST + 5 * cost), MANY)
    before = server.answered
    assert 0 < before < len(MANY)
    assert all(isinstance(one, tuple) for one in spend(tmp_path, server, Caps(usd=Decimal(100)), MANY))
    assert server.answered == len(MANY)


def test_what_is_stored_costs_nothing_of_a_budget(tmp_path: Path, server: ModelServer) -> None:
    spend(tmp_path, server, Caps(), MANY)
    outcomes = spend(tmp_path, server, Caps(usd=Decimal(0), tokens=0, build_usd=Decimal(0)), MANY)
    assert all(isinstance(one, tuple) for one in outcomes) and server.count == len(MANY)


def test_a_cap_of_one_build_counts_that_build_alone(tmp_path: Path, server: ModelServer) -> None:
    spend(tmp_path, server, Caps(), MANY[:20])
    cost = paid(tmp_path)[0] / 20
    outcomes = spend(tmp_path, server, Caps(build_usd=WORST + 4 * cost), MANY[20:])
    assert any(isinstance(one, tuple) for one in outcomes)


def test_a_failed_call_gives_back_what_was_set_aside(tmp_path: Path, server: ModelServer) -> None:
    server.fail("500", times=2)
    [outcome] = spend(tmp_path, server, Caps(usd=WORST), MANY[:1])
    assert isinstance(outcome, tuple) and server.count == 3


def test_an_unknown_price_and_a_cap_in_dollars_do_not_go_together(tmp_path: Path, server: ModelServer) -> None:
    [outcome] = spend(tmp_path, server, Caps(usd=Decimal(1)), MANY[:1], price=None, model="openai/nobody-knows-it")
    assert isinstance(outcome, EnvironmentFault) and "usd_per_million" in str(outcome) and server.count == 0


SPENDS = """
import sys
from decimal import Decimal
from pathlib import Path
from gland_assets.core.budget import Caps
from tests.io.test_budget import spend
from tests.io.asking import request
class Server:
    url = sys.argv[2]
print("ready", flush=True)
sys.stdin.readline()
asked = [request(f"question {sys.argv[4]}{number:02}") for number in range(30)]
outcomes = spend(Path(sys.argv[1]), Server, Caps(usd=Decimal(sys.argv[3])), asked)
print(sum(isinstance(one, tuple) for one in outcomes), flush=True)
"""


def start(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", SPENDS, *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_processes_that_spend_at_once_keep_to_one_cap(tmp_path: Path, server: ModelServer) -> None:
    cost, _ = one_costs(tmp_path, server)
    server.state.latency = 0.02
    most = WORST + 25 * cost
    crew = [start(tmp_path, server.url, most, name) for name in range(3)]
    assert [one.stdout.readline() for one in crew if one.stdout] == ["ready\n"] * 3
    answered = [int(one.communicate("go\n", timeout=120)[0]) for one in crew]
    usd, _ = paid(tmp_path)
    assert most - WORST < usd <= most
    assert sum(answered) == server.answered < 90


def test_what_a_killed_process_had_set_aside_is_given_back(tmp_path: Path, server: ModelServer) -> None:
    server.fail("hang", times=100, match="question 9")
    killed = start(tmp_path, server.url, 2 * WORST, 9)
    assert killed.stdout is not None and killed.stdout.readline() == "ready\n" and killed.stdin is not None
    killed.stdin.write("go\n")
    killed.stdin.flush()
    while server.count < 1:
        assert killed.poll() is None
    killed.kill()
    killed.communicate()
    [outcome] = spend(tmp_path, server, Caps(usd=2 * WORST), MANY[:1])
    assert isinstance(outcome, tuple)
    assert not list((tmp_path / "locks").glob("_budget-*"))


def test_what_a_killed_process_had_stored_and_not_recorded_counts(
    server: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as killed:
        killed.setattr(Ledger, "record", lambda *paid, **how: None)
        spend(tmp_path, server, Caps(), MANY[:10])
    billed, _ = server.bill({"main-model": PRICE})
    with closing(Ledger(tmp_path)) as ledger:
        assert ledger.paid()[0] == 0 and billed > 0
    [refused] = spend(tmp_path, server, Caps(usd=billed), MANY[10:11])
    assert isinstance(refused, BudgetReached)
    with closing(Ledger(tmp_path)) as ledger:
        assert ledger.paid()[0] == pytest.approx(billed)
    assert server.answered == 10
