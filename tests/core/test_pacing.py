"""Declared rates are never passed, what is not declared is found, and an endpoint that fails is left alone. In simulated time."""

from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gland_assets.core.headroom import Headroom, Room
from gland_assets.core.pacing import Outages, Pace, Rates, Ticket
from tests.core.pacing import OUTAGES, Provider, simulate

ENDLESS = 1e9


@settings(max_examples=25, deadline=None)
@example(rpm=17, latency=1.0, seed=0)  # a minute has 17 spacings, of which rounding made a hair less
@given(rpm=st.integers(1, 3000), latency=st.floats(0.01, 20), seed=st.integers(0, 99))
def test_no_minute_holds_more_requests_than_declared(rpm: int, latency: float, seed: int) -> None:
    seen = simulate(Provider("concurrent", ENDLESS, latency), Rates(64, rpm=rpm), 300, seed)
    assert seen.most_in(60) <= rpm


@settings(max_examples=25, deadline=None)
@given(tpm=st.integers(1000, 10**6), tokens=st.integers(1, 2000))
def test_no_minute_holds_more_tokens_than_declared_beyond_one_request(tpm: int, tokens: int) -> None:
    seen = simulate(Provider("concurrent", ENDLESS, 0.5), Rates(64, tpm=tpm), 240, tokens=float(tokens))
    assert seen.most_in(60) * tokens <= tpm + tokens
    assert seen.rate_after(60) * 60 * tokens >= 0.9 * min(tpm, 60 * tokens * 64 / 0.5) - tokens


@pytest.mark.parametrize("rpm", [1, 10, 60, 600, 6000])
def test_a_declared_rate_is_nearly_reached(rpm: int) -> None:
    seen = simulate(Provider("window", rpm, 0.3), Rates(64, rpm=rpm), 600)
    assert all(taken for _, taken in seen.calls)
    assert seen.rate_after(60) >= 0.97 * rpm / 60


@settings(max_examples=12, deadline=None)
@given(most=st.integers(1, 64), latency=st.floats(0.2, 4), seed=st.integers(0, 99))
def test_the_width_settles_just_under_what_is_taken_at_once(most: int, latency: float, seed: int) -> None:
    warm, seconds = 600 * latency, 2400 * latency
    seen = simulate(Provider("concurrent", most, latency), Rates(64), seconds, seed)
    assert seen.refused_after(warm) <= 0.02
    assert seen.rate_after(warm) >= 0.9 * most / latency


@pytest.mark.parametrize("retry_after", [None, 1.0, 10.0])
@pytest.mark.parametrize(("most", "latency"), [(60, 0.2), (60, 1.0), (300, 1.0), (300, 5.0), (3000, 1.0)])
def test_a_rate_that_nobody_declared_is_found(most: float, latency: float, retry_after: float | None) -> None:
    seen = simulate(Provider("bucket", most, latency, retry_after), Rates(64), 3000)
    assert seen.refused_after(600) <= 0.02
    assert seen.rate_after(600) >= 0.75 * most / 60


@pytest.mark.parametrize(("most", "latency"), [(60, 0.2), (60, 1.0), (300, 1.0), (3000, 1.0)])
def test_a_window_that_is_used_up_is_waited_out(most: float, latency: float) -> None:
    seen = simulate(Provider("window", most, latency, retry_after=10.0), Rates(64), 3000)
    assert seen.refused_after(600) <= 0.02
    assert seen.rate_after(600) >= 0.75 * most / 60


def test_what_was_refused_once_is_tried_again_in_time() -> None:
    provider = Provider("concurrent", 4, 1.0)
    assert simulate(provider, Rates(64), 600).rate_after(300) < 4.5
    provider.most = 40
    assert simulate(provider, Rates(64), 600).rate_after(300) > 30


def test_a_refusal_of_what_was_sent_before_the_last_one_was_heard_of_says_nothing_new() -> None:
    pace, rates = Pace(), Rates(64)
    tickets = [given for _ in range(64) if (given := pace.admit(rates, 0, 1.0, OUTAGES))]
    for ticket in tickets:
        pace.refused(ticket, rates, None, 2.0)
    assert pace.parallel(rates) == 48
    assert pace.away(2.0) == 0


def test_retry_after_holds_everybody() -> None:
    pace, rates = Pace(), Rates(64)
    first = pace.admit(rates, 0, 1.0, OUTAGES)
    assert first is not None
    pace.refused(first, rates, 7.0, 2.0)
    later = pace.admit(rates, 0, 3.0, OUTAGES)
    assert later is not None and later.at == 9.0
    earlier = Ticket(1.0, 2.5, 0.0)  # given before the server asked for peace
    again = pace.again(earlier, 2.5)
    assert again is not None and again.at == 9.0


def test_what_is_left_by_the_servers_own_count_is_not_passed() -> None:
    pace, rates = Pace(), Rates(64)
    tickets = [given for _ in range(5) if (given := pace.admit(rates, 0, 1.0, OUTAGES))]
    pace.reply(tickets[1], rates, 0, 0.5, 2.0)
    pace.told(tickets[1], Headroom(requests=Room(left=4, seconds=30, most=10)), 0, 2.0)  # three went out since: one is left
    one, two = (pace.admit(rates, 0, 3.0, OUTAGES) for _ in range(2))
    assert one is not None and two is not None
    assert (one.at, two.at) == (3.0, 32.0)
    full = [given.at for _ in range(10) if (given := pace.admit(rates, 0, 4.0, OUTAGES))]
    assert full[:9] == [32.0] * 9 and full[9] >= 92.0  # ten a minute from then on, as far as anyone knows


def test_tokens_left_by_the_servers_own_count_are_not_passed() -> None:
    pace, rates = Pace(), Rates(64)
    first = pace.admit(rates, 100, 1.0, OUTAGES)
    assert first is not None
    pace.reply(first, rates, 100, 0.5, 2.0)
    pace.told(first, Headroom(tokens=Room(left=250, seconds=20, most=1000)), pace.sent_tokens, 2.0)
    assert [given.at for _ in range(3) if (given := pace.admit(rates, 100, 3.0, OUTAGES))] == [3.0, 3.0, 22.0]


def test_real_usage_takes_the_place_of_the_estimate() -> None:
    for used, due in ((0.0, 0.0), (5000.0, 5.0)):
        pace, rates = Pace(), Rates(64, tpm=60_000)
        ticket = pace.admit(rates, 1000, 1.0, OUTAGES)
        assert ticket is not None
        pace.reply(ticket, rates, used, 0.5, 1.0)
        assert pace.token_due - 1.0 == pytest.approx(due, rel=0.05)


def fail(pace: Pace, rates: Rates, now: float, outages: Outages = OUTAGES) -> float:
    ticket = pace.admit(rates, 0, now, outages)
    assert ticket is not None
    pace.failed(ticket, rates, None, now, outages, True)
    return pace.rest


def test_an_endpoint_that_fails_rests_longer_each_time_and_one_request_alone_looks_after_it() -> None:
    pace, rates, outages = Pace(), Rates(64), Outages(fails=3, first=5, longest=15, probe=30)
    assert [fail(pace, rates, 1.0, outages) for _ in range(3)] == [0, 0, 5]
    assert pace.admit(rates, 0, 5.9, outages) is None
    now = 6.0
    for rest in (10, 15, 15):
        probe = pace.admit(rates, 0, now, outages)
        assert probe is not None and probe.probe
        assert pace.admit(rates, 0, now + 1, outages) is None  # the others wait for what it finds
        pace.failed(probe, rates, None, now + 2, outages, True)
        assert pace.rest == rest
        now += 2 + rest
    probe = pace.admit(rates, 0, now, outages)
    assert probe is not None
    pace.reply(probe, rates, 0, 0.5, now + 1)
    assert all(pace.admit(rates, 0, now + 1, outages) for _ in range(10))
    assert [fail(pace, rates, now + 2, outages) for _ in range(3)] == [0, 0, 5]  # it starts from the beginning


def test_a_probe_that_never_comes_back_is_followed_by_another() -> None:
    pace, rates, outages = Pace(), Rates(64), Outages(fails=1, first=5, probe=30)
    assert fail(pace, rates, 1.0, outages) == 5
    assert pace.admit(rates, 0, 6.0, outages) is not None  # its process is killed
    assert pace.admit(rates, 0, 35.0, outages) is None
    assert pace.admit(rates, 0, 36.0, outages) is not None


def test_a_probe_that_was_called_off_leaves_its_place_to_the_next() -> None:
    pace, rates, outages = Pace(), Rates(64), Outages(fails=1, first=5, probe=30)
    fail(pace, rates, 1.0, outages)
    probe = pace.admit(rates, 0, 6.0, outages)
    assert probe is not None
    pace.give_back(probe, rates, 7.0)
    assert pace.admit(rates, 0, 7.0, outages) is not None


def test_one_reply_among_faults_is_no_outage() -> None:
    pace, rates = Pace(), Rates(64)
    for _ in range(20):
        assert [fail(pace, rates, 1.0) for _ in range(OUTAGES.fails - 1)] == [0.0] * (OUTAGES.fails - 1)
        ticket = pace.admit(rates, 0, 1.0, OUTAGES)
        assert ticket is not None
        pace.reply(ticket, rates, 0, 0.5, 1.0)


@given(st.lists(st.tuples(st.sampled_from(["admit", "reply", "refused", "failed", "back"]), st.floats(0, 50)), max_size=60))
def test_whatever_happens_the_state_stays_a_row_of_numbers_and_somebody_may_go_again(events: list[tuple[str, float]]) -> None:
    pace, rates, now = Pace(), Rates(8, rpm=100, tpm=5000), 1.0
    tickets: list[Ticket] = []
    for what, after in events:
        now += after
        if what == "admit":
            given = pace.admit(rates, 50, now, OUTAGES)
            tickets += [given] if given else []
        elif tickets:
            ticket = tickets.pop(0)
            if what == "reply":
                pace.reply(ticket, rates, 70, 1.0, now)
            elif what == "refused":
                pace.refused(ticket, rates, after, now)
            elif what == "failed":
                pace.failed(ticket, rates, after, now, OUTAGES, True)
            else:
                pace.give_back(ticket, rates, now)
        assert 1 <= pace.parallel(rates) <= 8
        assert all(isinstance(getattr(pace, each.name), float) for each in fields(Pace))
    assert pace.admit(rates, 50, now + 1000, OUTAGES) is not None
