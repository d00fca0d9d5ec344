"""Which of several rows a row is like: exact Jaccard over shingles as text, where there are many after a sieve by bitmaps of them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import lru_cache

import numpy as np

from gland_assets.core.bitmaps import Sieve
from gland_assets.core.dedup import jaccard, word_tuples
from gland_assets.core.project import Dedup

REMEMBERED = 1_000
"""Shingle sets held while duplicates are looked for."""

FEW = 4  # rows that are compared at once: the sieve takes as long for a hundred


class Likeness:
    """Exact comparison of rows by their texts, which are asked for when they are needed."""

    def __init__(self, text: Callable[[int], str], sieve: Sieve, settings: Dedup) -> None:
        self.threshold = settings.threshold
        self.sieve = sieve
        self._shingles = lru_cache(maxsize=REMEMBERED)(lambda row: word_tuples(text(row), settings.ngram))

    def first(self, one: int, others: Collection[int]) -> tuple[int, float] | None:
        """The first of `others`, in order, whose Jaccard with `one` is at or above the threshold, and what it is."""
        if len(others) > FEW:
            others = self.sieve.among(one, np.fromiter(others, dtype=np.int64, count=len(others))).tolist()
        mine = self._shingles(one) if others else frozenset()
        for other in sorted(others):
            theirs = self._shingles(other)
            if min(len(mine), len(theirs)) / max(len(mine), len(theirs), 1) < self.threshold:
                continue  # too unlike in size to reach the threshold
            similarity = jaccard(mine, theirs)
            if similarity >= self.threshold:
                return other, similarity
        return None
