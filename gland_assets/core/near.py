"""Which rows are dropped as duplicates and the kept one each duplicates: of all rows, or after a change again of those it can touch.

Rows are numbered in the order in which they are kept: references first, which always are, then by id. A row is dropped when the first
row of its text hash was kept (exact), or when a kept one in one of its buckets has exact Jaccard at or above the threshold (near); at
most LOOKED_AT kept ones are looked at in a bucket. The copies of a row that was dropped duplicate the one it duplicates.

What becomes of a row so depends on rows before it alone. After a change rows are gone through once, in order: those that changed, and
those that can see one of which something else came.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from heapq import heapify, heappop, heappush
from typing import NamedTuple

import numpy as np

from gland_assets.core.likeness import Likeness
from gland_assets.core.shares import Shares
from gland_assets.core.texts import Ints

LOOKED_AT = 64
"""Kept rows looked at in one bucket: templated questions share bands by the thousand."""

TOGETHER = 1 << 14  # rows held at once against those kept in a crowded bucket


class Dropped(NamedTuple):
    """What a row was dropped for."""

    kept: int
    kind: str  # exact or near
    jaccard: float


class Alike(NamedTuple):
    """Pairs of rows that may be alike, the earlier and the later; in no order, and some of them twice."""

    earlier: Ints
    later: Ints

    @classmethod
    def of(cls, ones: Ints, others: Ints) -> Alike:
        """Of pairs of which either row may be the earlier."""
        return cls(np.minimum(ones, others), np.maximum(ones, others))


def find(shares: Shares, alike: Alike, references: int, likeness: Likeness) -> dict[int, Dropped]:
    """Row -> what it is dropped for. The first `references` rows are references."""
    first_of: dict[int, int] = {}
    kept_in: defaultdict[int, list[int]] = defaultdict(list)
    full: set[int] = set()
    dropped: dict[int, Dropped] = {}
    near: defaultdict[int, list[int]] = defaultdict(list)  # row -> the rows before it that it may be like
    _note(near, *alike)
    for one in sorted({*near, *shares.rows()}):
        buckets = shares.now(one)
        reference = one < references
        texts = [bucket for bucket in buckets if shares.of_texts(bucket)]
        bands = [bucket for bucket in buckets if bucket not in full and not shares.of_texts(bucket)]
        leader = min((first_of[bucket] for bucket in texts if bucket in first_of), default=one)
        if leader != one and not reference:
            dropped[one] = dropped.get(leader) or Dropped(leader, "exact", 1.0)
            continue
        for bucket in texts:
            if reference or not shares.of_references(bucket):
                first_of.setdefault(bucket, one)
        if not reference:
            seen = {other for bucket in bands for other in kept_in[bucket]}
            found = likeness.first(one, seen.union(other for other in near.get(one, ()) if other not in dropped))
            if found is not None:
                dropped[one] = Dropped(found[0], "near", found[1])
                continue
            if bands and shares.of_references(bands[-1]):
                bands = [bucket for bucket in bands if not shares.of_references(bucket)]
        for bucket in bands:
            kept_in[bucket].append(one)
            if len(kept_in[bucket]) == LOOKED_AT:  # which is all that those after them look at
                members = np.array(shares.members(bucket))
                later = members[members > one]
                kept = kept_in.pop(bucket)
                full.add(bucket)
                for begin in range(0, len(later), TOGETHER):
                    some = later[begin : begin + TOGETHER]
                    pair = np.repeat(kept, len(some)), np.tile(some, len(kept))
                    passing = likeness.sieve.passing(*pair)
                    _note(near, *(rows[passing] for rows in pair))
    return dropped


def _note(near: defaultdict[int, list[int]], earlier: Ints, later: Ints) -> None:
    for one, other in zip(later.tolist(), earlier.tolist(), strict=True):
        near[one].append(other)


class Change(NamedTuple):
    """What has changed since rows were compared before, rows by number. A row that is gone has no link now, a new one none before."""

    shares: Shares
    then: Alike
    now: Alike
    references: int  # that many rows come first
    changed: frozenset[int]  # whose text or group differs, or which are there only before or only now
    before: Mapping[int, Dropped]


def look_again(change: Change, likeness: Likeness) -> dict[int, Dropped | None]:
    """Row -> what becomes of it now, None for kept or gone, for every row that was looked at; the others stay as they were."""
    return _Pass(change, likeness).run()


class _Bucket:
    """One bucket as the row at hand sees it: the first LOOKED_AT kept ones before that row, as it was and as it is."""

    def __init__(self, members: Sequence[int]) -> None:
        self.members = members
        self.passed = 0
        self.was: list[int] = []
        self.now: list[int] = []
        self.differs = False
        self.told = False  # all that follow in it are to be looked at already

    @property
    def full(self) -> bool:
        """Whether no later row can be seen in it."""
        return len(self.was) == len(self.now) == LOOKED_AT

    def gained(self, changed: Collection[int]) -> set[int]:
        """Those seen now that were not seen before, or not with this text."""
        return {one for one in self.now if one in changed}.union(set(self.now).difference(self.was)) if self.differs else set()


class _Pass:
    """One pass over the rows that may come out different, in order."""

    def __init__(self, change: Change, likeness: Likeness) -> None:
        self.shares, then, now, self.references, self.changed, self.before = change
        self.alike_then, self.alike_now = _neighbours(then), _neighbours(now)
        self.likeness = likeness
        self.outcomes: dict[int, Dropped | None] = {}
        self.heap = list(self.changed)
        heapify(self.heap)
        self.queued = set(self.changed)
        self.buckets: dict[int, _Bucket] = {}
        self.firsts: dict[int, tuple[int | None, int | None]] = {}
        self.held = {one: (frozenset(self.shares.then(one)), frozenset(self.shares.now(one))) for one in self.changed}

    def run(self) -> dict[int, Dropped | None]:
        while self.heap:
            one = heappop(self.heap)
            buckets = self.shares.now(one)
            linked = buckets or one in self.alike_now
            self.outcomes[one] = self._outcome(one, buckets) if linked and one >= self.references else None
            if one in self.changed:
                self._tell(one, {*self.held[one][0], *buckets})
            elif self.outcomes[one] != self.before.get(one):
                self._tell(one, buckets)
        return self.outcomes

    def _outcome(self, one: int, buckets: Sequence[int]) -> Dropped | None:
        texts = [bucket for bucket in buckets if self.shares.of_texts(bucket)]
        leader = min((first for bucket in texts if (first := self._first(bucket)[1]) is not None), default=one)
        if leader < one:
            return self._now(leader) or Dropped(leader, "exact", 1.0)
        was_copy = any((first := self._first(bucket)[0]) is not None and first < one for bucket in texts)
        return self._near(one, [bucket for bucket in buckets if not self.shares.of_texts(bucket)], was_copy)

    def _near(self, one: int, keys: Sequence[int], was_copy: bool) -> Dropped | None:
        """A changed row, and one that was a copy of another, is compared with all that it sees now; any other with those that it was not
        compared with before.
        """
        buckets = [self._seen_from(one, key) for key in keys]
        alike = {other for other in self.alike_now.get(one, ()) if other < one and self._now(other) is None}
        stood = self.before.get(one)
        if was_copy or one in self.changed:
            return self._first_alike(one, alike.union(*(bucket.now for bucket in buckets)))
        gained = alike.difference(other for other in self.alike_then.get(one, ()) if other not in self.changed and other not in self.before)
        gained.update(*(bucket.gained(self.changed) for bucket in buckets))
        if stood is None:
            return self._first_alike(one, gained)
        if stood.kept not in self.changed and (stood.kept in alike or any(stood.kept in bucket.now for bucket in buckets)):
            return self._first_alike(one, {other for other in gained if other < stood.kept}) or stood
        seen = alike.union(*(bucket.now for bucket in buckets))
        return self._first_alike(one, gained.union(other for other in seen if other > stood.kept))

    def _first_alike(self, one: int, others: Collection[int]) -> Dropped | None:
        found = self.likeness.first(one, others)
        return found and Dropped(found[0], "near", found[1])

    def _tell(self, one: int, buckets: Iterable[int]) -> None:
        """Have looked at whoever can see the row, as it was or as it is."""
        was = self.alike_then.get(one, set()) if one not in self.before else set()
        # Whoever is a pair with it only now may have seen it before as well, in a bucket that was crowded.
        self._queue(sorted(was.union(self.alike_now.get(one, ()))), one)
        for key in buckets:
            if self.shares.of_texts(key):
                if one in self._first(key):
                    self._queue(self.shares.members(key), one)
                continue
            bucket = self._seen_from(one, key)
            seen = (self._was_kept(one, key) and len(bucket.was) < LOOKED_AT) or (self._is_kept(one, key) and len(bucket.now) < LOOKED_AT)
            if seen and not bucket.told:
                bucket.told = True
                self._queue(bucket.members, one)

    def _queue(self, members: Sequence[int], after: int) -> None:
        for one in members[bisect_right(members, after) :]:
            if one not in self.queued:
                self.queued.add(one)
                heappush(self.heap, one)

    def _seen_from(self, one: int, key: int) -> _Bucket:
        """The bucket with all members before `one` gone through; what becomes of those is settled."""
        bucket = self.buckets.get(key)
        if bucket is None:
            bucket = self.buckets[key] = _Bucket(self.shares.members(key))
        while not bucket.full and bucket.passed < len(bucket.members) and (other := bucket.members[bucket.passed]) < one:
            bucket.passed += 1
            was, now = self._was_kept(other, key), self._is_kept(other, key)
            bucket.differs = bucket.differs or was != now or other in self.changed
            if was and len(bucket.was) < LOOKED_AT:
                bucket.was.append(other)
            if now and len(bucket.now) < LOOKED_AT:
                bucket.now.append(other)
        return bucket

    def _was_kept(self, one: int, key: int) -> bool:
        return one not in self.before and (one not in self.changed or key in self.held[one][0]) and self._stands(one, key)

    def _is_kept(self, one: int, key: int) -> bool:
        return self._now(one) is None and (one not in self.changed or key in self.held[one][1]) and self._stands(one, key)

    def _stands(self, one: int, key: int) -> bool:
        return one < self.references or not self.shares.of_references(key)

    def _now(self, one: int) -> Dropped | None:
        return self.outcomes[one] if one in self.outcomes else self.before.get(one)

    def _first(self, bucket: int) -> tuple[int | None, int | None]:
        """The first row that stands in the bucket, before the change and now."""
        if bucket not in self.firsts:
            members = [one for one in self.shares.members(bucket) if self._stands(one, bucket)]
            had = (one for one in members if one not in self.changed or bucket in self.held[one][0])
            have = (one for one in members if one not in self.changed or bucket in self.held[one][1])
            self.firsts[bucket] = next(had, None), next(have, None)
        return self.firsts[bucket]


def _neighbours(alike: Alike) -> dict[int, set[int]]:
    """Row -> the rows that it may be like."""
    found: defaultdict[int, set[int]] = defaultdict(set)
    for one, other in zip(alike.earlier.tolist(), alike.later.tolist(), strict=True):
        found[one].add(other)
        found[other].add(one)
    return dict(found)
