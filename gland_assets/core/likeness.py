"""Which of several rows a row is like: exact Jaccard over shingles as text, where there are many after a sieve by their hashes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from gland_assets.core.dedup import jaccard, word_tuples
from gland_assets.core.project import Dedup
from gland_assets.core.shingling import Ints, UInt32s, shingle_hashes

REMEMBERED = 20_000
"""Shingle sets held while duplicates are looked for."""

TOGETHER = 4096  # texts hashed at once
MARKS = 1 << 16
WIDEST = 1024  # hashes laid side by side; those of longer texts are counted one text after the other
ROUNDING = 1e-6


class Likeness:
    """Exact comparison of rows by their texts, which are asked for when they are needed."""

    def __init__(self, text: Callable[[int], str], settings: Dedup, remembered: int = REMEMBERED) -> None:
        self.threshold = settings.threshold
        self._shingles = lru_cache(maxsize=remembered)(lambda row: word_tuples(text(row), settings.ngram))

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
        super().__init__(texts.__getitem__, settings, remembered=1_000)
        told = [_cut(texts[begin : begin + TOGETHER], settings.ngram) for begin in range(0, len(texts), TOGETHER)] or [_cut([], 1)]
        self._hashes, self._counts, self._distinct = (np.concatenate(column) for column in zip(*told, strict=True))
        self._begins = np.cumsum(self._counts) - self._counts
        self._marked = np.zeros(MARKS, dtype=np.uint8)
        width = min(WIDEST, int(np.percentile(self._counts, 99))) if len(texts) else 0
        self._laid = np.zeros((len(texts), width), dtype=np.uint16)
        self._long = self._counts > width
        short = np.repeat(~self._long, self._counts)
        places = np.arange(len(self._hashes)) - np.repeat(self._begins, self._counts)
        self._laid[np.repeat(np.arange(len(texts)), self._counts)[short], places[short]] = self._hashes[short]

    def first(self, one: int, others: Collection[int]) -> tuple[int, float] | None:
        """As Likeness."""
        return super().first(one, self._passing(one, others)) if others else None

    def _passing(self, one: int, others: Collection[int]) -> list[int]:
        ordered = np.array(sorted(others))
        self._marked[self._of(one)] = 1
        shared = self._marked.take(self._laid.take(ordered, axis=0)).sum(axis=1, dtype=np.int64)
        for at in np.flatnonzero(self._long.take(ordered)).tolist():
            shared[at] = self._marked.take(self._of(int(ordered[at]))).sum(dtype=np.int64)
        self._marked[self._of(one)] = 0
        needed = self.threshold * (self._distinct[one] + self._distinct.take(ordered) - shared) - ROUNDING
        found: list[int] = ordered[shared >= needed].tolist()
        return found

    def _of(self, one: int) -> NDArray[np.uint16]:
        return self._hashes[self._begins[one] : self._begins[one] + self._counts[one]]


def _cut(texts: Sequence[str], ngram: int) -> tuple[NDArray[np.uint16], Ints, Ints]:
    """The last bits of the hashes of the texts' shingles, none of them 0; how many each text has; and of how many different hashes."""
    hashes, counts = shingle_hashes([text.lower().encode("utf-8", "surrogatepass") for text in texts], ngram)
    return np.maximum(hashes & np.uint32(MARKS - 1), 1).astype(np.uint16), counts, _distinct(hashes, counts)


def _distinct(hashes: UInt32s, counts: Ints) -> Ints:
    """How many different hashes each text has."""
    told = np.repeat(np.arange(len(counts), dtype=np.uint64), counts) << np.uint64(32) | hashes
    told.sort()
    first = np.ones(len(told), dtype=np.bool_)
    first[1:] = told[1:] != told[:-1]
    return np.bincount((told[first] >> np.uint64(32)).astype(np.int64), minlength=len(counts))
