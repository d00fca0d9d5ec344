"""Where any of a million known stretches of bytes begins in other bytes, without a look at most of these.

A stretch of `least` bytes or more holds `window` bytes that begin at a multiple of `step`, wherever it stands, if `window` and `step` - 1
are `least` in all. So of every `step`-th place a filter is asked whether a stretch has these bytes near its beginning; where one does, its
first bytes and its last are compared, by their hash.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gland_assets.core.texts import Ints, UInt8s, UInt64s

PADDING = 32  # bytes beyond the end, so that all that a tier reads lies within, of a run without a byte too

_FACTOR = np.uint64(0xD1342543DE82EF95)  # odd, with about half of its bits set
_AHEAD = 16  # the longest reach: places before the first
_MASK_BITS = 12  # of a hash that say which bits of the word
_EACH = 1 << 15  # places taken at once, for the processor's cache
_MOST_BUCKETS = 20  # as a power of two
_LEAST_BITS, _MOST_BITS = 10, 21  # of a filter's size in words of 64 bits, as a power of two: 8 KiB and 16 MiB


class Tier(NamedTuple):
    """How stretches of `least` bytes or more are looked for."""

    least: int
    window: int
    step: int


TIERS = (Tier(31, 24, 8), Tier(23, 16, 8), Tier(15, 8, 8), Tier(8, 5, 4), Tier(4, 4, 1), Tier(1, 1, 1))
"""The longest first, each for what is too short for the one before. Eight words with one byte between them are of the first three."""


class Found(NamedTuple):
    """Stretches that were found: where each begins, and which of the known ones it is."""

    begins: Ints
    numbers: Ints


_NOTHING = Found(*np.zeros((2, 0), dtype=np.int64))


class Stretches:
    """Known stretches, ready to be looked for. Two of the same hash are taken for the same."""

    def __init__(self, run: UInt8s, begins: Ints, ends: Ints) -> None:
        """Of the bytes `run[begins[i]:ends[i]]`, each of one or more."""
        padded, sizes, longer = _padded(run), ends - begins, None
        self._tiers = []
        for tier in TIERS:
            of = np.flatnonzero((sizes >= tier.least) & (sizes < longer) if longer else sizes >= tier.least)
            if len(of):
                self._tiers.append(_Tier(tier, padded, begins[of], ends[of], of))
            longer = tier.least

    def find(self, run: UInt8s, open_at: NDArray[np.bool_]) -> Found:
        """Where they begin in `run`, of the places that are open to them, in no order and some of them twice."""
        padded, open_at = _padded(run), np.concatenate([np.zeros(_AHEAD, dtype=np.bool_), open_at])
        found = [tier.find(padded, open_at) for tier in self._tiers] or [_NOTHING]
        return Found(*map(np.concatenate, zip(*found, strict=True)))


class _Tier:
    """The known stretches of one tier."""

    def __init__(self, tier: Tier, padded: UInt8s, begins: Ints, ends: Ints, numbers: Ints) -> None:
        self._tier = tier
        self._reach = tier.step << int((ends - begins).max() >= tier.least + tier.step)
        near = _near(tier, len(padded), begins, ends - begins)
        self._windows = _Filter.of(_windows(tier.window, padded, near), int(np.count_nonzero(near)))
        heads = _hashes_at(padded, begins, tier.least)
        self._known = _Filter.of([heads], len(heads))
        self._shift = np.uint64(64 - min(max(len(heads).bit_length(), 1), _MOST_BUCKETS))
        order = _order(heads)
        self._heads, self._sizes, self._numbers = heads[order], (ends - begins)[order], numbers[order]
        self._tail = min(8, tier.least)
        self._tails = _hashes_at(padded, ends[order] - self._tail, self._tail)
        self._buckets = np.concatenate([[0], np.cumsum(np.bincount(self._bucket(heads), minlength=1 << (64 - int(self._shift))))])

    def find(self, padded: UInt8s, open_at: NDArray[np.bool_]) -> Found:
        least, window, step = self._tier
        size = len(open_at) - _AHEAD
        places = self._places(padded, max(0, (size - window) // step + 1))
        if not len(places):
            return _NOTHING
        begins = (places[:, None] + np.arange(_AHEAD, _AHEAD - self._reach, -1)).ravel()
        begins = begins[open_at.take(begins)] - _AHEAD
        begins = begins[begins <= size - least]
        heads = _hashes_at(padded, begins, least)
        passing = self._known.passing(heads)
        begins, which = self._of_bucket(begins[passing], heads[passing])
        ends = begins + self._sizes.take(which)
        within = ends <= size
        begins, which, ends = begins[within], which[within], ends[within]
        same = _hashes_at(padded, ends - self._tail, self._tail) == self._tails.take(which)
        return Found(begins[same], self._numbers.take(which[same]))

    def _places(self, padded: UInt8s, count: int) -> Ints:
        """Of `count` places, a step from one to the next, those from which on the bytes of a window stand."""
        _, window, step = self._tier
        found = [np.zeros(0, dtype=np.int64)]
        for first in range(0, count, _EACH):
            some = min(_EACH, count - first)
            hashes = _hashed(window, partial(_eights, padded, some, first * step, step=step))
            found.append((self._windows.passing(hashes) + first) * step)
        return np.concatenate(found)

    def _of_bucket(self, begins: Ints, heads: UInt64s) -> tuple[Ints, Ints]:
        """Every pair of a place, by hash of the bytes from there on, and a stretch that begins with the same."""
        bucket = self._bucket(heads)
        first = self._buckets.take(bucket)
        many = self._buckets.take(bucket + 1) - first
        which = np.arange(many.sum()) + np.repeat(first - np.cumsum(many) + many, many)
        same = self._heads.take(which) == np.repeat(heads, many)
        return np.repeat(begins, many)[same], which[same]

    def _bucket(self, heads: UInt64s) -> Ints:
        return (heads >> self._shift).view(np.int64)


class _Filter:
    """Of hashes, each by a few bits of one word of 64."""

    def __init__(self, count: int) -> None:
        """For some `count` hashes, none of them in it yet."""
        self._bits = min(max((count // 4).bit_length(), _LEAST_BITS), _MOST_BITS)  # of a hash that say which word
        self._words = np.zeros(1 << self._bits, dtype=np.uint64)

    @classmethod
    def of(cls, parts: Iterable[UInt64s], count: int) -> _Filter:
        """Of hashes given in parts, some `count` in all."""
        made = cls(count)
        for part in parts:
            for begin in range(0, len(part), _EACH):
                made.add(part[begin : begin + _EACH])
        return made

    def add(self, hashes: UInt64s) -> None:
        """Put hashes in."""
        places, masks = self._places(hashes), self._masks(hashes)
        while len(places):  # of several for one word, one comes through at a time
            self._words[places] |= masks
            lost = self._words.take(places) & masks != masks
            places, masks = places[lost], masks[lost]

    def passing(self, hashes: UInt64s) -> Ints:
        """Which of the hashes are in it, by place; a few others pass too."""
        masks = self._masks(hashes)
        return np.flatnonzero(self._words.take(self._places(hashes)) & masks == masks)

    def _places(self, hashes: UInt64s) -> Ints:
        return (hashes >> np.uint64(64 - self._bits)).view(np.int64)

    def _masks(self, hashes: UInt64s) -> UInt64s:
        return _MASKS.take((hashes >> np.uint64(64 - _MASK_BITS - self._bits) & np.uint64(len(_MASKS) - 1)).view(np.int64))


def _near(tier: Tier, count: int, begins: Ints, sizes: Ints) -> NDArray[np.bool_]:
    """Of `count` places those of the windows that stretches are known by: of every stretch those from its first `step` bytes on.

    Of one that is longer by a step, half of those from its first two steps on will do: of each pair a step apart the one in an even step.
    """
    longer = sizes >= tier.least + tier.step
    near = _reached(count, begins[longer], 2 * tier.step)
    near[: count // (2 * tier.step) * 2 * tier.step].reshape(-1, 2, tier.step)[:, 1] = False
    near |= _reached(count, begins[~longer], tier.step)
    return near


def _windows(window: int, padded: UInt8s, near: NDArray[np.bool_]) -> Iterator[UInt64s]:
    """Hashes of the bytes from the places `near` on, in parts."""
    for first in range(0, len(padded) - PADDING, _EACH):
        count = min(_EACH, len(padded) - PADDING - first)
        yield _hashed(window, partial(_eights, padded, count, first))[near[first : first + count]]


def _reached(count: int, begins: Ints, reach: int) -> NDArray[np.bool_]:
    """Which of `count` places are one of `begins` or less than `reach`, a power of two, after one."""
    found = np.zeros(count, dtype=np.bool_)
    found[begins] = True
    far = 1
    while far < reach:
        found[far:] |= found[:-far].copy()
        far *= 2
    return found


def _masks() -> UInt64s:
    """Words of 64 bits with up to four of them set, four thousand of them."""
    number = np.arange(1 << _MASK_BITS, dtype=np.uint64)[:, None]
    bits = number * _FACTOR >> np.arange(34, 60, 7, dtype=np.uint64) & np.uint64(63)
    masks: UInt64s = np.bitwise_or.reduce(np.uint64(1) << bits, axis=1)
    return masks


_MASKS = _masks()


def _eights(padded: UInt8s, count: int, first: int, byte: int, step: int = 1) -> UInt64s:
    """The eight bytes from `byte` on after each of `count` places, the first of them and every `step`-th."""
    return np.ndarray(count, "<u8", padded, first + byte, (step,))


def _hashes_at(padded: UInt8s, at: Ints, size: int) -> UInt64s:
    """Hashes of the `size` bytes from each of the places on."""
    eights = np.ndarray(max(0, len(padded) - 7), "<u8", padded, 0, (1,))
    return _hashed(size, lambda byte: eights[at + byte])


def _hashed(size: int, eights: Callable[[int], UInt64s]) -> UInt64s:
    """Hashes of stretches of `size` bytes, of which `eights` gives the eight from a byte on."""
    if size < 8:
        return (eights(0) & np.uint64((1 << 8 * size) - 1)) * _FACTOR
    found = eights(0) * _FACTOR
    for byte in range(8, size, 8):
        found += eights(min(byte, size - 8))
        found *= _FACTOR
    return found


def _order(hashes: UInt64s) -> Ints:
    """An order in which their upper halves ascend; by radix, which is what sorting 16 bits is."""
    upper = (hashes >> np.uint64(32)).astype(np.uint32)
    order = np.argsort(upper.astype(np.uint16), kind="stable")
    return order[np.argsort((upper >> np.uint32(16)).astype(np.uint16)[order], kind="stable")]


def _padded(run: UInt8s) -> UInt8s:
    return np.concatenate([run, np.zeros(PADDING, dtype=np.uint8)])
