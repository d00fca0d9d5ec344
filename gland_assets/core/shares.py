"""Which rows share a band key or a text hash, found in array operations over all rows: only such rows are ever compared.

A row stands in a bucket for each of its band keys and one for its text hash. A reference stands in buckets of its own kind, which every
other row only looks into. A band key has 32 bits: of ten million texts some 12,000 pairs meet in a band by chance, and are told apart as
any that are unlike. A text's key has 64: of ten million different ones, two have one key with a chance of 3 in a million.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gland_assets.core.dedup import bucket_keys
from gland_assets.core.texts import Ints, Keys, UInt32s, UInt64s, distinct

BAND, TEXT, REFERENCE_BAND, REFERENCE_TEXT = range(4)
"""Kinds of buckets."""

CHUNK = 1 << 16  # keys looked up at once: they and the tables stay in the cache
TABLE_BITS = 24
ROOMY = 2  # a table four times as long as the keys that go into it, or more: few meet in it by chance
WIDE = 32  # bits of a row's and of a bucket's number
SPARSE_BITS = 4  # tables that are nearly empty and in the cache: few keys are suspected in vain


class Held(NamedTuple):
    """What rows are compared by, a row after the other: row i has the keys `keys[begins[i] : begins[i + 1]]`."""

    keys: Keys  # of buckets; or the rows' band keys, where each has one for each band
    begins: Ints  # one more than rows
    texts: UInt64s
    groups: UInt64s  # rows of different groups are not compared
    references: NDArray[np.bool_]
    bands: int = 0  # how many, where the keys are band keys

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
        return self.at(np.lexsort((self.keys, self.kinds)))

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
    if held.bands and not held.references.any() and not held.groups.any():  # as nearly always: no array as long as the keys
        at = [(shared(held.keys[band :: held.bands]), band) for band in range(held.bands)]
        keys = np.concatenate([bucket_keys(held.keys[held.bands * rows + band], band) for rows, band in at])
        alike = shared(held.texts)
        return joined(
            _places(BAND, keys, held.owners(np.concatenate([held.bands * rows + band for rows, band in at]))),
            _places(TEXT, held.texts[alike], alike),
        )
    told = []
    rows = np.arange(len(held.texts))
    holders = np.repeat(rows, np.diff(held.begins))
    buckets = bucket_keys(held.keys, np.arange(len(held.keys)) % held.bands) if held.bands else held.keys.astype(np.uint64, copy=False)
    for kind, keys, owners in ((BAND, buckets, holders), (TEXT, held.texts, rows)):
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


def shared(keys: Keys) -> Ints:
    """The positions of the keys that stand at two or more positions, in order of key."""
    bits = min(len(keys).bit_length() + ROOMY, 8 * keys.itemsize - 1)
    slots = _places_of(keys >> keys.dtype.type(8 * keys.itemsize - bits))
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

    def __init__(self, keys: Keys) -> None:
        bits = min(TABLE_BITS, len(keys).bit_length() + SPARSE_BITS)
        self._beyond, self._within = keys.dtype.type(8 * keys.itemsize - bits), keys.dtype.type((1 << bits) - 1)
        self._begin, self._end = np.zeros((2, 1 << bits), dtype=np.bool_)
        self._begin[_places_of(keys >> self._beyond)] = True
        self._end[_places_of(keys & self._within)] = True

    def suspected(self, keys: Keys) -> Ints:
        """The positions of the keys that begin as one of them does and end as one of them does, in order."""
        cut = (keys[begin : begin + CHUNK] for begin in range(0, len(keys), CHUNK))
        begun = (self._begin.take(_places_of(part >> self._beyond)) for part in cut)
        at = np.concatenate([number * CHUNK + np.flatnonzero(part) for number, part in enumerate(begun)])
        found: Ints = at[self._end.take(_places_of(keys[at] & self._within))]
        return found


def _places_of(bits: Keys) -> NDArray[np.signedinteger[Any]]:
    """Some bits of keys as places: NumPy looks signed numbers up, others it converts one by one."""
    return bits.view(f"i{bits.itemsize}")


class Sought:
    """Keys that are looked for among others, a stretch at a time."""

    def __init__(self, keys: Keys) -> None:
        self._keys = distinct(keys)
        self._ends = _Ends(keys)

    def among(self, keys: Keys) -> Ints:
        """The positions in `keys` of those that are sought, in order."""
        if not len(self._keys) or not len(keys):
            return np.empty(0, dtype=np.int64)
        at = self._ends.suspected(keys)
        told = keys[at]
        found: Ints = at[self._keys[np.searchsorted(self._keys, told) % len(self._keys)] == told]
        return found

    def hold(self, keys: Keys) -> NDArray[np.bool_]:
        """Of each key, whether it is sought."""
        held = np.zeros(len(keys), dtype=np.bool_)
        held[self.among(keys)] = True
        return held


class SoughtBands:
    """Band keys that are looked for among others, each among those of its band."""

    def __init__(self, keys: UInt32s, bands: Ints) -> None:
        """The keys, and of which band each is."""
        self._keys, self._buckets = Sought(keys), Sought(bucket_keys(keys, bands))

    def among(self, keys: UInt32s, begins: Ints) -> tuple[Ints, UInt64s]:
        """The rows that have some of them, once for each, and its bucket's key; row i has the keys `keys[begins[i] : begins[i + 1]]`."""
        at = self._keys.among(keys)
        rows = np.searchsorted(begins, at, side="right") - 1
        buckets = bucket_keys(keys[at], at - begins[rows])
        held = self._buckets.hold(buckets)
        return rows[held], buckets[held]


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
