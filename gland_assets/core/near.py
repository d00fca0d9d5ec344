"""Near duplicates after a change: what `find_duplicates` would say over all rows, from the rows that changed and those they can touch.

What becomes of a row depends on rows of smaller id alone: the first of its text hash, and the kept ones among the first LOOKED_AT of each
of its buckets. So rows are gone through once, in order of id: those that changed, and those that can see one of which something else came.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from heapq import heapify, heappop, heappush
from typing import NamedTuple, Protocol

from gland_assets.core.dedup import LOOKED_AT, REMEMBERED, jaccard, shingles
from gland_assets.core.project import Dedup
from gland_assets.core.records import Duplicate


class Row(NamedTuple):
    """A publishable question as it is compared. Band keys that no other row has, before or now, may be left out."""

    text_hash: str
    keys: tuple[int, ...]


class Around(Protocol):
    """Who shares what with whom, before the change and now. Asked for nothing but the surroundings of rows that were met."""

    def meet(self, ids: Collection[str]) -> None:
        """Make known these rows, and all that share a bucket or a text hash with one of them, before or now."""

    def was(self, question_id: str) -> Row | None:
        """The row before the change; None when it was not there, or not publishable."""

    def now(self, question_id: str) -> Row | None:
        """The row now; None when it is not there, or not publishable."""

    def before(self, question_id: str) -> Duplicate | None:
        """What the row was dropped for before the change; None when it was kept or not there."""

    def discipline(self, question_id: str) -> str:
        """The discipline of a row that is there now."""

    def bucket(self, key: int) -> Sequence[str]:
        """The ids that have the key, before or now, in order."""

    def alike(self, text_hash: str) -> Sequence[str]:
        """The ids that have the text hash, before or now, in order."""

    def text(self, question_id: str) -> str:
        """The text of a row that is there now."""


def look_again(around: Around, changed: Iterable[str], settings: Dedup) -> dict[str, Duplicate | None]:
    """Question id -> what becomes of it now, None for kept or gone, for every row that was looked at; the others stay as they were.

    `changed` holds every id whose discipline or text hash differs between before and now, or which is there in one of the two alone.
    """
    return _Pass(around, frozenset(changed), settings).run()


class _Bucket:
    """One bucket as the row at hand sees it: the first LOOKED_AT kept ones of smaller id, as it was and as it is."""

    def __init__(self, members: Sequence[str]) -> None:
        self.members = members
        self.passed = 0
        self.was: list[str] = []
        self.now: list[str] = []
        self.differs = False
        self.told = False  # all that follow in it are to be looked at already

    @property
    def full(self) -> bool:
        """Whether no row of larger id can be seen in it."""
        return len(self.was) == len(self.now) == LOOKED_AT

    def gained(self, changed: Collection[str]) -> set[str]:
        """Those seen now that were not seen before, or not with this text."""
        return {one for one in self.now if one in changed}.union(set(self.now).difference(self.was)) if self.differs else set()


class _Pass:
    """One pass over the rows that may come out different, in order of id."""

    def __init__(self, around: Around, changed: frozenset[str], settings: Dedup) -> None:
        self.around, self.changed, self.threshold = around, changed, settings.threshold
        self.outcomes: dict[str, Duplicate | None] = {}
        self.heap = list(changed)
        heapify(self.heap)
        self.queued = set(changed)
        self.unmet = set(changed)
        self.buckets: dict[int, _Bucket] = {}
        self.leaders: dict[str, tuple[str | None, str | None]] = {}
        self.shingled = lru_cache(maxsize=REMEMBERED)(lambda one: shingles(around.text(one), settings.ngram))

    def run(self) -> dict[str, Duplicate | None]:
        while self.heap:
            one = heappop(self.heap)
            if one in self.unmet:  # all that wait, for meeting them one by one would cost more
                self.around.meet(self.unmet)
                self.unmet = set()
            was, now = self.around.was(one), self.around.now(one)
            self.outcomes[one] = None if now is None else self._outcome(one, now)
            if one in self.changed or self.outcomes[one] != self.around.before(one):
                for row in {was, now}:
                    if row is not None:
                        self._tell(one, row)
        return self.outcomes

    def _outcome(self, one: str, row: Row) -> Duplicate | None:
        _, leader = self._leaders(row.text_hash)
        if leader is None or leader == one:
            return self._near(one, row)
        found = self._now(leader)  # the exact copies of a dropped question duplicate the one that was kept
        if found is None:
            return self._duplicate(one, leader, "exact", 1.0)
        return self._duplicate(one, found.kept_id, "near", found.jaccard)

    def _near(self, one: str, row: Row) -> Duplicate | None:
        """A changed row is compared with all that it sees now, any other with those it was not compared with before.

        What was found for the first of a text hash holds for its copies, which are the same text: so too when one of them takes its place.
        """
        buckets = [self._seen_from(one, key) for key in row.keys]
        if one in self.changed:
            return self._first_alike(one, {other for bucket in buckets for other in bucket.now})
        gained = {other for bucket in buckets for other in bucket.gained(self.changed)}
        stood = self.around.before(one)
        if stood is None:
            return self._first_alike(one, gained)
        if stood.kept_id not in self.changed and any(stood.kept_id in bucket.now for bucket in buckets):
            return self._first_alike(one, {other for other in gained if other < stood.kept_id}) or stood
        return self._first_alike(one, gained.union(other for bucket in buckets for other in bucket.now if other > stood.kept_id))

    def _first_alike(self, one: str, candidates: Collection[str]) -> Duplicate | None:
        mine = self.shingled(one) if candidates else frozenset()
        for candidate in sorted(candidates):
            theirs = self.shingled(candidate)
            if min(len(mine), len(theirs)) < self.threshold * max(len(mine), len(theirs)):
                continue  # too unlike in size to reach the threshold
            similarity = jaccard(mine, theirs)
            if similarity >= self.threshold:
                return self._duplicate(one, candidate, "near", similarity)
        return None

    def _tell(self, one: str, row: Row) -> None:
        """Have looked at whoever can see the row, as it was or as it is."""
        if one in self._leaders(row.text_hash):
            self._queue(self.around.alike(row.text_hash), one)
        for key in row.keys:
            bucket = self._seen_from(one, key)
            seen = (self._was_kept(one, key) and len(bucket.was) < LOOKED_AT) or (self._is_kept(one, key) and len(bucket.now) < LOOKED_AT)
            if seen and not bucket.told:
                bucket.told = True
                self._queue(bucket.members, one)

    def _queue(self, members: Sequence[str], after: str) -> None:
        for one in members[bisect_right(members, after) :]:
            if one not in self.queued:
                self.queued.add(one)
                self.unmet.add(one)
                heappush(self.heap, one)

    def _seen_from(self, one: str, key: int) -> _Bucket:
        """The bucket with all members before `one` gone through; what becomes of those is settled."""
        bucket = self.buckets.get(key)
        if bucket is None:
            bucket = self.buckets[key] = _Bucket(self.around.bucket(key))
        while not bucket.full and bucket.passed < len(bucket.members) and (other := bucket.members[bucket.passed]) < one:
            bucket.passed += 1
            was, now = self._was_kept(other, key), self._is_kept(other, key)
            bucket.differs = bucket.differs or was != now or other in self.changed
            if was and len(bucket.was) < LOOKED_AT:
                bucket.was.append(other)
            if now and len(bucket.now) < LOOKED_AT:
                bucket.now.append(other)
        return bucket

    def _was_kept(self, one: str, key: int) -> bool:
        return self.around.before(one) is None and (one not in self.changed or _has(self.around.was(one), key))

    def _is_kept(self, one: str, key: int) -> bool:
        return self._now(one) is None and (one not in self.changed or _has(self.around.now(one), key))

    def _now(self, one: str) -> Duplicate | None:
        return self.outcomes[one] if one in self.outcomes else self.around.before(one)

    def _leaders(self, text_hash: str) -> tuple[str | None, str | None]:
        """The first id with the text hash, before the change and now."""
        if text_hash not in self.leaders:
            had = (one for one in self.around.alike(text_hash) if one not in self.changed or _named(self.around.was(one), text_hash))
            have = (one for one in self.around.alike(text_hash) if one not in self.changed or _named(self.around.now(one), text_hash))
            self.leaders[text_hash] = next(had, None), next(have, None)
        return self.leaders[text_hash]

    def _duplicate(self, one: str, kept: str, kind: str, similarity: float) -> Duplicate:
        return Duplicate(one, kept, self.around.discipline(one), self.around.discipline(kept), kind, similarity)


def _has(row: Row | None, key: int) -> bool:
    return row is not None and key in row.keys


def _named(row: Row | None, text_hash: str) -> bool:
    return row is not None and row.text_hash == text_hash
