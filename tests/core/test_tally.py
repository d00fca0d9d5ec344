"""Tallies add up, over stages and over each other."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from gland_assets.core.requests import Reply
from gland_assets.core.tally import Tally

REPLIES = st.builds(
    Reply, st.just("k"), st.just("t"), st.just("stop"), st.sampled_from(["d", "e"]), st.just("m"), st.integers(0, 99), st.just(0),
    st.integers(0, 99), st.none() | st.decimals(0, 1, places=9), st.just(0.1), st.integers(1, 5), st.just("b"),
    st.just(datetime(2026, 1, 1, tzinfo=UTC)), st.booleans(),
)  # fmt: skip
ASKED = st.lists(st.tuples(st.sampled_from(["subjects", "answers"]), REPLIES), max_size=20)


def _counted(asked: list[tuple[str, Reply]]) -> Tally:
    tally = Tally()
    for stage, reply in asked:
        for part in tally.at(stage):
            part.add_reply(reply)
    return tally


@given(ASKED)
def test_a_tally_is_the_sum_of_what_was_paid(asked: list[tuple[str, Reply]]) -> None:
    tally = _counted(asked)
    paid = [reply for _, reply in asked if not reply.reused]
    assert (tally.calls, tally.reused) == (len(paid), len(asked) - len(paid))
    assert tally.prompt_tokens == sum(reply.prompt_tokens for reply in paid)
    prices = [reply.usd for reply in paid]
    assert tally.usd == (None if None in prices else sum((price for price in prices if price is not None), Decimal(0)))


@given(ASKED)
def test_the_stages_and_the_deployments_make_up_the_whole(asked: list[tuple[str, Reply]]) -> None:
    tally = _counted(asked)
    for name in ("calls", "reused", "prompt_tokens", "completion_tokens", "known_usd", "unpriced"):
        assert sum(getattr(stage, name) for stage in tally.stages.values()) == getattr(tally, name)
    assert sum(tally.deployments.values()) == tally.calls + tally.reused


@given(st.lists(st.booleans()))
def test_what_is_limited_is_part_of_what_is_made_again(limited: list[bool]) -> None:
    tally = Tally()
    for one in limited:
        tally.add_retry(one)
    assert (tally.retries, tally.limited) == (len(limited), sum(limited))
