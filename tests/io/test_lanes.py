"""Many requests to real endpoints that have limits, fail and come back: what the sender makes of it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest

from gland_assets.core.errors import EnvironmentFault
from gland_assets.core.pacing import MINUTE, Outages, Pace
from gland_assets.core.project import Deployment
from gland_assets.core.requests import Request
from gland_assets.io import slots
from gland_assets.io.faults import ProviderFault
from gland_assets.io.lanes import LOOK_S
from gland_assets.io.sending import NoReply, Sender, Sent, Waits, Wire
from tests.io.asking import QUICK, Clock, deployment, request
from tests.server import ModelServer

OUTAGES = Outages(fails=3, first=0.3, longest=0.6, probe=0.5)
BRISK = replace(QUICK, outages=OUTAGES)
TINY = 1e-6  # seconds, for what floats leave over
BOTH = ("main", "spare")


@asynccontextmanager
async def bare(name: str, asked: Request) -> AsyncIterator[None]:
    yield


class Heard:
    """What a sender tells."""

    def __init__(self) -> None:
        self.retries: Counter[tuple[str, str]] = Counter()  # (deployment, cause)
        self.told: list[str] = []  # of rests

    def retry(self, asked: Request, name: str, fault: ProviderFault) -> None:
        self.retries[name, fault.cause] += 1

    def rest(self, name: str, cause: str, seconds: float) -> None:
        self.told.append(f"{name} rests for {cause}" if seconds else f"{name} is back")


@contextmanager
def sending(
    folder: Path, *deployments: Deployment, waits: Waits = BRISK, heard: Heard | None = None, wire: Wire = bare
) -> Iterator[Sender]:
    heard = heard or Heard()
    sender = Sender({each.name: each for each in deployments}, folder / "locks", waits, wire, heard.retry, heard.rest)
    try:
        yield sender
    finally:
        sender.close()


async def send(sender: Sender, *asked: Request) -> list[Sent]:
    return list(await asyncio.gather(*map(sender.send, asked)))


def questions(count: int, models: tuple[str, ...] = ("main",), first: int = 0) -> list[Request]:
    return [request(f"question {number}", models) for number in range(first, first + count)]


def pace_of(folder: Path) -> Pace:
    """What all processes know of the one endpoint that was asked."""
    (path,) = (folder / "locks").iterdir()
    endpoint = slots.Slots(path, 1)
    try:
        return endpoint.look(replace)  # a copy
    finally:
        endpoint.close()


@pytest.fixture
def spare() -> Iterator[ModelServer]:
    running = ModelServer().start()
    yield running
    running.stop()


def test_a_server_that_takes_few_at_once_is_asked_by_few_and_every_request_is_answered(server: ModelServer, tmp_path: Path) -> None:
    server.state.takes, server.state.latency = 4, 0.02
    heard = Heard()
    with sending(tmp_path, deployment(server.url), waits=replace(BRISK, refusals=50), heard=heard) as sender:
        warm = asyncio.run(send(sender, *questions(300)))
        refused = heard.retries["main", "rate_limited"]
        settled = asyncio.run(send(sender, *questions(600, first=300)))
    assert len(warm) + len(settled) == server.answered == 900
    assert heard.retries["main", "rate_limited"] - refused <= 0.02 * 600


def test_of_a_declared_rate_a_burst_may_go_at_once_and_the_others_wait_their_time(
    server: ModelServer, tmp_path: Path, clock: Clock
) -> None:
    spacing, burst, began = MINUTE / (600 - 10), 10, clock.now  # ten a second: as many may go at once
    with sending(tmp_path, deployment(server.url, rpm=600), wire=clock.note) as sender:
        asyncio.run(send(sender, *questions(40)))
    assert clock.noted[:burst] == pytest.approx([began] * burst)
    assert all(at >= began + (number + 1 - burst) * spacing - TINY for number, at in enumerate(clock.noted))


def test_what_a_process_sends_counts_for_all(server: ModelServer, tmp_path: Path) -> None:
    script = """
import asyncio, sys
from pathlib import Path
from tests.io.asking import deployment
from tests.io.test_lanes import questions, send, sending
with sending(Path(sys.argv[2]), deployment(sys.argv[1], rpm=6000)) as sender:
    asyncio.run(send(sender, *questions(20, first=int(sys.argv[3]))))
"""
    with sending(tmp_path, deployment(server.url, rpm=6000)) as sender:
        asyncio.run(send(sender, *questions(12)))
        before = pace_of(tmp_path)
        crew = [subprocess.Popen([sys.executable, "-c", script, server.url, str(tmp_path), str(100 * number)]) for number in (1, 2)]
        assert [one.wait(60) for one in crew] == [0, 0]
    after = pace_of(tmp_path)
    assert server.answered == after.sent == 52
    assert after.request_due - before.request_due >= 40 * MINUTE / (6000 - 100) - TINY


def test_tokens_a_minute_are_kept_by_what_replies_really_take(server: ModelServer, tmp_path: Path, clock: Clock) -> None:
    spacing, burst, began = MINUTE / (6_000 - 100), 100, clock.now  # a hundred a second
    with sending(tmp_path, deployment(server.url, tpm=6_000, max_parallel_requests=1), wire=clock.note) as sender:
        replies = asyncio.run(send(sender, *questions(10)))
    taken = list(accumulate((each.completion.prompt_tokens + each.completion.completion_tokens for each in replies), initial=0))
    assert taken[-1] > 2 * burst
    assert all(at >= began + (before - burst) * spacing - TINY for at, before in zip(clock.noted, taken, strict=False))
    assert pace_of(tmp_path).token_due == pytest.approx(began + taken[-1] * spacing)


def test_a_server_that_says_that_nothing_is_left_is_left_alone_until_then(server: ModelServer, tmp_path: Path, clock: Clock) -> None:
    server.state.headers = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "700ms"}
    with sending(tmp_path, deployment(server.url), waits=replace(BRISK, obeyed=5.0)) as sender:
        asyncio.run(send(sender, *questions(1)))
        server.state.headers, told_at = {}, clock.now
        asyncio.run(send(sender, *questions(3, first=1)))
    assert clock.now - told_at == pytest.approx(0.7)
    assert server.count == 4


def of_disciplines(server: ModelServer) -> str:
    """The first letters of the disciplines whose requests came, in order."""
    return "".join(str(entry["body"]["messages"][0]["content"])[0] for entry in server.log)


@pytest.mark.parametrize("declared", [{}, {"rpm": 600}, {"tpm": 60_000}])
def test_a_small_discipline_does_not_wait_for_a_large_one(
    server: ModelServer, tmp_path: Path, clock: Clock, declared: dict[str, Any]
) -> None:
    large = [request(f"large {number}", discipline="large") for number in range(500)]
    small = [request(f"small {number}", discipline="small") for number in range(50)]
    with sending(tmp_path, deployment(server.url, max_parallel_requests=8, **declared)) as sender:
        asyncio.run(send(sender, *large, *small))
    came = of_disciplines(server)
    assert (came.count("l"), came.count("s")) == (500, 50)
    # By turns from the moment at which both wait: those under way, the large one's turns, and what a network puts out of order.
    assert came.rindex("s") < 2 * 50 + 3 * 8


@pytest.mark.parametrize(("declared", "latency"), [({}, 0.05), ({"rpm": 12_000}, 0.02)])
def test_a_process_with_little_to_ask_does_not_wait_for_one_with_much(
    server: ModelServer, tmp_path: Path, declared: dict[str, Any], latency: float
) -> None:
    script = f"""
import asyncio, sys
from pathlib import Path
from tests.io.asking import deployment, request
from tests.io.test_lanes import send, sending
with sending(Path(sys.argv[2]), deployment(sys.argv[1], max_parallel_requests=8, **{declared})) as sender:
    asyncio.run(send(sender, *(request(f"large {{number}}") for number in range(300))))
"""
    server.state.latency = latency
    with sending(tmp_path, deployment(server.url, max_parallel_requests=8, **declared)) as sender:
        large = subprocess.Popen([sys.executable, "-c", script, server.url, str(tmp_path)])

        async def small() -> None:
            while server.count < 16:
                await asyncio.sleep(0.01)
            await send(sender, *(request(f"small {number}") for number in range(30)))

        asyncio.run(asyncio.wait_for(small(), 60))
        assert large.wait(60) == 0
    came = of_disciplines(server)
    assert (came.count("l"), came.count("s")) == (300, 30)
    assert came[: came.rindex("s")].count("l") <= 150  # in turns it would be about 46


def test_an_outage_is_served_by_the_next_and_the_first_is_taken_back_when_it_is_well(
    server: ModelServer, spare: ModelServer, tmp_path: Path, clock: Clock
) -> None:
    heard = Heard()
    with sending(tmp_path, deployment(server.url), deployment(spare.url, "spare"), heard=heard) as sender:
        assert {sent.deployment for sent in asyncio.run(send(sender, *questions(5, BOTH)))} == {"main"}
        server.fail("500", times=100_000)
        during = asyncio.run(send(sender, *questions(200, BOTH, 5)))
        called = server.count - 5
        server.state.faults.clear()
        clock.now += OUTAGES.longest
        asyncio.run(send(sender, *questions(1, BOTH, 300)))  # it may be the one that finds out
        after = asyncio.run(send(sender, *questions(20, BOTH, 400)))
    assert {sent.deployment for sent in during} == {"spare"}
    assert called <= 64 + 10  # those on their way, and one now and then to see
    assert (heard.told[0], heard.told[-1]) == ("main rests for provider_error", "main is back")
    assert {sent.deployment for sent in after} == {"main"}


def test_what_one_process_finds_well_again_the_others_take_back_too(
    server: ModelServer, spare: ModelServer, tmp_path: Path, clock: Clock
) -> None:
    asking, answered = asyncio.Event(), asyncio.Event()

    @asynccontextmanager
    async def slowly(name: str, asked: Request) -> AsyncIterator[None]:
        if asked.messages[0].content == "question 10":
            asking.set()
            await answered.wait()
        yield

    both = deployment(server.url), deployment(spare.url, "spare")
    with sending(tmp_path, *both, wire=slowly) as one, sending(tmp_path, *both) as other:
        server.fail("500", times=OUTAGES.fails)
        asyncio.run(send(one, *questions(1, BOTH)))

        async def meanwhile() -> tuple[str, str]:
            clock.now += OUTAGES.first
            probe = asyncio.create_task(send(one, *questions(1, BOTH, 10)))
            await asking.wait()
            [sent] = await send(other, *questions(1, BOTH, 20))
            answered.set()
            return sent.deployment, (await probe)[0].deployment

        assert asyncio.run(meanwhile()) == ("spare", "main")
        clock.now += LOOK_S
        assert asyncio.run(send(other, *questions(1, BOTH, 30)))[0].deployment == "main"


@pytest.mark.parametrize("asked", [("main",), BOTH])
def test_a_rest_that_another_process_began_is_told_once_and_so_is_its_end(
    server: ModelServer, spare: ModelServer, tmp_path: Path, clock: Clock, asked: tuple[str, ...]
) -> None:
    both, first, later = (deployment(server.url), deployment(spare.url, "spare")), Heard(), Heard()
    with sending(tmp_path, *both, heard=first) as one, sending(tmp_path, *both, heard=later) as other:
        asyncio.run(send(one, *questions(1)))
        server.fail("500", times=100_000)
        asyncio.run(send(one, *questions(1, BOTH, 10)))
        server.state.faults.clear()
        asyncio.run(send(other, *questions(8, asked, 20)))  # as it would be in a process that is started now
        clock.now += OUTAGES.first
        asyncio.run(send(other, *questions(8, asked, 30)))
    assert first.told == ["main rests for provider_error"]
    assert later.told == ["main rests for ", "main is back"]


def test_an_address_that_is_corrected_is_asked_at_once(server: ModelServer, spare: ModelServer, tmp_path: Path) -> None:
    weary = replace(BRISK, outages=replace(OUTAGES, first=600.0, longest=600.0))
    server.fail("503", times=100_000)
    with sending(tmp_path, deployment(server.url), deployment(spare.url, "spare"), waits=weary) as sender:
        assert asyncio.run(send(sender, *questions(1, BOTH)))[0].deployment == "spare"  # the first rests from now on
        assert asyncio.run(send(sender, *questions(1, BOTH, 1)))[0].deployment == "spare"
    called = server.count
    with sending(tmp_path, deployment(spare.url), waits=weary) as sender:
        assert asyncio.run(asyncio.wait_for(send(sender, *questions(1)), 60))[0].deployment == "main"
    assert server.count == called


def test_an_outage_without_another_deployment_is_waited_out_and_costs_no_request(server: ModelServer, tmp_path: Path) -> None:
    with sending(tmp_path, deployment(server.url, max_parallel_requests=8)) as sender:
        asyncio.run(send(sender, *questions(1)))

        async def come_back() -> None:
            await asyncio.sleep(1.5)
            server.state.faults.clear()

        async def both() -> list[Sent]:
            server.fail("503", times=100_000)
            back = asyncio.create_task(come_back())
            sent = await send(sender, *questions(60, first=1))
            await back
            return sent

        assert len(asyncio.run(both())) == 60


def test_patience_ends(server: ModelServer, tmp_path: Path) -> None:
    waits = replace(BRISK, retries=1000, patience=1.0)
    with sending(tmp_path, deployment(server.url), waits=waits) as sender:
        asyncio.run(send(sender, *questions(1)))
        server.fail("503", times=100_000)
        with pytest.raises(EnvironmentFault, match=r"deployment\.main: no reply for .* minutes.*goes on from here"):
            asyncio.run(send(sender, *questions(5, first=1)))


def test_an_endpoint_that_is_down_leaves_the_load_to_those_of_equal_rank(server: ModelServer, spare: ModelServer, tmp_path: Path) -> None:
    main = deployment((server.url, spare.url), max_parallel_requests=4)
    with sending(tmp_path, main) as sender:
        asyncio.run(send(sender, *questions(40)))
        assert min(server.answered, spare.answered) >= 10
        server.fail("reset", times=100_000)
        before = server.count
        assert len(asyncio.run(send(sender, *questions(100, first=40)))) == 100
    assert server.count - before <= 4 + 4 * QUICK.retries


@pytest.mark.parametrize("kind", ["404", "401"])
def test_an_endpoint_that_is_wrong_is_left_out_and_those_of_equal_rank_answer(
    server: ModelServer, spare: ModelServer, tmp_path: Path, kind: str
) -> None:
    spare.fail(kind, times=100_000)
    with sending(tmp_path, deployment((spare.url, server.url), max_parallel_requests=4)) as sender:
        for first in (0, 40):
            assert len(asyncio.run(send(sender, *questions(40, first=first)))) == 40
        assert spare.count <= 4
        server.fail(kind, times=100_000)
        with pytest.raises((EnvironmentFault, NoReply), match=r"auth_error|not_found"):
            asyncio.run(send(sender, *questions(1, first=80)))


def test_what_one_request_meets_says_nothing_about_the_others(server: ModelServer, tmp_path: Path) -> None:
    server.fail("400", times=1000, match="question 7")
    heard = Heard()
    with sending(tmp_path, deployment(server.url), heard=heard) as sender:

        async def all_of_them() -> list[Sent | BaseException]:
            return list(await asyncio.gather(*map(sender.send, questions(9)), return_exceptions=True))

        outcomes = asyncio.run(all_of_them())
    assert [number for number, each in enumerate(outcomes) if isinstance(each, NoReply)] == [7]
    assert not heard.told and not heard.retries
