"""Benchmark items that texts repeat, looked for in millions of texts at once: n-grams by hash first, and what is found there by its words.

Hashes only lead to pairs of a text and an item; `core.decontamination.match` decides on each by real words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gland_assets.core.decontamination import BOILERPLATE, SHORTEST, Gram, Item, Match, Text, match
from gland_assets.core.ngrams import UInt64s, gram_hashes, gram_hashes_at, word_hashes
from gland_assets.core.project import Rule
from gland_assets.core.texts import Ints, Texts

AGAIN = np.uint64(0xD6E8FEB86659FD93)
FILLING = 64  # bits of the filter for each n-gram in it, of which two are set
LEAST_BITS, MOST_BITS = 16, 26  # of its size as a power of two: 8 KiB and 8 MiB


class Benchmark(NamedTuple):
    """A benchmark set as it is looked for."""

    name: str
    rules: tuple[Rule, ...]  # the longest n-gram first
    items: Sequence[Item]


class Leak(NamedTuple):
    """An item that a text repeats."""

    text: int  # number of the text
    benchmark: str
    item: Item
    match: Match


class _Leads(NamedTuple):
    """N-grams of `ngram` words that lead to items, by hash."""

    ngram: int
    hashes: UInt64s
    starts: UInt64s  # hashes of the words that the filter goes by, from the beginning of each
    items: Ints


class Index:
    """The items of benchmark sets, ready to be looked for."""

    def __init__(self, benchmarks: Sequence[Benchmark]) -> None:
        """Raises ValueError for a set without rules."""
        self._sets = [_Set(benchmark) for benchmark in benchmarks]
        self._firsts = np.cumsum([0, *(len(each.benchmark.items) for each in self._sets)])
        lengths = sorted({ngram for each in self._sets for ngram in each.leads})
        self._least = lengths[0] if lengths else 0
        self._leads = [self._of_length(ngram) for ngram in lengths]
        self._bits, self._filter = _filter_of([each.starts for each in self._leads])

    def items(self, benchmark: str) -> int:
        """How many items a set has."""
        return next(len(each.benchmark.items) for each in self._sets if each.benchmark.name == benchmark)

    def search(self, texts: Texts) -> Iterator[Leak]:
        """The items that each of `texts` repeats, in order of text and item."""
        for first, piece in texts.pieces():
            latest, text = -1, Text("")
            for number, item in self._candidates(piece):
                if number != latest:
                    latest, text = number, Text(piece.text(number))
                which = int(np.searchsorted(self._firsts, item, side="right")) - 1
                found = self._sets[which].match(text, item - int(self._firsts[which]))
                if found is not None:
                    benchmark = self._sets[which].benchmark
                    yield Leak(first + number, benchmark.name, benchmark.items[item - int(self._firsts[which])], found)

    def _of_length(self, ngram: int) -> _Leads:
        parts = [
            (*each.hashed(ngram, self._least), each.owners.take(each.leads[ngram]) + first)
            for each, first in zip(self._sets, self._firsts.tolist(), strict=False) if ngram in each.leads
        ]  # fmt: skip
        hashes, starts, items = (np.concatenate(column) for column in zip(*parts, strict=True))
        order = np.argsort(hashes)
        return _Leads(ngram, hashes[order], starts, items[order])

    def _candidates(self, texts: Texts) -> list[tuple[int, int]]:
        """Pairs of a text and an item that have a leading n-gram in common, by hash."""
        if not self._leads:
            return []
        words, ends = word_hashes(texts)
        at = self._passing(gram_hashes(words, self._least))
        of = np.searchsorted(ends, at, side="right")
        room = ends.take(of) - at
        found = []
        for leads in self._leads:
            fits = room >= leads.ngram
            hashes = gram_hashes_at(words, at[fits], leads.ngram)
            begin = np.searchsorted(leads.hashes, hashes)
            same = leads.hashes.take(np.minimum(begin, len(leads.hashes) - 1)) == hashes
            begin, hashes = begin[same], hashes[same]
            many = np.searchsorted(leads.hashes, hashes, side="right") - begin
            which = np.arange(many.sum()) + np.repeat(begin - np.cumsum(many) + many, many)
            found.append(np.repeat(of[fits][same], many) * self._firsts[-1] + leads.items.take(which))
        return [divmod(pair, int(self._firsts[-1])) for pair in sorted(set(np.concatenate(found).tolist()))]

    def _passing(self, hashes: UInt64s) -> Ints:
        """Where n-grams stand that the filter knows; a few others pass too."""
        passing = np.flatnonzero(self._held(hashes))
        return passing[self._held(hashes.take(passing) * AGAIN).view(np.bool_)]

    def _held(self, hashes: UInt64s) -> NDArray[np.uint8]:
        places = hashes >> np.uint64(64 - self._bits)
        held = self._filter.take((places >> np.uint64(3)).view(np.int64))
        return (held >> (places.astype(np.uint8) & np.uint8(7))) & np.uint8(1)


class _Set:
    """One benchmark set: which of its n-grams count, and which lead to its items."""

    def __init__(self, benchmark: Benchmark) -> None:
        if not benchmark.rules:
            raise ValueError(f"benchmark {benchmark.name!r} has no rule")
        self.benchmark = benchmark
        self._texts: dict[int, Text] = {}
        self.words, self._ends = _all_words(Texts.of([item.text for item in benchmark.items]))
        self._sizes = np.diff(self._ends, prepend=0)
        self.owners = np.repeat(np.arange(len(benchmark.items)), self._sizes)
        self._room = np.repeat(self._ends, self._sizes) - np.arange(len(self.words))
        self.boilerplate: dict[int, set[Gram]] = {}
        self.leads = self._found_leads()

    def match(self, text: Text, item: int) -> Match | None:
        """How `text` repeats an item, by number."""
        return match(text, self._text(item), self.benchmark.rules, self.boilerplate)

    def hashed(self, ngram: int, least: int) -> tuple[UInt64s, UInt64s]:
        """Hashes of the leading n-grams of `ngram` words, and of the `least` words that each begins with."""
        return gram_hashes_at(self.words, self.leads[ngram], ngram), gram_hashes_at(self.words, self.leads[ngram], least)

    def _text(self, item: int) -> Text:
        if item not in self._texts:
            self._texts[item] = Text(self.benchmark.items[item].text)
        return self._texts[item]

    def _found_leads(self) -> dict[int, Ints]:
        """N-gram length -> the words from which on an n-gram leads to its item: every match holds one of them.

        They are the shortest n-grams that a rule counts. Where a longer n-gram, or a whole item, counts and none within it does, they are
        the first within it; and of items shorter than that, all their words.
        """
        least = min(rule.ngram for rule in self.benchmark.rules)
        leading = np.zeros(len(self.words), dtype=np.bool_)
        leading[self._counted(least)] = True
        upto = np.concatenate([[0], np.cumsum(leading)])
        unled = np.flatnonzero((upto[self._ends] == upto[self._ends - self._sizes]) & (self._sizes >= SHORTEST))
        for rule in self.benchmark.rules:
            if rule.ngram > least:
                own = self._counted(rule.ngram)
                leading[own[upto[own + rule.ngram - least + 1] == upto[own]]] = True
        starts = (self._ends - self._sizes)[unled[~self._common_wholes(unled)]]
        leading[starts[self._room[starts] >= least]] = True
        found = {least: np.flatnonzero(leading)}
        for size in range(SHORTEST, least):
            found[size] = starts[self._room[starts] == size]
        return {ngram: at for ngram, at in found.items() if len(at)}

    def _counted(self, ngram: int) -> Ints:
        """The words from which on an n-gram stands that is no boiler-plate; what is, is noted by its words."""
        places = np.flatnonzero(self._room >= ngram)
        hashes = gram_hashes(self.words, ngram)[places]
        common = self._common(places, hashes)
        _, first = np.unique(hashes[common], return_index=True)
        noted = self.boilerplate.setdefault(ngram, set())
        for at in places[common][first].tolist():
            noted.add(self._gram(at, ngram))
        return places[~common]

    def _common(self, places: Ints, hashes: UInt64s) -> NDArray[np.bool_]:
        """Which of the n-grams stand in more than BOILERPLATE items."""
        ordered = np.sort(hashes)
        suspect = _among(hashes, ordered[BOILERPLATE:][ordered[BOILERPLATE:] == ordered[:-BOILERPLATE]])
        pairs = np.unique(np.stack([hashes[suspect], self.owners[places[suspect]].astype(np.uint64)], axis=1), axis=0)
        values, counts = np.unique(pairs[:, 0], return_counts=True)
        return _among(hashes, values[counts > BOILERPLATE])

    def _common_wholes(self, items: Ints) -> NDArray[np.bool_]:
        """Which of these items stand, whole, in more than BOILERPLATE items; they are noted by their words."""
        common = np.zeros(len(items), dtype=np.bool_)
        for size in np.unique(self._sizes[items]).tolist():
            of = np.flatnonzero(self._sizes[items] == size)
            counted = np.zeros(len(self.words), dtype=np.bool_)
            counted[self._counted(size)] = True
            common[of] = ~counted[(self._ends - self._sizes)[items[of]]]
        return common

    def _gram(self, at: int, ngram: int) -> Gram:
        owner = int(self.owners[at])
        return self._text(owner).gram(at - int(self._ends[owner] - self._sizes[owner]), ngram)


def _all_words(texts: Texts) -> tuple[UInt64s, Ints]:
    """`word_hashes` of texts of any number, in pieces."""
    words, ends, before = [np.zeros(0, dtype=np.uint64)], [np.zeros(0, dtype=np.int64)], 0
    for _, piece in texts.pieces():
        found, upto = word_hashes(piece)
        words.append(found)
        ends.append(upto + before)
        before += len(found)
    return np.concatenate(words), np.concatenate(ends)


def _among(hashes: UInt64s, known: UInt64s) -> NDArray[np.bool_]:
    """Which of `hashes` are in `known`, which is in order."""
    if not len(known):
        return np.zeros(len(hashes), dtype=np.bool_)
    found: NDArray[np.bool_] = known.take(np.minimum(np.searchsorted(known, hashes), len(known) - 1)) == hashes
    return found


def _filter_of(hashes: Sequence[UInt64s]) -> tuple[int, NDArray[np.uint8]]:
    """A map of bits with two set for each hash, one by its upper bits and one by those of AGAIN times it, and how many bits say which."""
    count = sum(map(len, hashes)) * FILLING
    bits = min(max(count.bit_length(), LEAST_BITS), MOST_BITS)
    held = np.zeros(1 << (bits - 3), dtype=np.uint8)
    for some in (*hashes, *(some * AGAIN for some in hashes)):
        places = some >> np.uint64(64 - bits)
        np.bitwise_or.at(held, (places >> np.uint64(3)).view(np.int64), np.uint8(1) << (places.astype(np.uint8) & np.uint8(7)))
    return bits, held
