"""Known phrases among other words: by a byte of each word where one may begin, and by a hash of all of its words which one it is.

A phrase of `size` words holds `window` words that begin at a multiple of `step`, wherever it stands, if `window` and `step` - 1 are
`size` in all. So at every `step`-th word a filter is asked whether some phrase has these near its beginning; where one does, another is
asked for the whole phrase.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gland_assets.core.texts import Ints, UInt8s, UInt64s

LONGEST = 8
"""Words of a phrase that are looked at by their bytes, which then are one number."""

WINDOW = 5
"""Words that the first filter is asked for: of fewer, too many are the same by chance."""

_FACTOR = 0xD1342543DE82EF95  # odd, with about half of its bits set
_EACH = 1 << 15  # windows taken at once, for the processor's cache
_WINDOW_BITS, _WHOLE_BITS = 6, 7  # of a filter for each hash in it, as a power of two, and up to twice as many
_LEAST_BITS, _MOST_BITS = 20, 27  # of a filter, as a power of two: 128 KiB to 16 MiB
_MOST_BUCKETS = 20  # as a power of two


class Phrases:
    """Known phrases by a byte of each word, ready to be looked for."""

    def __init__(self, marks: UInt8s, firsts: Ints, sizes: Ints) -> None:
        """Of `sizes[i]` words, one or more, from word `firsts[i]` on."""
        padded, sizes = _padded(marks), np.minimum(sizes, LONGEST)
        self._tiers = [_Tier(size, padded, firsts[sizes == size]) for size in np.flatnonzero(np.bincount(sizes)).tolist()]

    def suspected(self, marks: UInt8s) -> Ints:
        """At which words, by number and in no order, one of them may begin: at each where one does, and at few others."""
        padded = _padded(marks)
        return np.concatenate([np.zeros(0, dtype=np.int64), *(tier.suspected(padded) for tier in self._tiers)])


class _Tier:
    """The known phrases of one size."""

    def __init__(self, size: int, padded: UInt8s, firsts: Ints) -> None:
        self._size, self._window = size, min(size, WINDOW)
        self._step = size - self._window + 1
        near = np.zeros(len(padded), dtype=np.bool_)
        for ahead in range(self._step):
            near[firsts + ahead] = True
        eights = _eights(padded)
        self._windows = _Filter(_hashed(eights[np.flatnonzero(near)], self._window), _WINDOW_BITS)
        self._wholes = _Filter(_hashed(eights[firsts], size), _WHOLE_BITS)

    def suspected(self, padded: UInt8s) -> Ints:
        eights, places = _eights(padded), [np.zeros(0, dtype=np.int64)]
        windows = eights[:: self._step]
        for begin in range(0, len(windows), _EACH):
            places.append(self._windows.passing(_hashed(windows[begin : begin + _EACH], self._window)) + begin)
        firsts = (np.concatenate(places)[:, None] * self._step - np.arange(self._step)).ravel()
        firsts = firsts[firsts >= 0]
        return firsts[self._wholes.passing(_hashed(eights[firsts], self._size))]


class _Filter:
    """Of hashes, each by one bit."""

    def __init__(self, hashes: UInt64s, sparse: int) -> None:
        bits = min(max(len(hashes).bit_length() + sparse, _LEAST_BITS), _MOST_BITS)
        self._word, self._bit = np.uint64(64 - bits + 6), np.uint64(64 - bits)
        self._words = np.zeros(1 << bits - 6, dtype=np.uint64)
        for begin in range(0, len(hashes), _EACH):
            self._add(hashes[begin : begin + _EACH])

    def _add(self, hashes: UInt64s) -> None:
        places, masks = self._places(hashes), self._masks(hashes)
        while len(places):  # of several for one word, one comes through at a time
            self._words[places] |= masks
            lost = self._words.take(places) & masks == 0
            places, masks = places[lost], masks[lost]

    def passing(self, hashes: UInt64s) -> Ints:
        """Which of the hashes are in it, by place; a few others pass too."""
        return np.flatnonzero(self._words.take(self._places(hashes)) & self._masks(hashes) != 0)

    def _places(self, hashes: UInt64s) -> Ints:
        return (hashes >> self._word).view(np.int64)

    def _masks(self, hashes: UInt64s) -> UInt64s:
        return np.uint64(1) << (hashes >> self._bit & np.uint64(63))


class Found(NamedTuple):
    """Hashes that were found: the place of each, and which of the known ones it is."""

    places: Ints
    numbers: Ints


class Hashes:
    """Known hashes, some of them perhaps the same, ready to be looked for."""

    def __init__(self, hashes: UInt64s) -> None:
        """By number."""
        self._numbers = _order(hashes)
        self._hashes = hashes[self._numbers]
        bits = min(len(hashes).bit_length(), _MOST_BUCKETS)
        self._bucket = np.uint64(64 - bits)
        self._begins = np.concatenate([[0], np.cumsum(np.bincount((hashes >> self._bucket).view(np.int64), minlength=1 << bits))])

    def find(self, hashes: UInt64s) -> Found:
        """Which of `hashes` are known, once for each known one that is the same."""
        bucket = (hashes >> self._bucket).view(np.int64)
        begins = self._begins.take(bucket)
        many = self._begins.take(bucket + 1) - begins
        which = np.arange(many.sum()) + np.repeat(begins - np.cumsum(many) + many, many)
        same = np.flatnonzero(self._hashes.take(which) == np.repeat(hashes, many))
        return Found(np.repeat(np.arange(len(hashes)), many).take(same), self._numbers.take(which.take(same)))


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
