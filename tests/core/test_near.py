"""The laws of near duplicates: what is dropped is what the rule says as it reads, from nothing and after any steps."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gland_assets.core import near
from gland_assets.core.likeness import Likeness
from gland_assets.core.near import LOOKED_AT, Change, Dropped, look_again
from gland_assets.core.project import Dedup
from gland_assets.core.records import Duplicate
from gland_assets.core.shares import Shares, shared_places
from tests.duplicates import Entry, as_rows, expected, found, held, place, publishable

DEDUP = Dedup(threshold=0.6, ngram=1)
Rows = dict[str, Entry]


class Noted(Likeness):
    """Notes whose texts were read, and how many were compared."""

    def __init__(self, rows: Sequence[Entry], dedup: Dedup) -> None:
        self.read: set[str] = set()
        self.compared = 0
        super().__init__(lambda at: self.text(rows[at]), dedup)

    def first(self, one: int, others: Collection[int]) -> tuple[int, float] | None:
        self.compared += len(others)
        return super().first(one, others)

    def text(self, row: Entry) -> str:
        self.read.add(row.question_id)
        return row.text


class World:
    """Rows that change step by step, with the duplicates that stand after each."""

    def __init__(self, dedup: Dedup = DEDUP) -> None:
        self.rows: Rows = {}
        self.dropped: dict[str, Duplicate] = {}
        self.dedup = dedup

    def step(self, after: Rows) -> tuple[Noted, set[str]]:
        """Go over to other rows; what was compared, and what was looked at. Holds the law."""
        before, now = publishable(self.rows.values()), publishable(after.values())
        kept = [row for row in before if row in now]
        versions = [*kept, *(row for row in before if row not in now), *(row for row in now if row not in before)]
        then = np.arange(len(versions)) < len(before)
        at_now = (np.arange(len(versions)) < len(kept)) | ~then
        order = sorted({place(row): row for row in (*before, *now)}.values(), key=place)
        rank = {row.question_id: at for at, row in enumerate(order)}
        places = shared_places(held(versions, self.dedup))
        rows = np.array([rank[row.question_id] for row in versions], dtype=np.int64)[places.rows]
        shares = Shares(places._replace(rows=rows), len(order), then[places.rows], at_now[places.rows])
        changed = frozenset(rank[row.question_id] for row in versions[len(kept) :])
        stood = {rank[one]: Dropped(rank[row.kept_id], row.kind, row.jaccard) for one, row in self.dropped.items()}
        texts = [next((new for new in now if new.question_id == row.question_id), row) for row in order]
        likeness = Noted(texts, self.dedup)
        outcomes = look_again(Change(shares, sum(row.reference for row in order), changed, stood), likeness)
        assert changed <= outcomes.keys()
        stands = {at: row for at, row in stood.items() if at not in outcomes} | {at: row for at, row in outcomes.items() if row}
        told = as_rows(texts, stands)
        self.rows, self.dropped = after, {row.question_id: row for row in told}
        assert told == expected(after.values(), self.dedup, near.LOOKED_AT)
        assert told == found(after.values(), self.dedup)
        return likeness, {order[at].question_id for at in outcomes}


def entry(number: int, words: str, keys: Sequence[int], discipline: str = "d", publishable: bool = True) -> Entry:
    return Entry(f"q{number:05}", discipline, words, words, keys, publishable)


@pytest.fixture(params=[1, 2, 3])
def bound(request: pytest.FixtureRequest) -> Iterator[None]:
    """So low a bound that most buckets are over it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(near, "LOOKED_AT", request.param)
        patch.setattr(near, "TOGETHER", 2)
        yield


def texts(rng: Random, count: int, keys: int) -> list[tuple[str, tuple[int, ...]]]:
    """Short texts over few words, each with the band keys that it always has; some have none."""
    made = []
    for _ in range(count):
        words = " ".join(sorted(rng.sample("abcdef", rng.randrange(2, 6))))
        made.append((words, tuple(rng.sample(range(keys), rng.randrange(0, min(4, keys) + 1)))))
    return [(words, held) for words, held in dict(made).items()]


def walk(rng: Random, steps: int) -> None:
    """Adds, edits, failures, moves and removals at random, a few rows at a time; kept rows are removed as often as others."""
    pool = texts(rng, rng.choice([3, 8, 20]), rng.choice([1, 3, 8]))
    size = rng.choice([4, 10, 25])
    world = World(replace(DEDUP, across=rng.random() < 0.7))
    places = ["d", "e", "reference:f"] if rng.random() < 0.5 else ["d", "e"]
    for _ in range(steps):
        after = dict(world.rows)
        for number in rng.sample(range(size), rng.choice([1, 1, 2, min(size, 6)])):
            if rng.random() < 0.3:
                after.pop(f"q{number:05}", None)
            else:
                discipline = places[2] if number % 3 == 2 and len(places) == 3 else rng.choice(places[:2])
                row = entry(number, *rng.choice(pool), discipline, rng.random() < 0.85)
                after[row.question_id] = row
        world.step(after)


@pytest.mark.usefixtures("bound")
@settings(max_examples=100, deadline=None)
@given(st.randoms(use_true_random=False))
def test_after_any_steps_it_is_what_a_rebuild_from_nothing_gives(rng: Random) -> None:
    walk(rng, 12)


@settings(max_examples=40, deadline=None)
@given(st.randoms(use_true_random=False))
def test_after_any_steps_under_the_bound_as_well(rng: Random) -> None:
    walk(rng, 12)


def test_a_bucket_at_the_bound_hands_on_its_places() -> None:
    """LOOKED_AT kept ones unlike each other fill the bucket: the next is seen by nobody until one of them goes."""
    rows = [entry(n, f"only{n} of{n}", (1,)) for n in range(LOOKED_AT + 1)]
    copy = entry(900, f"only{LOOKED_AT} of{LOOKED_AT} more", (1,))
    world = World()
    world.step({row.question_id: row for row in (*rows, copy)})
    assert world.dropped == {}
    world.step({row.question_id: row for row in (*rows[:5], *rows[6:], copy)})
    assert {row.question_id: row.kept_id for row in world.dropped.values()} == {"q00900": rows[-1].question_id}
    world.step({row.question_id: row for row in (*rows, copy)})
    assert world.dropped == {}


def test_what_comes_behind_a_full_bucket_has_nobody_look_again() -> None:
    rows = [entry(n, f"only{n} of{n}", (1,)) for n in range(LOOKED_AT + 200)]
    held = {row.question_id: row for n, row in enumerate(rows) if n != LOOKED_AT + 10}
    world = World()
    world.step(held)
    noted, looked_at = world.step({row.question_id: row for row in rows})
    assert looked_at == {f"q{LOOKED_AT + 10:05}"}
    assert noted.read == {f"q{n:05}" for n in (*range(LOOKED_AT), LOOKED_AT + 10)}


def test_a_row_that_stays_is_compared_with_the_changed_one_alone() -> None:
    rows = [entry(n, f"only{n} of{n}", (1,)) for n in range(40)]
    world = World()
    world.step({row.question_id: row for row in rows[1:]})
    noted, looked_at = world.step({row.question_id: row for row in rows})
    assert looked_at == {row.question_id for row in rows}  # each sees the new one
    assert noted.compared == 39
    noted, _ = world.step({row.question_id: row for row in rows[1:]})
    assert noted.compared == 0  # one went for which none was dropped


def test_when_the_kept_one_goes_the_next_that_was_seen_before_takes_its_place() -> None:
    rows = [entry(1, "a b c", (1,)), entry(2, "b c d", (1,)), entry(3, "a b c d", (1,))]
    world = World()
    world.step({row.question_id: row for row in rows})
    assert world.dropped["q00003"].kept_id == "q00001"
    world.step({row.question_id: row for row in rows[1:]})
    assert world.dropped["q00003"].kept_id == "q00002"


def test_what_shares_nothing_with_the_change_is_neither_asked_for_nor_read() -> None:
    pair = [entry(1, "a b c", (1, 2)), entry(2, "a b c d", (2, 3))]
    far = [entry(3, "a b c e", (7,)), entry(4, "a b c e f", (7,))]
    world = World()
    world.step({row.question_id: row for row in (pair[0], *far)})
    noted, looked_at = world.step({row.question_id: row for row in (*pair, *far)})
    assert looked_at == {"q00002"} and noted.read == {"q00001", "q00002"}
    assert world.dropped["q00002"].kept_id == "q00001"
    noted, _ = world.step({row.question_id: row for row in (pair[1], *far)})  # the kept one goes
    assert world.dropped.keys() == {"q00004"} and noted.read == set()


def test_nothing_changed_asks_for_nothing() -> None:
    assert look_again(Change(Shares(shared_places(held([], DEDUP)), 0), 0, frozenset(), {}), Noted([], DEDUP)) == {}
