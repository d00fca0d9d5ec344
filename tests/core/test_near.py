"""The law of near duplicates after a change: after any steps, what stands is what `find_duplicates` says over all rows."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gland_assets.core.dedup import LOOKED_AT, Entry, find_duplicates, jaccard
from gland_assets.core.near import Row, look_again
from gland_assets.core.project import Dedup
from gland_assets.core.records import Duplicate

DEDUP = Dedup(threshold=0.6, ngram=1)
Rows = dict[str, Entry]


class Stored:
    """Both states of all rows in memory. Answers only for rows that were met and for what shares a bucket or a text hash with them."""

    def __init__(self, before: Rows, after: Rows, dropped: dict[str, Duplicate]) -> None:
        self.states = [{one: row for one, row in rows.items() if row.publishable} for rows in (before, after)]
        self.dropped = dropped
        self.met: set[str] = set()
        self.known: set[str] = set()
        self.read: set[str] = set()

    def meet(self, ids: Collection[str]) -> None:
        assert ids
        self.met.update(ids)
        hashes = {rows[one].text_hash for rows in self.states for one in ids if one in rows}
        keys = {int(key) for rows in self.states for one in ids if one in rows for key in rows[one].bands}
        self.known.update(
            ids, (one for rows in self.states for one, row in rows.items() if row.text_hash in hashes or keys.intersection(row.bands))
        )

    def was(self, question_id: str) -> Row | None:
        return self._row(0, question_id)

    def now(self, question_id: str) -> Row | None:
        return self._row(1, question_id)

    def _row(self, state: int, question_id: str) -> Row | None:
        assert question_id in self.met
        row = self.states[state].get(question_id)
        return row and Row(row.text_hash, tuple(map(int, row.bands)))

    def before(self, question_id: str) -> Duplicate | None:
        assert question_id in self.known
        return self.dropped.get(question_id)

    def discipline(self, question_id: str) -> str:
        assert question_id in self.known
        return self.states[1][question_id].discipline

    def bucket(self, key: int) -> Sequence[str]:
        return sorted({one for rows in self.states for one, row in rows.items() if key in row.bands})

    def alike(self, text_hash: str) -> Sequence[str]:
        return sorted({one for rows in self.states for one, row in rows.items() if row.text_hash == text_hash})

    def text(self, question_id: str) -> str:
        assert question_id in self.known
        self.read.add(question_id)
        return self.states[1][question_id].text


class World:
    """Rows that change step by step, with the duplicates that stand after each."""

    def __init__(self) -> None:
        self.rows: Rows = {}
        self.dropped: dict[str, Duplicate] = {}

    def step(self, after: Rows) -> tuple[Stored, set[str]]:
        """Go over to other rows; what was asked for, and what was looked at. Holds the law."""
        around = Stored(self.rows, after, self.dropped)
        before, now = around.states
        changed = {one for one in before.keys() | now.keys() if _identity(before.get(one)) != _identity(now.get(one))}
        found = look_again(around, changed, DEDUP)
        assert changed <= found.keys()
        stands = {one: row for one, row in self.dropped.items() if one not in found} | {one: row for one, row in found.items() if row}
        self.rows, self.dropped = after, stands
        assert sorted(stands.values(), key=lambda row: row.question_id) == find_duplicates(after.values(), DEDUP)
        return around, set(found)


def _identity(row: Entry | None) -> tuple[str, str] | None:
    return row and (row.discipline, row.text_hash)


def entry(number: int, words: str, keys: Sequence[int], discipline: str = "d", publishable: bool = True) -> Entry:
    return Entry(f"q{number:05}", discipline, words, words, keys, publishable)


@pytest.fixture(params=[1, 2, 3])
def bound(request: pytest.FixtureRequest) -> Iterator[None]:
    """So low a bound that most buckets are over it."""
    with pytest.MonkeyPatch.context() as patch:
        for module in ("dedup", "near"):
            patch.setattr(f"gland_assets.core.{module}.LOOKED_AT", request.param)
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
    world = World()
    for _ in range(steps):
        after = dict(world.rows)
        for number in rng.sample(range(size), rng.choice([1, 1, 2, min(size, 6)])):
            if rng.random() < 0.3:
                after.pop(f"q{number:05}", None)
            else:
                row = entry(number, *rng.choice(pool), rng.choice("de"), rng.random() < 0.85)
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
    around, looked_at = world.step({row.question_id: row for row in rows})
    assert looked_at == {f"q{LOOKED_AT + 10:05}"}
    assert around.read == {f"q{n:05}" for n in (*range(LOOKED_AT), LOOKED_AT + 10)}


def test_a_row_that_stays_is_compared_with_the_changed_one_alone() -> None:
    rows = [entry(n, f"only{n} of{n}", (1,)) for n in range(40)]
    world = World()
    world.step({row.question_id: row for row in rows[1:]})
    compared: list[frozenset[str]] = []

    def counting(one: frozenset[str], other: frozenset[str]) -> float:
        compared.append(other)
        return jaccard(one, other)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gland_assets.core.near.jaccard", counting)
        _, looked_at = world.step({row.question_id: row for row in rows})
        assert looked_at == {row.question_id for row in rows}  # each sees the new one
        assert compared == [frozenset(rows[0].text.split())] * 39
        world.step({row.question_id: row for row in rows[1:]})
        assert len(compared) == 39  # one went for which none was dropped


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
    around, looked_at = world.step({row.question_id: row for row in (*pair, *far)})
    assert looked_at == {"q00002"} and around.known == around.read == {"q00001", "q00002"}
    assert world.dropped["q00002"].kept_id == "q00001"
    around, _ = world.step({row.question_id: row for row in (pair[1], *far)})  # the kept one goes
    assert world.dropped.keys() == {"q00004"} and around.read == set()


def test_nothing_changed_asks_for_nothing() -> None:
    assert look_again(Stored({}, {}, {}), (), DEDUP) == {}
