"""Which of several rows a row is like: exact Jaccard over shingles as text, where there are many after a sieve by bitmaps of them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from gland_assets.core.dedup import jaccard, word_tuples
from gland_assets.core.ngrams import gram_hashes, words_of
from gland_assets.core.project import Dedup
from gland_assets.core.texts import Ints, Texts, UInt64s, lower_beyond_ascii

REMEMBERED = 20_000
"""Shingle sets held while duplicates are looked for."""

LEAST_BITS, MOST_BITS = 1 << 9, 1 << 12
SPARSE = 8  # bits of a bitmap for each shingle of nearly all texts
PAIRS = 1 << 15  # looked at together: their bitmaps stay in the cache
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
            if min(len(mine), len(theirs)) / max(len(mine), len(theirs), 1) < self.threshold:
                continue  # too unlike in size to reach the threshold
            similarity = jaccard(mine, theirs)
            if similarity >= self.threshold:
                return other, similarity
        return None


class Sieved(Likeness):
    """The same over texts at hand, where most rows that share a bucket are unlike.

    A text's bitmap has a bit for each of its shingles, by hash. Two texts have at most as many shingles in common as bits, and as many more
    as the one with fewer of these has shingles without a bit of their own. What that lets through is compared as text.
    """

    def __init__(self, texts: Texts, settings: Dedup) -> None:
        super().__init__(texts.text, settings, remembered=1_000)
        told = [_hashed(lower_beyond_ascii(piece, str.lower), settings.ngram) for _, piece in texts.pieces()]
        counts = np.concatenate([counts for _, counts in told] or [np.empty(0, dtype=np.int64)])
        usual = SPARSE * int(np.percentile(counts, 99)) if len(counts) else 0
        width = min(max(1 << usual.bit_length(), LEAST_BITS), MOST_BITS)
        self._bits = np.concatenate([_bitmaps(*piece, width) for piece in told] or [np.empty((0, width // 64), dtype=np.uint64)])
        self._set = _ones(self._bits)
        self._hidden = np.where(counts, counts - self._set, MOST_BITS)

    def among(self, one: int, others: Ints) -> set[int]:
        """Of `others`, those with which the row may reach the threshold."""
        return set(others[self._passing(np.array([one]), others)].tolist()) if len(others) else set()

    def passing(self, ones: Ints, others: Ints) -> NDArray[np.bool_]:
        """Of pairs of rows, those that may reach the threshold."""
        cut = (slice(begin, begin + PAIRS) for begin in range(0, len(ones), PAIRS))
        return np.concatenate([self._passing(ones[part], others[part]) for part in cut] or [np.empty(0, dtype=np.bool_)])

    def _passing(self, ones: Ints, others: Ints) -> NDArray[np.bool_]:
        shared = _ones(self._bits.take(ones, axis=0) & self._bits.take(others, axis=0))
        shared += np.minimum(self._hidden.take(ones), self._hidden.take(others))
        passes: NDArray[np.bool_] = shared >= self.threshold * (self._set.take(ones) + self._set.take(others) - shared) - ROUNDING
        return passes


def _hashed(texts: Texts, ngram: int) -> tuple[UInt64s, Ints]:
    """Hashes of the shingles of texts, a text's after the other's, and how many each has, repeats included; none where words are fewer."""
    words = words_of(texts)
    counts = np.maximum(np.diff(words.ends, prepend=0) - ngram + 1, 0)
    skipped = np.concatenate([[0], words.ends[:-1]]) - (np.cumsum(counts) - counts)
    return gram_hashes(words.hashes, ngram).take(np.arange(counts.sum()) + np.repeat(skipped, counts)), counts


def _bitmaps(hashes: UInt64s, counts: Ints, width: int) -> UInt64s:
    """Of each text, a row of `width` bits."""
    marked = np.zeros(len(counts) * width, dtype=np.uint8)
    marked[np.repeat(np.arange(len(counts)) * width, counts) + (hashes >> np.uint64(65 - width.bit_length())).view(np.int64)] = 1
    return np.packbits(marked).view(np.uint64).reshape(len(counts), -1)


def _ones(bits: UInt64s) -> Ints:
    """How many bits are set in each row."""
    counted = np.ascontiguousarray(np.bitwise_count(bits).T)  # sums of short rows take several times as long as of few long ones
    found: Ints = counted.sum(axis=0, dtype=np.int64)
    return found
