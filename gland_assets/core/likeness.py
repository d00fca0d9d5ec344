"""Which of several rows a row is like: exact Jaccard over shingles as text, where there are many after a sieve by their hashes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import lru_cache
from itertools import accumulate, compress

import numpy as np
from numpy.typing import NDArray

from gland_assets.core.dedup import jaccard, word_tuples
from gland_assets.core.project import Dedup
from gland_assets.core.shingling import Ints, UInt32s, shingle_hashes

REMEMBERED = 2_000
"""Shingle sets held while duplicates are looked for."""

TOGETHER = 4096  # texts hashed at once
MARKS = 1 << 16
ROUNDING = 1e-6


class Likeness:
    """Exact comparison of rows by their texts, which are asked for when they are needed."""

    def __init__(self, text: Callable[[int], str], settings: Dedup) -> None:
        self.threshold = settings.threshold
        self._shingles = lru_cache(maxsize=REMEMBERED)(lambda row: word_tuples(text(row), settings.ngram))

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
        return super().first(one, self._passing(one, others)) if others else None

    def _passing(self, one: int, others: Collection[int]) -> list[int]:
        mine, ordered = self._cut[one], sorted(others)
        told = [self._cut[other] for other in ordered]
        if not len(mine) or not all(map(len, told)):  # a text without a word, which has no bands
            return ordered
        self._marked[mine] = 1
        marked = self._marked.take(told[0] if len(told) == 1 else np.concatenate(told))
        self._marked[mine] = 0
        begins = [0, *accumulate(map(len, told[:-1]))]
        shared = np.add.reduceat(marked, begins, dtype=np.int64)
        needed = self.threshold * (self._sizes[one] + self._sizes[ordered] - shared) - ROUNDING
        return list(compress(ordered, (shared >= needed).tolist()))


def _distinct(hashes: UInt32s, counts: Ints) -> Ints:
    """How many different hashes each text has."""
    told = np.repeat(np.arange(len(counts), dtype=np.uint64), counts) << np.uint64(32) | hashes
    told.sort()
    first = np.ones(len(told), dtype=np.bool_)
    first[1:] = told[1:] != told[:-1]
    return np.bincount((told[first] >> np.uint64(32)).astype(np.int64), minlength=len(counts))
