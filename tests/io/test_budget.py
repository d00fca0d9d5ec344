"""No cap is passed, whoever spends at the same time; what is left is used; and who dies holds nothing back."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gland_assets.core.budget import NANOS, Caps, worst_case
from gland_assets.core.errors import BudgetReached, EnvironmentFault
from gland_assets.core.requests import Reply, Request
from gland_assets.io.gateway import Gateway
from gland_assets.io.ledger import Ledger
from gland_assets.io.store import ResponseStore
from tests.io.asking import PRICE, QUICK, deployment, project_of, request
from tests.server import ModelServer

WORST = Decimal(worst_case(request("question 00"), PRICE).nanos) / NANOS
MANY = [request(f"question {number:02}") for number in range(30)]


def spend(warehouse: Path, server: ModelServer, caps: Caps, asked: list[Request], **changed: Any) -> list[Any]:
    """Ask all at once within `caps`, in a build of its own; replies or errors."""
    ledger = Ledger(warehouse)
    store = ResponseStore(warehouse / "responses.sqlite")
    project = project_of(deployment(server.url, **changed))
    gateway = Gateway(project, store, ledger, ledger.start_build("0", ""), caps, waits=QUICK)

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


def test_a_cap_in_tokens_is_kept(tmp_path: Path, server: ModelServer) -> None:
    _, tokens = one_costs(tmp_path, server)
    most = worst_case(MANY[0], PRICE).tokens + 5 * tokens
    outcomes = spend(tmp_path, server, Caps(tokens=most), MANY)
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
