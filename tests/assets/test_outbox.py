"""What a worker tells reaches the parent whole and in order, whenever it is told."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from gland_assets.assets.outbox import Outbox
from gland_assets.core.progress import Asked, Count, Counted, Event, LevelDone

ASKED = st.builds(
    Asked, st.sampled_from(["accepted", "rejected", "retry", "failed"]), st.just("answers"), st.sampled_from(["logic", "optics"]),
    st.just("text"), st.integers(0, 99), st.decimals(0, 1, places=9), st.booleans(), st.sampled_from(["large", "small"]),
    st.sampled_from(["", "rate_limited"]),
)  # fmt: skip
TOLD = st.lists(
    ASKED | st.builds(LevelDone, st.just("logic"), st.sampled_from(["subjects", "answers"]), st.just(True), st.integers(0, 9), st.just(0))
)


def taken(box: Outbox) -> list[object]:
    """All that comes out of it until its end."""
    found: list[object] = []
    while (one := box.take()) is not None:
        found.append(one)
    return found


@settings(deadline=None)
@given(TOLD)
def test_whatever_is_told_comes_out_in_order_with_requests_summed_before_what_followed_them(told: list[Asked | Event]) -> None:
    box = Outbox()
    for one in told:
        box.put(one)
    box.put(None)
    found = taken(box)
    assert [one for one in found if not isinstance(one, Counted)] == [one for one in told if not isinstance(one, Asked)]
    before, seen, rest = Count(), list[Asked](), list[object](told)
    for came in found:
        if isinstance(came, Counted):
            before.add(came.whole)
            continue
        at = rest.index(came)
        seen, rest = [*seen, *(other for other in rest[:at] if isinstance(other, Asked))], rest[at + 1 :]
        assert before == Counted.of(seen).whole
    assert before == Counted.of(one for one in told if isinstance(one, Asked)).whole


def test_requests_come_out_also_when_nothing_else_is_told() -> None:
    box = Outbox()
    for number in range(2000):
        box.put(Asked("accepted", "answers", "logic", f"reply {number}", 1, Decimal("0.1"), deployment="large"))
    told = box.take()
    assert isinstance(told, Counted) and told.sample is not None and told.sample.text == "reply 0"
    [(place, count)] = told.parts.items()
    assert place == ("answers", "logic", "large") and (count.calls, count.usd) == (2000, Decimal(200))
