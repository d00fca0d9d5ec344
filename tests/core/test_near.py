"""The laws of near duplicates: what is dropped is what the rule says as it reads, from nothing and after any steps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gland_assets.core import near as near_module
from gland_assets.core.bitmaps import Sieve
from gland_assets.core.dedup import sign
from gland_assets.core.likeness import Likeness
from gland_assets.core.links import Links, Pairs, Relinked, linked, losing, relinked
from gland_assets.core.near import LOOKED_AT, Alike, Change, Dropped, look_again
from gland_assets.core.project import Dedup
from gland_assets.core.records import Duplicate
from gland_assets.core.shares import REFERENCE_BAND, Places, Shares, shared_places
from gland_assets.core.texts import Ints, Texts
from tests.duplicates import Entry, as_rows, expected, found, held, place, publishable, sieved

DEDUP = Dedup(threshold=0.6, ngram=1)
Rows = dict[str, Entry]


class Noted(Likeness):
    """Notes whose texts were read, and how many were compared."""

    def __init__(self, rows: Sequence[Entry], dedup: Dedup) -> None:
        self.read: set[str] = set()
        self.compared = 0
        super().__init__(lambda at: self.text(rows[at]), sieved([row.text for row in rows], dedup), dedup)

    def first(self, one: int, others: Collection[int]) -> tuple[int, float] | None:
        self.compared += len(others)
        return super().first(one, others)

    def text(self, row: Entry) -> str:
        self.read.add(row.question_id)
        return row.text


NONE = np.zeros(0, dtype=np.int64)
KINDS, KEYS = NONE.astype(np.uint8), NONE.astype(np.uint64)
NO_LINKS = Links(Places(KINDS, KEYS, NONE), Pairs(KINDS, KEYS, NONE, NONE))


class World:
    """Rows that change step by step, with the duplicates that stand after each."""

    def __init__(self, dedup: Dedup = DEDUP) -> None:
        self.rows: Rows = {}
        self.dropped: dict[str, Duplicate] = {}
        self.dedup = dedup
        self.numbers: dict[str, int] = {}
        self.links = NO_LINKS

    def step(self, after: Rows) -> tuple[Noted, set[str]]:
        """Go over to other rows; what was compared, and what was looked at. Holds the law."""
        before, now = publishable(self.rows.values()), publishable(after.values())
        left, came = ([row for row in some if row not in others] for some, others in ((before, now), (now, before)))
        self.of([*left, *came])
        changed = self.relinked(left, came, now)
        near = changed.around(self.of([*left, *came]))
        order = sorted({place(row): row for row in (*before, *now)}.values(), key=place)
        ranks = np.zeros(len(self.numbers), dtype=np.int64)
        ranks[self.of(order)] = np.arange(len(order))
        rank = {row.question_id: at for at, row in enumerate(order)}
        places, pairs = near.links
        shares = Shares(places._replace(rows=ranks[places.rows]), len(order), near.places_then, near.places_now)
        then, at_now = (Alike.of(ranks[pairs.ones[holds]], ranks[pairs.others[holds]]) for holds in (near.pairs_then, near.pairs_now))
        touched = frozenset(rank[row.question_id] for row in (*left, *came))
        stood = {rank[one]: Dropped(rank[row.kept_id], row.kind, row.jaccard) for one, row in self.dropped.items()}
        texts = [next((new for new in now if new.question_id == row.question_id), row) for row in order]
        likeness = Noted(texts, self.dedup)
        outcomes = look_again(Change(shares, then, at_now, sum(row.reference for row in order), touched, stood), likeness)
        assert touched <= outcomes.keys()
        stands = {at: row for at, row in stood.items() if at not in outcomes} | {at: row for at, row in outcomes.items() if row}
        told = as_rows(texts, stands)
        self.rows, self.dropped, self.links = after, {row.question_id: row for row in told}, changed.now
        assert told == expected(after.values(), self.dedup, near_module.LOOKED_AT)
        assert told == found(after.values(), self.dedup)
        return likeness, {order[at].question_id for at in outcomes}

    def relinked(self, left: list[Entry], came: list[Entry], now: list[Entry]) -> Relinked:
        """The links after the step, by what is known of a change; and they are those that are found from nothing."""
        keys, copied = {key for row in came for key in row.bands}, {row.text_hash for row in came}
        met = [row for row in now if keys.intersection(row.bands) or row.text_hash in copied]
        sought = [row._replace(bands=[key for key in row.bands if key in keys]) for row in met]
        lose = set(losing(self.links, self.of(left)).tolist())
        sieve, references = self.known([row for row in now if row in met or self.numbers[row.question_id] in lose])
        found = self.places(sought, met)
        changed = relinked(self.links, self.of(left), self.of(came), found, references, sieve, near_module.LOOKED_AT)
        sieve, references = self.known(now)
        whole = linked(self.places(now, now), references, sieve, near_module.LOOKED_AT)
        assert told(changed.now, references) == told(whole, references)
        return changed

    def known(self, rows: list[Entry]) -> tuple[Sieve, NDArray[np.bool_]]:
        """The sieve of these rows, by number, and which are references; of others nothing may be asked."""
        at = np.full(len(self.numbers), len(rows))
        at[self.of(rows)] = np.arange(len(rows))
        references = np.zeros(len(self.numbers), dtype=np.bool_)
        references[self.of(rows)] = [row.reference for row in rows]
        return Sieve(sign(Texts.of([row.text for row in rows]), self.dedup).bitmaps, self.dedup, at), references

    def places(self, rows: list[Entry], known: list[Entry]) -> Places:
        """Where rows meet, by number."""
        found = shared_places(held(rows, self.dedup))
        return found._replace(rows=self.of(known)[found.rows])

    def of(self, rows: list[Entry]) -> Ints:
        """The numbers of rows, which they keep."""
        return np.array([self.numbers.setdefault(row.question_id, len(self.numbers)) for row in rows], dtype=np.int64)


def told(links: Links, references: NDArray[np.bool_]) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
    """Links in order, of buckets in which somebody meets another: in a reference's, a reference."""
    places, pairs = links
    held: defaultdict[tuple[int, ...], set[tuple[bool, int]]] = defaultdict(set)
    for kind, key, row in zip(*(column.tolist() for column in places), strict=True):
        held[kind, key].add((bool(references[row]), row))
    met = {at: rows for at, rows in held.items() if len({of for of, _ in rows} if at[0] >= REFERENCE_BAND else rows) > 1}
    two = [(kind, key, *sorted(pair)) for kind, key, *pair in zip(*(column.tolist() for column in pairs), strict=True)]
    return sorted((*at, row) for at, rows in met.items() for _, row in rows), sorted(two)


def entry(number: int, words: str, keys: Sequence[int], discipline: str = "d", publishable: bool = True) -> Entry:
    return Entry(f"q{number:05}", discipline, words, words, keys, publishable)


@pytest.fixture(params=[1, 2, 3])
def bound(request: pytest.FixtureRequest) -> Iterator[None]:
    """So low a bound that most buckets are over it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(near_module, "LOOKED_AT", request.param)
        patch.setattr(near_module, "TOGETHER", 2)
        yield


def texts(rng: Random, count: int, keys: int) -> list[tuple[str, tuple[int, ...]]]:
    """Short texts over few words with band keys, or none; now and then one text with others, as where it was signed otherwise."""
    made = []
    for _ in range(count):
        words = " ".join(sorted(rng.sample("abcdef", rng.randrange(2, 6))))
        made.append((words, tuple(rng.sample(range(keys), rng.randrange(0, min(4, keys) + 1)))))
    return made if rng.random() < 0.3 else list(dict(made).items())


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
    assert noted.compared == LOOKED_AT and noted.read == set()  # by their bitmaps they are unlike


def test_a_row_that_stays_is_compared_with_the_changed_one_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near_module, "LOOKED_AT", 8)
    rows = [entry(n, f"only{n} of{n}", (1,)) for n in range(40)]
    world = World()
    world.step({row.question_id: row for row in rows[1:]})
    noted, looked_at = world.step({row.question_id: row for row in rows})
    assert looked_at == {row.question_id for row in rows}  # each sees the new one
    assert noted.compared == 39
    noted, _ = world.step({row.question_id: row for row in rows[1:]})
    assert noted.compared == 31  # those that saw the first eight see another now


def test_where_few_share_a_bucket_none_is_looked_at_but_what_may_be_alike() -> None:
    rows = [entry(n, f"only{n} of{n}", (1,)) for n in range(40)]
    like = entry(40, "only7 of7 more", (1,))
    world = World()
    world.step({row.question_id: row for row in (*rows[1:], like)})
    noted, looked_at = world.step({row.question_id: row for row in (*rows, like)})
    assert looked_at == {"q00000"} and noted.compared == 0
    noted, looked_at = world.step({row.question_id: row for row in (*rows[:7], *rows[8:], like)})
    assert looked_at == {"q00007", "q00040"} and world.dropped == {}


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


def test_a_copy_that_was_signed_otherwise_is_compared_by_itself_once_its_first_is_gone() -> None:
    seen, kept = entry(0, "a b c d e f", (2,)), entry(1, "a b c d", (1,))
    first, copy = entry(2, "a b c d e", (1,)), entry(3, "a b c d e", (2,))
    world = World()
    world.step({row.question_id: row for row in (seen, kept, first, copy)})
    assert {row.question_id: row.kept_id for row in world.dropped.values()} == {"q00002": "q00001", "q00003": "q00001"}
    world.step({row.question_id: row for row in (seen, kept, copy)})
    assert {row.question_id: row.kept_id for row in world.dropped.values()} == {"q00003": "q00000"}


@pytest.mark.parametrize("unlike", [0, 62])
def test_what_duplicated_a_row_of_a_bucket_that_was_crowded_hears_of_it(unlike: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one step the bucket falls to the bound, and the kept one of it duplicates another."""
    monkeypatch.setattr(near_module, "LOOKED_AT", unlike + 2)
    leader, kept, copy = entry(0, "a b c d", (2,)), entry(1, "a b c d e", (1, 2)), entry(2, "a b c d e f g", (1,))
    others = [entry(10 + n, f"only{n} of{n}", (1,)) for n in range(unlike)]
    world = World()
    world.step({row.question_id: row for row in (kept, copy, entry(3, "u v w x y", (1,)), *others)})
    assert {row.question_id: row.kept_id for row in world.dropped.values()} == {"q00002": "q00001"}
    world.step({row.question_id: row for row in (leader, kept, copy, *others)})
    assert {row.question_id: row.kept_id for row in world.dropped.values()} == {"q00001": "q00000"}


def test_a_bucket_that_falls_to_the_bound_by_a_loss_alone_becomes_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near_module, "LOOKED_AT", 2)
    rows = [entry(0, "zz", (9,)), entry(1, "a b c d e", (1,)), entry(2, "a b c d e f", (1,)), entry(3, "u v w x y", (1,))]
    world = World()
    world.step({row.question_id: row for row in rows})
    assert len(world.links.places.rows) == 3 and len(world.links.pairs.ones) == 0
    world.step({row.question_id: row for row in rows[:3]})
    assert len(world.links.places.rows) == 0 and len(world.links.pairs.ones) == 1
    world.step({row.question_id: row for row in (rows[0], rows[2])})
    assert world.dropped == {}


def test_nothing_changed_asks_for_nothing() -> None:
    nothing = Alike.of(*np.zeros((2, 0), dtype=np.int64))
    assert look_again(Change(Shares(NO_LINKS.places, 0), nothing, nothing, 0, frozenset(), {}), Noted([], DEDUP)) == {}
