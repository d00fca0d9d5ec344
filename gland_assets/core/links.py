"""How rows hang together: where few share a bucket of bands, by pairs of them that may be alike; where many do, by the bucket itself.

Most that share a bucket are unlike, and no pair of them is kept. After a change only buckets with a row that came or went are looked at,
and whatever is linked to none of these rows, over however many others, is left out of all that follows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gland_assets.core.bitmaps import Sieve
from gland_assets.core.shares import BAND, REFERENCE_BAND, WIDE, Places, Sought, joined
from gland_assets.core.texts import Ints, UInt64s, distinct

PAIRS = 1 << 20  # told at once


class Pairs(NamedTuple):
    """Two rows each that may be alike, with a bucket in which they meet; the same two may stand here with several."""

    kinds: NDArray[np.uint8]
    keys: UInt64s
    ones: Ints
    others: Ints

    def at(self, pairs: NDArray[np.bool_]) -> Pairs:
        """Some of them."""
        return Pairs(self.kinds[pairs], self.keys[pairs], self.ones[pairs], self.others[pairs])


class Links(NamedTuple):
    """Rows in buckets of texts, and of bands with too many rows for pairs; of all other buckets of bands the pairs that may be alike."""

    places: Places
    pairs: Pairs

    def rows(self) -> Ints:
        """The rows that are linked to some other, in order."""
        return np.flatnonzero(_marked(np.concatenate([self.places.rows, self.pairs.ones, self.pairs.others]), self))


class Relinked(NamedTuple):
    """The links before a change and those after it, which of them held then, and which do now."""

    links: Links
    places_then: NDArray[np.bool_]
    places_now: NDArray[np.bool_]
    pairs_then: NDArray[np.bool_]
    pairs_now: NDArray[np.bool_]

    @property
    def now(self) -> Links:
        """Those that hold now."""
        return Links(self.links.places.at(self.places_now), self.links.pairs.at(self.pairs_now))

    def around(self, rows: Ints) -> Relinked:
        """The links of these rows, of all that they are linked to, and so on."""
        places, pairs = self.links
        reached = _marked(rows, self.links)
        buckets = _numbered(_codes(places))
        before = -1
        while before != (before := int(np.count_nonzero(reached))):
            hit = np.zeros(buckets.max(initial=-1) + 1, dtype=np.bool_)
            hit[buckets[reached[places.rows]]] = True
            reached[places.rows[hit[buckets]]] = True
            met = reached[pairs.ones] | reached[pairs.others]
            reached[pairs.ones[met]] = reached[pairs.others[met]] = True
        near, alike = reached[places.rows], reached[pairs.ones]
        return Relinked(
            Links(places.at(near), pairs.at(alike)),
            self.places_then[near], self.places_now[near], self.pairs_then[alike], self.pairs_now[alike],
        )  # fmt: skip


def linked(found: Places, references: NDArray[np.bool_], sieve: Sieve, most: int) -> Links:
    """The links of rows that meet in these places, which stand bucket by bucket; by pairs where no more than `most` meet.

    `references` says of each row whether it is one.
    """
    begins = found.begins()
    sizes = np.diff(begins)
    crowded = _crowded(found.kinds[begins[:-1]], sizes, most)
    return Links(found.at(np.repeat(crowded, sizes)), _together(_alike(found, begins[:-1][~crowded], sizes[~crowded], references, sieve)))


def losing(stood: Links, left: Ints) -> Ints:
    """The rows of crowded buckets of bands that lose a row, or more."""
    places, codes = stood.places, _codes(stood.places)
    lost = codes[_marked(left, stood)[places.rows] & _of_bands(places.kinds)]
    return distinct(places.rows[Sought(lost).hold(codes)])


def relinked(stood: Links, left: Ints, came: Ints, found: Places, references: NDArray[np.bool_], sieve: Sieve, most: int) -> Relinked:
    """The links after a change. Rows `left` are gone and `came` are new, a changed one both.

    `found` are all the rows, by now, in the buckets that have one of `came`, bucket by bucket. `references` and `sieve` know of these,
    and of those that are `losing`.
    """
    gone, fresh = _marked(left, stood), _marked(came, stood, found)
    begins = found.begins()
    if len(found.rows):
        found = found.at(np.repeat(np.logical_or.reduceat(fresh[found.rows], begins[:-1]), np.diff(begins)))
        begins = found.begins()
    sizes, codes = np.diff(begins), _codes(found)[begins[:-1]]
    crowded = _crowded(found.kinds[begins[:-1]], sizes, most)
    stays, before = ~gone[stood.places.rows], _codes(stood.places)
    narrowed, left_over = _narrowed(stood.places, stays, codes[crowded], codes[~crowded], most)
    stays &= ~Sought(narrowed).hold(before)
    pairs_stay = ~(gone[stood.pairs.ones] | gone[stood.pairs.others] | Sought(codes[crowded]).hold(_codes(stood.pairs)))
    places = _beyond(stood.places.at(stays), found.at(np.repeat(crowded, sizes)))
    firsts, sizes, codes = begins[:-1][~crowded], sizes[~crowded], codes[~crowded]
    anew, ends = Sought(narrowed).hold(codes), left_over.begins()
    pairs = _together(
        _alike(found, firsts[anew], sizes[anew], references, sieve),
        _alike(found, firsts[~anew], sizes[~anew], references, sieve, fresh),
        _alike(left_over, ends[:-1], np.diff(ends), references, sieve),
    )
    more, new = (np.ones(len(each.keys), dtype=np.bool_) for each in (places, pairs))
    return Relinked(
        Links(joined(stood.places, places), _together([stood.pairs, pairs])),
        np.concatenate([np.ones(len(stays), dtype=np.bool_), ~more]), np.concatenate([stays, more]),
        np.concatenate([np.ones(len(pairs_stay), dtype=np.bool_), ~new]), np.concatenate([pairs_stay, new]),
    )  # fmt: skip


def _narrowed(stood: Places, stays: NDArray[np.bool_], crowded: UInt64s, others: UInt64s, most: int) -> tuple[UInt64s, Places]:
    """The buckets of bands, by code, that were crowded and are no more; and the rows of those that no row came into.

    `crowded` and `others` are the buckets that one came into, as they are now.
    """
    codes, bands = _codes(stood), _of_bands(stood.kinds)
    losing = codes[bands & ~stays]
    losing = distinct(losing[~Sought(crowded).hold(losing)])
    rest = stays & Sought(losing[~Sought(others).hold(losing)]).hold(codes)
    values, counts = np.unique(codes[rest], return_counts=True)
    narrowed = losing[~Sought(values[counts > most]).hold(losing)]
    return narrowed, stood.at(rest & Sought(narrowed).hold(codes)).in_order()


def _alike(
    found: Places, begins: Ints, sizes: Ints, references: NDArray[np.bool_], sieve: Sieve, fresh: NDArray[np.bool_] | None = None
) -> Iterator[Pairs]:
    """The pairs of rows that may be alike, of buckets that begin there; where `fresh` rows are told, those with one of them."""
    for size in distinct(sizes[sizes > 1]).tolist():
        firsts = begins[sizes == size]
        one, other = np.triu_indices(size, 1)
        together = max(1, PAIRS // len(one))
        for first in range(0, len(firsts), together):
            at = firsts[first : first + together]
            rows = found.rows[at[:, None] + np.arange(size)]
            ones, others, at = rows[:, one].ravel(), rows[:, other].ravel(), np.repeat(at, len(one))
            kinds = found.kinds[at]
            wanted = (kinds == BAND) | (references[ones] != references[others])  # nobody looks at the others in a reference's bucket
            if fresh is not None:
                wanted &= fresh[ones] | fresh[others]
            some = np.flatnonzero(wanted)
            some = some[sieve.passing(ones[some], others[some])]
            yield Pairs(kinds[some], found.keys[at[some]], ones[some], others[some])


def _together(*several: Iterable[Pairs]) -> Pairs:
    none = np.empty(0, dtype=np.int64)
    told = [Pairs(none.astype(np.uint8), none.astype(np.uint64), none, none), *chain.from_iterable(several)]
    return Pairs(*map(np.concatenate, zip(*told, strict=True)))


def _beyond(places: Places, found: Places) -> Places:
    """What of `found` is not among `places`."""
    buckets = _numbered(np.concatenate([_codes(places), _codes(found)]))
    told = (buckets << WIDE | np.concatenate([places.rows, found.rows])).view(np.uint64)
    return found.at(~Sought(told[: len(places.rows)]).hold(told[len(places.rows) :]))


def _crowded(kinds: NDArray[np.uint8], sizes: Ints, most: int) -> NDArray[np.bool_]:
    crowded: NDArray[np.bool_] = (sizes > most) | ~_of_bands(kinds)
    return crowded


def _of_bands(kinds: NDArray[np.uint8]) -> NDArray[np.bool_]:
    bands: NDArray[np.bool_] = (kinds == BAND) | (kinds == REFERENCE_BAND)
    return bands


def _codes(several: Places | Pairs) -> UInt64s:
    """Bucket by bucket one number, of its kind and nearly all of its key."""
    codes: UInt64s = several.keys << np.uint64(2) | several.kinds
    return codes


def _numbered(codes: UInt64s) -> Ints:
    """The same by numbers from 0 on."""
    numbers: Ints = np.unique(codes, return_inverse=True)[1]
    return numbers


def _marked(rows: Ints, links: Links, found: Places | None = None) -> NDArray[np.bool_]:
    """By row, whether it is one of these."""
    several = (rows, links.places.rows, links.pairs.ones, links.pairs.others, *(() if found is None else (found.rows,)))
    marked = np.zeros(max(int(each.max(initial=-1)) for each in several) + 1, dtype=np.bool_)
    marked[rows] = True
    return marked
