"""The sums of a running build, and what may be said of the time it has left."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from gland_assets.cli.counting import Counts
from gland_assets.cli.projection import ENOUGH
from gland_assets.core.levels import PARTITIONED
from gland_assets.core.progress import Asked, Count, Counted, DisciplineDone, Event, LevelDone, Published, Resting
from gland_assets.io.foresight import Portion

LATE = {"logic": list(PARTITIONED), "optics": ["questions", "answers", "signatures", "contamination"]}
STAGES = ["subjects", "syllabi", "questions", "answers"]
ASKED = st.builds(
    Asked,
    st.sampled_from(["accepted", "rejected", "retry", "failed"]),
    st.sampled_from(STAGES),
    st.sampled_from(list(LATE)),
    st.just("text"),
    st.integers(0, 5000),
    st.one_of(st.none(), st.decimals(0, 10, places=9)),
    st.booleans(),
    st.sampled_from(["", "large", "small"]),
    st.sampled_from(["", "rate_limited", "timeout"]),
    st.sampled_from([0.25, 1.5]),
    st.sampled_from(["", "large"]),
)
DONE = st.builds(LevelDone, st.sampled_from(list(LATE)), st.sampled_from(PARTITIONED), st.booleans(), st.integers(0, 50), st.integers(0, 5))
EVENTS = st.lists(st.one_of(ASKED, DONE, st.builds(DisciplineDone, st.sampled_from(list(LATE)))), max_size=60)
PORTIONS = st.dictionaries(
    st.tuples(st.sampled_from(list(LATE)), st.sampled_from(STAGES)),
    st.builds(Portion, st.integers(0, 100), st.integers(0, 100), st.just(0), st.just(0), st.one_of(st.none(), st.decimals(0, 9, places=2))),
)


def told(event: Asked | Event) -> Event:
    """The event as it comes from a worker that has only this to tell."""
    return Counted.of([event]) if isinstance(event, Asked) else event


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@given(EVENTS)
def test_every_reply_is_paid_or_from_the_store_and_tokens_are_those_paid(events: list[Asked | Event]) -> None:
    counts = Counts(LATE)
    for event in events:
        counts.add(told(event))
    asked = [event for event in events if isinstance(event, Asked)]
    replies = [event for event in asked if event.kind in ("accepted", "rejected")]
    paid = [event for event in replies if not event.reused]
    assert counts.all.calls + counts.all.reused == len(replies)
    assert counts.all.tokens == sum(event.tokens for event in paid)
    assert counts.all.usd == sum((event.usd or Decimal(0) for event in paid), Decimal(0))
    assert counts.all.unpriced == sum(event.usd is None for event in paid)
    assert counts.all.rejected == sum(event.kind == "rejected" for event in replies)
    again = [event.cause == "rate_limited" for event in asked if event.kind == "retry"]
    assert (counts.all.limited, counts.all.retried) == (sum(again), len(again) - sum(again))


@given(EVENTS)
def test_stages_and_named_deployments_make_up_the_whole(events: list[Asked | Event]) -> None:
    counts, named = Counts(LATE), [event for event in events if not isinstance(event, Asked) or event.deployment]
    for event in named:
        counts.add(told(event))
    for parts in (counts.stages, counts.deployments):
        whole = Count()
        for part in parts.values():
            whole.add(part)
        assert whole == counts.all


@given(st.lists(ASKED, max_size=40), st.integers(1, 7), PORTIONS)
def test_sums_say_what_single_events_say(asked: list[Asked], size: int, portions: dict[tuple[str, str], Portion]) -> None:
    one_by_one, summed = Counts(LATE, portions, now=Clock()), Counts(LATE, portions, now=Clock())
    for event in asked:
        one_by_one.add(told(event))
    for start in range(0, len(asked), size):
        summed.add(Counted.of(asked[start : start + size]))
    assert one_by_one.all == summed.all and one_by_one.stages == summed.stages and one_by_one.deployments == summed.deployments
    assert one_by_one.rows == summed.rows and one_by_one.share == summed.share and one_by_one.cost_at_end == summed.cost_at_end


@given(EVENTS, PORTIONS)
def test_the_share_done_never_leaves_its_bounds(events: list[Asked | Event], portions: dict[tuple[str, str], Portion]) -> None:
    counts = Counts(LATE, portions, 10.0)
    for event in events:
        counts.add(told(event))
        assert 0.0 <= counts.share <= 1.0 and counts.left is not None


@given(EVENTS, PORTIONS)
def test_what_is_projected_is_at_least_what_is_spent_and_at_the_end_it_is_just_that(
    events: list[Asked | Event], portions: dict[tuple[str, str], Portion]
) -> None:
    counts = Counts(LATE, portions)
    for event in events:
        counts.add(told(event))
    more = counts.to_come.usd(counts.stages)
    assert more is None or more >= 0
    for slug in LATE:
        for level in PARTITIONED:
            counts.add(LevelDone(slug, level, True, 1, 0))
    assert (counts.to_come.calls, counts.to_come.reused) == (0, 0) and counts.to_come.usd(counts.stages) == Decimal(0)


def answers(count: int, usd: str | None, slug: str = "logic") -> Counted:
    """So many answers, each at `usd`."""
    return Counted.of([Asked("accepted", "answers", slug, "a", 10, None if usd is None else Decimal(usd), deployment="large")] * count)


def test_the_cost_at_the_end_is_first_the_estimate_then_what_calls_have_cost() -> None:
    counts = Counts({"logic": ["answers"]}, {("logic", "answers"): Portion(100, 0, 0, 0, Decimal(10))})
    assert counts.cost_at_end == "about $10.00 when done"
    counts.add(answers(ENOUGH - 1, "0.5"))
    assert counts.cost_at_end == "about $17.60 when done", "81 calls at the estimated 10 cents are to come"
    counts.add(answers(1, "0.5"))
    assert counts.cost_at_end == "about $50.00 when done"
    counts.add(DisciplineDone("logic"))
    assert counts.cost_at_end == ""


def test_disciplines_that_are_done_say_how_many_calls_the_others_will_take() -> None:
    portions = {(slug, "answers"): Portion(100, 0, 0, 0, Decimal(100)) for slug in ("logic", "optics")}
    counts = Counts({slug: ["answers"] for slug in ("logic", "optics")}, portions)
    counts.add(answers(150, "1"))
    counts.add(LevelDone("logic", "answers", True, 150, 0))
    assert counts.to_come.calls == 150 and counts.cost_at_end == "about $300.00 when done"
    counts.add(answers(30, "1", "optics"))
    assert counts.to_come.calls == 120


def test_no_price_is_guessed() -> None:
    late, portions = {"logic": ["answers"]}, {("logic", "answers"): Portion(100, 0, 0, 0, None)}
    assert Counts(late, portions).cost_at_end == "price of the rest unknown"
    counts = Counts(late, {("logic", "answers"): Portion(100, 0, 0, 0, Decimal(1))})
    counts.add(answers(30, None))
    assert (counts.cost, counts.cost_at_end) == ("price unknown", "")
    counts.add(answers(1, "1"))
    assert (counts.cost, counts.cost_at_end) == ("$1.00 and 30 calls of unknown price", "price of the rest unknown")


def test_a_deployment_rests_for_as_long_as_it_was_said_to() -> None:
    clock = Clock()
    counts = Counts(LATE, now=clock)
    counts.add(Resting("large", "rate_limited", 30.0))
    clock.now += 10
    assert counts.rests("large") == (20.0, "rate_limited") and counts.rests("small") is None
    counts.add(Resting("large", "rate_limited", 0.0))
    assert counts.rests("large") is None and list(counts.deployments) == ["large"]


def test_a_request_that_another_answers_has_moved_on_from_the_one_it_was_meant_for() -> None:
    counts = Counts(LATE)
    counts.add(Counted.of([Asked("accepted", "answers", "logic", "a", 5, Decimal(1), deployment="small", instead_of="large")]))
    assert (counts.deployments["large"].moved, counts.deployments["large"].calls, counts.deployments["small"].calls) == (1, 0, 1)


def test_rows_under_way_give_way_to_the_rows_that_stand() -> None:
    counts = Counts(LATE)
    counts.add(Counted.of([Asked("accepted", "questions", "logic", "?", 10, Decimal(1))] * 5))
    assert counts.levels["questions"].rows == 5
    counts.add(LevelDone("logic", "questions", True, 4, 1))
    assert (counts.levels["questions"].rows, counts.failed, counts.rows) == (4, 1, 4)
    counts.add(LevelDone("optics", "questions", False, 100, 3))
    assert (counts.levels["questions"].rows, counts.failed) == (4, 1), "what stood already is not made now"


def test_the_time_left_is_first_the_estimate_then_the_pace_since_the_first_reply() -> None:
    clock = Clock()
    counts = Counts({"logic": ["questions"]}, {("logic", "questions"): Portion(calls=100)}, seconds=90.0, now=clock)
    assert counts.left == "about 1 min 30 s left"
    clock.now += 30  # starting up
    counts.add(Counted.of([Asked("accepted", "questions", "logic", "?", 1, Decimal(0))]))
    clock.now += 10
    counts.add(Counted.of([Asked("accepted", "questions", "logic", "?", 1, Decimal(0))] * 24))
    assert counts.left == "about 30 s left" and counts.rate == 2.5
    counts.add(DisciplineDone("logic"))
    assert counts.left == "publishing"


def test_a_discipline_that_could_not_be_made_and_a_publication_are_kept() -> None:
    counts = Counts(LATE)
    counts.add(DisciplineDone("logic", "the disk is full"))
    counts.add(Published(7))
    assert counts.errors == {"logic": "the disk is full"} and counts.done == 0
    assert counts.published == Published(7)
