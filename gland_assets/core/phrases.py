"""Where any of a million known phrases begins among words that are given by a byte each, without a look at most of these.

A phrase of `size` words holds `window` words that begin at a multiple of `step`, wherever it stands, if `window` and `step` - 1 are
`size` in all. So at every `step`-th word a filter is asked whether some phrase has these near its beginning; where one does, phrases are
looked for by their hash.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gland_assets.core.ngrams import UInt64s
from gland_assets.core.texts import Ints, UInt8s

LONGEST = 8
"""Words of a phrase that are looked at: their bytes are one number."""

WINDOW = 5
"""Words that the filter is asked for: with fewer, too many are the same by chance."""

_FACTOR = 0xD1342543DE82EF95  # odd, with about half of its bits set
_EACH = 1 << 15  # windows taken at once, for the processor's cache
_MOST_BUCKETS = 20  # as a power of two
_SPARSE = 5  # bits of the filter for each window, as a power of two
_LEAST_BITS, _MOST_BITS = 12, 27  # of the filter, as a power of two: up to 16 MiB


class Found(NamedTuple):
    """Phrases that were found: the word at which each begins, and which of the known ones it is."""

    firsts: Ints
    numbers: Ints


_NOTHING = Found(*np.zeros((2, 0), dtype=np.int64))


class Phrases:
    """Known phrases, ready to be looked for. Two with the same first LONGEST words, by their bytes, are taken for the same."""

    def __init__(self, marks: UInt8s, firsts: Ints, sizes: Ints) -> None:
        """Of `sizes[i]` words, one or more, from word `firsts[i]` on."""
        padded, sizes = _padded(marks), np.minimum(sizes, LONGEST)
        self._tiers = [_Tier(size, padded, firsts[of], of) for size in range(LONGEST, 0, -1) if len(of := np.flatnonzero(sizes == size))]

    def find(self, marks: UInt8s) -> Found:
        """Where they begin among other words, in no order."""
        padded = _padded(marks)
        found = [tier.find(padded) for tier in self._tiers] or [_NOTHING]
        return Found(*map(np.concatenate, zip(*found, strict=True)))


class _Tier:
    """The known phrases of one size."""

    def __init__(self, size: int, padded: UInt8s, firsts: Ints, numbers: Ints) -> None:
        self._size, self._window = size, min(size, WINDOW)
        self._step = size - self._window + 1
        near = np.zeros(len(padded), dtype=np.bool_)
        for ahead in range(self._step):
            near[firsts + ahead] = True
        self._filter = _Filter(_hashed(_eights(padded)[np.flatnonzero(near)], self._window))
        hashes = _hashed(_eights(padded)[firsts], size)
        bits = min(len(hashes).bit_length(), _MOST_BUCKETS)
        self._shift = np.uint64(64 - bits)
        order = _order(hashes)
        self._hashes, self._numbers = hashes[order], numbers[order]
        self._buckets = np.concatenate([[0], np.cumsum(np.bincount(self._bucket(hashes), minlength=1 << bits))])

    def find(self, padded: UInt8s) -> Found:
        windows, places = _eights(padded)[:: self._step], [np.zeros(0, dtype=np.int64)]
        for begin in range(0, len(windows), _EACH):
            places.append(self._filter.passing(_hashed(windows[begin : begin + _EACH], self._window)) + begin)
        firsts = (np.concatenate(places)[:, None] * self._step - np.arange(self._step)).ravel()
        firsts = firsts[firsts >= 0]
        hashes = _hashed(_eights(padded)[firsts], self._size)
        bucket = self._bucket(hashes)
        begins = self._buckets.take(bucket)
        many = self._buckets.take(bucket + 1) - begins
        which = np.arange(many.sum()) + np.repeat(begins - np.cumsum(many) + many, many)
        same = self._hashes.take(which) == np.repeat(hashes, many)
        return Found(np.repeat(firsts, many)[same], self._numbers.take(which[same]))

    def _bucket(self, hashes: UInt64s) -> Ints:
        return (hashes >> self._shift).view(np.int64)


class _Filter:
    """Of hashes, each by one bit."""

    def __init__(self, hashes: UInt64s) -> None:
        bits = min(max(len(hashes).bit_length() + _SPARSE, _LEAST_BITS), _MOST_BITS)
        self._word, self._bit = np.uint64(64 - bits + 6), np.uint64(64 - bits)
        held = np.zeros(1 << bits, dtype=np.bool_)
        held[hashes >> self._bit] = True
        self._words = np.packbits(held, bitorder="little").view("<u8")

    def passing(self, hashes: UInt64s) -> Ints:
        """Which of the hashes are in it, by place; a few others pass too."""
        words = self._words.take((hashes >> self._word).view(np.int64))
        words >>= hashes >> self._bit & np.uint64(63)
        return np.flatnonzero(words & np.uint64(1))


def _hashed(eights: UInt64s, words: int) -> UInt64s:
    """Hashes of so many words, of which `eights` has the bytes and those that follow."""
    return eights * np.uint64((_FACTOR << 8 * (LONGEST - words)) & (1 << 64) - 1)  # what follows is shifted out


def _eights(padded: UInt8s) -> UInt64s:
    """The eight bytes from each but the last ones on."""
    return np.ndarray(len(padded) - LONGEST, "<u8", padded, 0, (1,))


def _padded(marks: UInt8s) -> UInt8s:
    return np.concatenate([marks, np.zeros(LONGEST, dtype=np.uint8)])


def _order(hashes: UInt64s) -> Ints:
    """An order in which their upper halves ascend; by radix, which is what sorting 16 bits is."""
    upper = (hashes >> np.uint64(32)).astype(np.uint32)
    order = np.argsort(upper.astype(np.uint16), kind="stable")
    return order[np.argsort((upper >> np.uint32(16)).astype(np.uint16)[order], kind="stable")]
