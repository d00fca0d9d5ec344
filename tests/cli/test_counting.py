"""The sums of a running build, and what may be said of the time it has left."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from gland_assets.cli.counting import Counts
from gland_assets.core.levels import PARTITIONED
from gland_assets.core.progress import Asked, DisciplineDone, LevelDone, Published

LATE = {"logic": list(PARTITIONED), "optics": ["questions", "answers", "signatures"]}
ASKED = st.builds(
    Asked,
    st.sampled_from(["accepted", "rejected", "retry", "failed"]),
    st.sampled_from(["subjects", "syllabi", "questions", "answers"]),
    st.sampled_from(list(LATE)),
    st.just("text"),
    st.integers(0, 5000),
    st.one_of(st.none(), st.decimals(0, 10, places=9)),
    st.booleans(),
)
DONE = st.builds(LevelDone, st.sampled_from(list(LATE)), st.sampled_from(PARTITIONED), st.booleans(), st.integers(0, 50), st.integers(0, 5))
EVENTS = st.lists(st.one_of(ASKED, DONE, st.builds(DisciplineDone, st.sampled_from(list(LATE)))), max_size=60)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@given(EVENTS)
def test_every_reply_is_paid_or_from_the_store_and_tokens_are_those_paid(events: list[Asked | LevelDone | DisciplineDone]) -> None:
    counts = Counts(LATE)
    for event in events:
        counts.add(event)
    replies = [event for event in events if isinstance(event, Asked) and event.kind in ("accepted", "rejected")]
    assert counts.calls + counts.reused == len(replies)
    assert counts.tokens == sum(event.tokens for event in replies if not event.reused)
    assert counts.usd == sum((event.usd or Decimal(0) for event in replies if not event.reused), Decimal(0))
    assert counts.unpriced == sum(event.usd is None for event in replies if not event.reused)
    assert counts.rejected == sum(event.kind == "rejected" for event in replies)


@given(EVENTS, st.integers(0, 100))
def test_the_share_done_never_leaves_its_bounds(events: list[Asked | LevelDone | DisciplineDone], expected: int) -> None:
    counts = Counts(LATE, expected, 10.0)
    for event in events:
        counts.add(event)
        assert 0.0 <= counts.share <= 1.0 and counts.left is not None


def test_rows_under_way_give_way_to_the_rows_that_stand() -> None:
    counts = Counts(LATE)
    for _ in range(5):
        counts.add(Asked("accepted", "questions", "logic", "?", 10, Decimal(1)))
    assert counts.levels["questions"].rows == 5
    counts.add(LevelDone("logic", "questions", True, 4, 1))
    assert (counts.levels["questions"].rows, counts.failed, counts.rows) == (4, 1, 4)
    counts.add(LevelDone("optics", "questions", False, 100, 3))
    assert (counts.levels["questions"].rows, counts.failed) == (4, 1), "what stood already is not made now"


def test_the_time_left_is_first_the_estimate_then_the_pace_since_the_first_reply() -> None:
    clock = Clock()
    counts = Counts({"logic": ["questions"]}, replies=100, seconds=90.0, now=clock)
    assert counts.left == "about 1 min 30 s left"
    clock.now += 30  # starting up
    counts.add(Asked("accepted", "questions", "logic", "?", 1, Decimal(0)))
    clock.now += 10
    for _ in range(24):
        counts.add(Asked("accepted", "questions", "logic", "?", 1, Decimal(0)))
    assert counts.left == "about 30 s left" and counts.rate == 2.5
    counts.add(DisciplineDone("logic"))
    assert counts.left == "publishing"


def test_who_asks_for_answers_has_made_what_lies_above() -> None:
    counts = Counts(LATE)
    counts.add(Asked("accepted", "answers", "logic", "a", 1, Decimal(0)))
    counts.add(Asked("accepted", "answers", "optics", "a", 1, Decimal(0)))
    assert [counts.levels[level].done for level in ("subjects", "syllabi", "questions", "answers")] == [1, 1, 2, 0]
    counts.add(LevelDone("logic", "subjects", True, 4, 0))
    assert counts.levels["subjects"].done == 1


def test_unknown_prices_are_said() -> None:
    counts = Counts(LATE)
    assert counts.cost == "$0"
    counts.add(Asked("accepted", "answers", "logic", "a", 1, None))
    assert counts.cost == "price unknown"
    counts.add(Asked("accepted", "answers", "logic", "a", 1, Decimal("0.5")))
    assert counts.cost == "$0.50 and 1 call of unknown price"


def test_a_discipline_that_could_not_be_made_and_a_publication_are_kept() -> None:
    counts = Counts(LATE)
    counts.add(DisciplineDone("logic", "the disk is full"))
    counts.add(Published(7))
    assert counts.errors == {"logic": "the disk is full"} and counts.done == 0
    assert counts.published == Published(7)
