"""Bitmaps of the shingles of texts, which tell at once of nearly all unlike texts that they are.

A text's bitmap has a bit set for each of its shingles, by hash. Two texts have at most as many shingles in common as bits, and as many more
as the one with fewer of these has shingles without a bit of their own. Unlike texts with four bits a shingle look alike to 0.22.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gland_assets.core.project import Dedup
from gland_assets.core.texts import Ints, UInt32s, UInt64s

LEAST_BITS = 1 << 9
WIDER = np.array([128, 256, 512])
"""A text of more shingles than these has twice, four and eight times as many bits."""

HEAD = 32  # bits of a count
OVER = ("questions", "answers", "both")
PAIRS = 1 << 15  # looked at together: their bitmaps stay in the cache
ROUNDING = 1e-6


class Bitmaps(NamedTuple):
    """One row a text: in `words[begins[i]]` the lower 32 bits say how many shingles it has, repeats included, the higher ones how texts are
    compared of which it is a bitmap; what follows up to `begins[i + 1]` are its bits.
    """

    words: UInt64s
    begins: Ints

    @classmethod
    def of(cls, hashes: UInt32s, counts: Ints, settings: Dedup) -> Bitmaps:
        """Of texts that have `counts` of these shingles in turn, given by hash."""
        widths = LEAST_BITS << np.searchsorted(WIDER, counts)
        firsts = np.cumsum(widths) - widths
        marked = np.zeros(widths.sum(), dtype=np.uint8)
        marked[np.repeat(firsts, counts) + (hashes & np.repeat(widths - 1, counts).astype(np.uint32))] = 1
        bits = np.packbits(marked, bitorder="little").view("<u8")
        heads = (counts | _way(settings) << HEAD).view(np.uint64)
        return cls(np.insert(bits, firsts >> 6, heads), np.concatenate([[0], np.cumsum((widths >> 6) + 1)]))

    @classmethod
    def joined(cls, parts: Sequence[Bitmaps]) -> Bitmaps:
        """The rows of all of them."""
        before = np.cumsum([0, *(len(part.words) for part in parts)])
        begins = [part.begins[:-1] + first for part, first in zip(parts, before, strict=False)]
        return cls(np.concatenate([np.empty(0, np.uint64), *(part.words for part in parts)]), np.concatenate([*begins, before[-1:]]))


class Sieve:
    """What pairs of rows may be alike, by their bitmaps. Of two unlike in length, the bits of the longer are laid on one another.

    Where a bitmap is of other shingles, or of other texts, than those that are compared, no pair is held back.
    """

    def __init__(self, bitmaps: Bitmaps, settings: Dedup, at: Ints | None = None) -> None:
        """Row r has the bitmap `at[r]`, or r."""
        words, begins = bitmaps
        self._threshold, self._at = settings.threshold, at
        self._widths = np.diff(begins) - 1
        self._which = np.zeros(len(self._widths), dtype=np.int64)  # of those of one width
        self._kinds: dict[int, _Rows] = {}
        for width in np.flatnonzero(np.bincount(self._widths)).tolist():
            of = np.flatnonzero(self._widths == width)
            self._which[of] = np.arange(len(of))
            whole = len(of) == len(self._widths)  # as in most cases
            rows = words.reshape(-1, width + 1) if whole else words[begins[of, None] + np.arange(width + 1)]
            self._kinds[width] = _Rows.of(rows, _way(settings))

    def passing(self, ones: Ints, others: Ints) -> NDArray[np.bool_]:
        """Of pairs of rows, those that may reach the threshold."""
        if self._at is not None:
            ones, others = self._at.take(ones), self._at.take(others)
        cut = (slice(begin, begin + PAIRS) for begin in range(0, len(ones), PAIRS))
        return np.concatenate([self._passing(ones[part], others[part]) for part in cut] or [np.empty(0, dtype=np.bool_)])

    def among(self, one: int, others: Ints) -> Ints:
        """Of `others`, those with which a row may reach the threshold."""
        return others[self.passing(np.full(len(others), one), others)]

    def _passing(self, ones: Ints, others: Ints) -> NDArray[np.bool_]:
        if len(self._kinds) == 1:
            (rows,) = self._kinds.values()
            return self._alike(rows.take(ones), rows.take(others))
        passes = np.zeros(len(ones), dtype=np.bool_)
        widths = self._widths.take(ones), self._widths.take(others)
        for one, mine in self._kinds.items():
            for other, theirs in self._kinds.items():
                of = np.flatnonzero((widths[0] == one) & (widths[1] == other))
                pair = mine.take(self._which.take(ones[of])), theirs.take(self._which.take(others[of]))
                passes[of] = self._alike(*(rows.folded(min(one, other)) for rows in pair))
        return passes

    def _alike(self, mine: _Rows, theirs: _Rows) -> NDArray[np.bool_]:
        shared = _ones(mine.bits & theirs.bits) + np.minimum(mine.hidden, theirs.hidden)
        passes: NDArray[np.bool_] = shared >= self._threshold * (mine.ones + theirs.ones - shared) - ROUNDING
        return passes


class _Rows(NamedTuple):
    """Bitmaps of one width, how many bits are set in each, and how many shingles have none of their own. What is let through with any other
    has all bits set and counts as without one.
    """

    bits: UInt64s
    ones: Ints
    hidden: Ints

    @classmethod
    def of(cls, rows: UInt64s, way: int) -> _Rows:
        bits, heads = rows[:, 1:].copy(), rows[:, 0].view(np.int64)  # some of which are written over
        ones = _ones(bits)
        hidden = (heads & ((1 << HEAD) - 1)) - ones
        others = heads >> HEAD != way
        if others.any():
            bits[others], ones[others], hidden[others] = ~np.uint64(0), 0, 0
        return cls(bits, ones, hidden)

    def take(self, at: Ints) -> _Rows:
        return _Rows(self.bits.take(at, axis=0), self.ones.take(at), self.hidden.take(at))

    def folded(self, width: int) -> _Rows:
        """The same with fewer bits."""
        if self.bits.shape[1] == width:
            return self
        bits = np.bitwise_or.reduce(self.bits.reshape(len(self.bits), self.bits.shape[1] // width, width), axis=1)
        ones = np.where(self.ones, _ones(bits), 0)
        return _Rows(bits, ones, self.hidden + self.ones - ones)


def _way(settings: Dedup) -> int:
    """What is compared: which shingles, of which texts."""
    return settings.ngram << 2 | OVER.index(settings.over)


def _ones(bits: UInt64s) -> Ints:
    """How many bits are set in each row."""
    counted = np.ascontiguousarray(np.bitwise_count(bits).T)  # sums of short rows take several times as long as of few long ones
    found: Ints = counted.sum(axis=0, dtype=np.int64)
    return found
