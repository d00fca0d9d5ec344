"""Which of several rows a row is like: exact Jaccard over shingles as text, where there are many after a sieve by their hashes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from gland_assets.core.dedup import jaccard, shingles
from gland_assets.core.project import Dedup
from gland_assets.core.shingling import Ints, UInt32s, shingle_hashes

REMEMBERED = 20_000
"""Shingle sets held while duplicates are looked for."""

FEW = 4
"""Candidates that are compared at once, without the sieve."""

TOGETHER = 4096  # texts hashed at once
MARKS = 1 << 16
ROUNDING = 1e-6


class Likeness:
    """Exact comparison of rows by their texts, which are asked for when they are needed."""

    def __init__(self, text: Callable[[int], str], settings: Dedup) -> None:
        self.threshold = settings.threshold
        self._shingles = lru_cache(maxsize=REMEMBERED)(lambda row: shingles(text(row), settings.ngram))

    def first(self, one: int, others: Collection[int]) -> tuple[int, float] | None:
        """The first of `others`, in order, whose Jaccard with `one` is at or above the threshold, and what it is."""
        mine = self._shingles(one) if others else frozenset()
        for other in sorted(others):
            theirs = self._shingles(other)
            if min(len(mine), len(theirs)) < self.threshold * max(len(mine), len(theirs)):
                continue  # too unlike in size to reach the threshold
            similarity = jaccard(mine, theirs)
            if similarity >= self.threshold:
                return other, similarity
        return None


class Sieved(Likeness):
    """The same over texts at hand, where most rows that share a bucket are unlike: a template's, by the thousand.

    Hashes bound the Jaccard from above: what two texts share is at most the shingles of one whose hash, cut to 16 bits, the other has too,
    and each text has at least as many shingles as distinct hashes. What the bound lets through is compared as text.
    """

    def __init__(self, texts: Sequence[str], settings: Dedup) -> None:
        super().__init__(texts.__getitem__, settings)
        self._marked = np.zeros(MARKS, dtype=np.uint32)
        self._cut: list[NDArray[np.uint16]] = []
        sizes = [np.empty(0, dtype=np.int64)]
        for begin in range(0, len(texts), TOGETHER):
            hashes, counts = shingle_hashes(texts[begin : begin + TOGETHER], settings.ngram)
            self._cut += np.split((hashes & np.uint32(MARKS - 1)).astype(np.uint16), np.cumsum(counts)[:-1])
            sizes.append(_distinct(hashes, counts))
        self._sizes = np.concatenate(sizes)

    def first(self, one: int, others: Collection[int]) -> tuple[int, float] | None:
        """As Likeness."""
        return super().first(one, others if len(others) <= FEW else self._passing(one, others))

    def _passing(self, one: int, others: Collection[int]) -> list[int]:
        mine = self._cut[one]
        ordered = np.array(sorted(others))
        ordered = ordered[self._sizes[ordered] > 0]
        if not len(mine) or not len(ordered):
            return []
        told = [self._cut[other] for other in ordered.tolist()]
        ends = np.cumsum(np.fromiter(map(len, told), dtype=np.int64, count=len(told)))
        self._marked[mine] = 1
        shared = np.add.reduceat(self._marked[np.concatenate(told)], np.concatenate([[0], ends[:-1]]))
        self._marked[mine] = 0
        needed = self.threshold * (self._sizes[one] + self._sizes[ordered] - shared.astype(np.int64))
        found: list[int] = ordered[shared >= needed - ROUNDING].tolist()
        return found


def _distinct(hashes: UInt32s, counts: Ints) -> Ints:
    """How many different hashes each text has."""
    told = np.repeat(np.arange(len(counts), dtype=np.uint64), counts) << np.uint64(32) | hashes
    told.sort()
    first = np.ones(len(told), dtype=np.bool_)
    first[1:] = told[1:] != told[:-1]
    return np.bincount((told[first] >> np.uint64(32)).astype(np.int64), minlength=len(counts))
