"""Which rows share a band key or a text hash, found in array operations over all rows: only such rows are ever compared.

A row stands in a bucket for each of its band keys and one for its text hash. A reference stands in buckets of its own kind, which every
other row only looks into. Keys are 64 bits wide: of 10 million different texts, two have one key with a chance of 3 in a million.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gland_assets.core.texts import Ints, UInt64s, distinct

BAND, TEXT, REFERENCE_BAND, REFERENCE_TEXT = range(4)
"""Kinds of buckets."""

CHUNK = 1 << 18  # keys looked up at once: they and the table stay in the cache
TABLE_BITS = 24
ROOMY = 2  # a table four times as long as the keys that go into it, or more: few meet in it by chance
WIDE = 32  # bits of a row's and of a bucket's number
SPARSE_BITS = 4  # tables that are nearly empty and in the cache: few keys are suspected in vain


class Held(NamedTuple):
    """What rows are compared by, a row after the other: row i has the band keys `keys[begins[i] : begins[i + 1]]`."""

    keys: UInt64s
    begins: Ints  # one more than rows
    texts: UInt64s
    groups: UInt64s  # rows of different groups are not compared
    references: NDArray[np.bool_]
    bands: int = 1  # two keys are the same only when this many lie between them, or twice as many, and so on

    def owners(self, at: Ints) -> Ints:
        """The rows whose keys stand there."""
        found: Ints = np.searchsorted(self.begins, at, side="right") - 1
        return found


class Places(NamedTuple):
    """Rows in buckets, one entry each. A bucket is a kind and a key."""

    kinds: NDArray[np.uint8]
    keys: UInt64s
    rows: Ints

    def at(self, places: NDArray[np.bool_] | Ints) -> Places:
        """Some of them."""
        return Places(self.kinds[places], self.keys[places], self.rows[places])

    def in_order(self) -> Places:
        """The same bucket by bucket, by kind and key."""
        order = np.argsort(self.keys, kind="stable")  # stretches of them are in order, as they were found
        order = order[np.argsort(self.kinds[order], kind="stable")]
        return self.at(order)

    def begins(self) -> Ints:
        """Where each bucket begins and where the last ends, of places that stand bucket by bucket."""
        differs = (self.keys[1:] != self.keys[:-1]) | (self.kinds[1:] != self.kinds[:-1])
        return np.flatnonzero(np.concatenate([[True], differs, [True]])) if len(self.rows) else np.zeros(1, dtype=np.int64)


def joined(*places: Places) -> Places:
    """All of them together."""
    kinds, keys, rows = zip(*places, strict=True)
    return Places(np.concatenate(kinds), np.concatenate(keys), np.concatenate(rows))


def shared_places(held: Held) -> Places:
    """Where two or more rows meet, of which one at least is no reference, bucket by bucket."""
    if not held.references.any() and not held.groups.any():  # as nearly always: no array as long as the keys
        at = np.concatenate([held.bands * shared(held.keys[band :: held.bands]) + band for band in range(held.bands)])
        alike = shared(held.texts)
        return joined(_places(BAND, held.keys[at], held.owners(at)), _places(TEXT, held.texts[alike], alike))
    told = []
    rows = np.arange(len(held.texts))
    holders = np.repeat(rows, np.diff(held.begins))
    bands = [(BAND, held.keys[band :: held.bands], holders[band :: held.bands]) for band in range(held.bands)]
    for kind, keys, owners in (*bands, (TEXT, held.texts, rows)):
        own = ~held.references[owners]
        told += [_met(kind, keys[own] ^ held.groups[owners[own]], owners[own]), _seen(kind + REFERENCE_BAND, keys, owners, own)]
    return joined(*told)


def _met(kind: int, keys: UInt64s, rows: Ints) -> Places:
    at = shared(keys)
    return _places(kind, keys[at], rows[at])


def _seen(kind: int, keys: UInt64s, rows: Ints, own: NDArray[np.bool_]) -> Places:
    """References and the rows that look at them. `own` says of each key whether its row is no reference."""
    at = Sought(keys[~own]).among(keys)
    at = at[Sought(keys[at[own[at]]]).among(keys[at])]
    at = at[np.argsort(keys[at], kind="stable")]
    return _places(kind, keys[at], rows[at])


def _places(kind: int, keys: UInt64s, rows: Ints) -> Places:
    return Places(np.full(len(rows), kind, dtype=np.uint8), keys, rows)


def shared(keys: UInt64s) -> Ints:
    """The positions of the keys that stand at two or more positions, in order of key."""
    bits = len(keys).bit_length() + ROOMY
    slots = (keys >> np.uint64(64 - bits)).view(np.int64)
    turns = np.arange(len(keys), dtype=np.int32)
    last = np.empty(1 << bits, dtype=np.int32)
    last[slots] = turns
    met = np.zeros(1 << bits, dtype=np.bool_)
    met[slots[last.take(slots) != turns]] = True
    at = np.flatnonzero(met.take(slots))
    at = at[np.argsort(keys[at])]
    same = keys[at][1:] == keys[at][:-1]
    found = np.zeros(len(at), dtype=np.bool_)
    found[1:] |= same
    found[:-1] |= same
    return at[found]


class _Ends:
    """The first bits of keys, and the last, to tell at once most that are none of them."""

    def __init__(self, keys: UInt64s) -> None:
        bits = min(TABLE_BITS, len(keys).bit_length() + SPARSE_BITS)
        self._beyond, self._within = np.uint64(64 - bits), np.uint64((1 << bits) - 1)
        self._begin, self._end = np.zeros((2, 1 << bits), dtype=np.bool_)
        self._begin[(keys >> self._beyond).view(np.int64)] = True
        self._end[(keys & self._within).view(np.int64)] = True

    def suspected(self, keys: UInt64s) -> Ints:
        """The positions of the keys that begin as one of them does and end as one of them does, in order."""
        cut = (keys[begin : begin + CHUNK] for begin in range(0, len(keys), CHUNK))
        begun = (self._begin.take((part >> self._beyond).view(np.int64)) for part in cut)
        at = np.concatenate([number * CHUNK + np.flatnonzero(part) for number, part in enumerate(begun)])
        found: Ints = at[self._end.take((keys[at] & self._within).view(np.int64))]
        return found


class Sought:
    """Keys that are looked for among others, a stretch at a time."""

    def __init__(self, keys: UInt64s) -> None:
        self._keys = distinct(keys)
        self._ends = _Ends(keys)

    def among(self, keys: UInt64s) -> Ints:
        """The positions in `keys` of those that are sought, in order."""
        if not len(self._keys) or not len(keys):
            return np.empty(0, dtype=np.int64)
        at = self._ends.suspected(keys)
        told = keys[at]
        found: Ints = at[self._keys[np.searchsorted(self._keys, told) % len(self._keys)] == told]
        return found

    def hold(self, keys: UInt64s) -> NDArray[np.bool_]:
        """Of each key, whether it is sought."""
        held = np.zeros(len(keys), dtype=np.bool_)
        held[self.among(keys)] = True
        return held


class Shares:
    """Rows by number, and the buckets in which they stand or into which they look, before a change and now."""

    def __init__(self, places: Places, rows: int, then: NDArray[np.bool_] | None = None, now: NDArray[np.bool_] | None = None) -> None:
        """Over `rows` rows in the order in which they are kept. `then` and `now` say when a place is held: by default now alone."""
        count = len(places.rows)
        order = np.lexsort((places.rows, places.keys, places.kinds))
        sorted_places = places.at(order)
        begins = sorted_places.begins()
        self.kinds = sorted_places.kinds[begins[:-1]]
        self._member_begins = begins.tolist()
        self._members = sorted_places.rows
        buckets = np.repeat(np.arange(len(self.kinds)), np.diff(begins))
        by_row = np.argsort(self._members << WIDE | buckets)
        self._buckets = buckets[by_row]
        self._rows = self._members[by_row]
        self._row_begins = np.searchsorted(self._rows, np.arange(rows + 1)).tolist()
        self._then = np.zeros(count, dtype=np.bool_) if then is None else then[order[by_row]]
        self._now = np.ones(count, dtype=np.bool_) if now is None else now[order[by_row]]
        self._first: list[int] = np.searchsorted(self.kinds, np.arange(5)).tolist()

    def rows(self) -> list[int]:
        """The rows that stand in some bucket, in order."""
        found: list[int] = distinct(self._rows).tolist()
        return found

    def members(self, bucket: int) -> list[int]:
        """The rows of a bucket, before or now, in order."""
        found = self._members[self._member_begins[bucket] : self._member_begins[bucket + 1]]
        return sorted(set(found.tolist()))

    def now(self, row: int) -> list[int]:
        """The buckets of a row, in order of kind."""
        mine = slice(self._row_begins[row], self._row_begins[row + 1])
        found: list[int] = self._buckets[mine][self._now[mine]].tolist()
        return found

    def then(self, row: int) -> list[int]:
        """The buckets that a row had before."""
        mine = slice(self._row_begins[row], self._row_begins[row + 1])
        found: list[int] = self._buckets[mine][self._then[mine]].tolist()
        return found

    def of_texts(self, bucket: int) -> bool:
        """Whether the rows of a bucket have their text in common, not a band."""
        return self._first[TEXT] <= bucket < self._first[REFERENCE_BAND] or bucket >= self._first[REFERENCE_TEXT]

    def of_references(self, bucket: int) -> bool:
        """Whether only references stand in a bucket, and others look into it."""
        return bucket >= self._first[REFERENCE_BAND]
