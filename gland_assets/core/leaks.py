"""Benchmark items that texts repeat, looked for in millions of texts at once: n-grams by a byte of each word first, and then by words.

Bytes only lead to pairs of a text and an item; `core.decontamination.match` decides on each by real words.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gland_assets.core.decontamination import BOILERPLATE, SHORTEST, Gram, Item, Match, Text, match
from gland_assets.core.ngrams import gram_hashes, marks_and_words_of, marks_of, words_of
from gland_assets.core.phrases import Hashes, Phrases
from gland_assets.core.project import Rule
from gland_assets.core.texts import Ints, Texts, UInt8s, UInt64s, keep_memory

TOGETHER = 1 << 20
"""Bytes of texts looked through at once."""

_NO_INTS = np.zeros(0, dtype=np.int64)


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
    """N-grams that lead to items."""

    firsts: Ints  # the words of the set at which they begin
    sizes: Ints  # how many words they have
    hashes: UInt64s
    items: Ints


class Index:
    """The items of benchmark sets, ready to be looked for."""

    def __init__(self, benchmarks: Sequence[Benchmark]) -> None:
        """Raises ValueError for a set without rules."""
        keep_memory()
        self._sets = [_Set(benchmark) for benchmark in benchmarks]
        self._firsts = np.cumsum([0, *(len(each.benchmark.items) for each in self._sets)])
        before = np.cumsum([0, *(len(each.marks) for each in self._sets)])
        leads = _Leads(
            np.concatenate([_NO_INTS, *(each.leads.firsts + first for each, first in zip(self._sets, before, strict=False))]),
            np.concatenate([_NO_INTS, *(each.leads.sizes for each in self._sets)]),
            np.concatenate([_NO_INTS.view(np.uint64), *(each.leads.hashes for each in self._sets)]),
            np.concatenate([_NO_INTS, *(each.leads.items + first for each, first in zip(self._sets, self._firsts, strict=False))]),
        )
        self._phrases = Phrases(
            np.concatenate([np.zeros(0, dtype=np.uint8), *(each.marks for each in self._sets)]), leads.firsts, leads.sizes
        )
        self._grams = {}
        for size in np.flatnonzero(np.bincount(leads.sizes)).tolist():
            of = leads.sizes == size
            self._grams[size] = Hashes(leads.hashes[of]), leads.items[of]

    def items(self, benchmark: str) -> int:
        """How many items a set has."""
        return next(len(each.benchmark.items) for each in self._sets if each.benchmark.name == benchmark)

    def search(self, texts: Texts) -> Iterator[Leak]:
        """The items that each of `texts` repeats, in order of text and item."""
        suspects, begins = self._suspects(texts), self._firsts.tolist()
        for first, piece in texts.some(suspects).pieces():
            latest, text = -1, Text("")
            for number, item in self._pairs(piece):
                if number != latest:
                    latest, text = number, Text(piece.text(number))
                which = bisect_right(begins, item) - 1
                found = self._sets[which].match(text, item - begins[which])
                if found is not None:
                    benchmark = self._sets[which].benchmark
                    yield Leak(suspects[first + number], benchmark.name, benchmark.items[item - begins[which]], found)

    def _suspects(self, texts: Texts) -> list[int]:
        """The texts, by number, that hold by a byte of each word an n-gram which leads to an item; few others."""
        found = []
        for first, piece in texts.pieces(TOGETHER):
            marks, at, ends = marks_of(piece)
            of = np.searchsorted(ends, at.take(self._phrases.suspected(marks)), side="right") + first
            found += sorted(set(of.tolist()))
        return found

    def _pairs(self, texts: Texts) -> list[tuple[int, int]]:
        """Pairs of a text and an item to which one of its n-grams leads, by their hashes, in order."""
        words, pairs = words_of(texts), set[tuple[int, int]]()
        for size, (known, items) in self._grams.items():
            places, numbers = known.find(gram_hashes(words.hashes, size))
            of = np.searchsorted(words.ends, places, side="right")
            pairs.update(zip(of.tolist(), items.take(numbers).tolist(), strict=True))
        return sorted(pairs)


class _Set:
    """One benchmark set: which of its n-grams count, and which lead to its items."""

    def __init__(self, benchmark: Benchmark) -> None:
        if not benchmark.rules:
            raise ValueError(f"benchmark {benchmark.name!r} has no rule")
        self.benchmark = benchmark
        self._texts: dict[int, Text] = {}
        self.marks, self._words, self._ends = _all_words(Texts.of([item.text for item in benchmark.items]))
        self._sizes = np.diff(self._ends, prepend=0)
        self._owners = np.repeat(np.arange(len(benchmark.items)), self._sizes)
        self._room = np.repeat(self._ends, self._sizes) - np.arange(len(self._words))
        self.boilerplate: dict[int, set[Gram]] = {}
        self.leads = self._leads()

    def match(self, text: Text, item: int) -> Match | None:
        """How `text` repeats an item, by number."""
        return match(text, self._text(item), self.benchmark.rules, self.boilerplate)

    def _text(self, item: int) -> Text:
        if item not in self._texts:
            self._texts[item] = Text(self.benchmark.items[item].text)
        return self._texts[item]

    def _leads(self) -> _Leads:
        firsts, sizes = self._found_leads()
        hashes = np.empty(len(firsts), dtype=np.uint64)
        for size in np.flatnonzero(np.bincount(sizes)).tolist():
            of = sizes == size
            hashes[of] = gram_hashes(self._words, size)[firsts[of]]
        return _Leads(firsts, sizes, hashes, self._owners[firsts])

    def _found_leads(self) -> tuple[Ints, Ints]:
        """The words from which on an n-gram leads to its item, and how many words it has: every match holds one of them.

        They are n-grams of the shortest that a rule counts: of each item the first ones, so many that the others cover no more than the
        rule's share; and of those, one within each longer n-gram that counts. Where a longer n-gram, or a whole item, counts and none
        within it does, they are the first within it; and of items shorter than that, all their words.
        """
        least = min(rule.ngram for rule in self.benchmark.rules)
        own = self._counted(least)
        leading, counts = np.zeros((2, len(self._words)), dtype=np.bool_)
        counts[own] = True
        leading[own[self._enough(own, least)]] = True
        upto = np.concatenate([[0], np.cumsum(leading)])
        unled = np.flatnonzero((upto[self._ends] == upto[self._ends - self._sizes]) & (self._sizes >= SHORTEST))
        for rule in self.benchmark.rules:
            if rule.ngram > least:
                longer, reach = self._counted(rule.ngram), rule.ngram - least + 1
                longer = longer[~_any_within(leading, longer, reach)]
                spread = longer + -longer % reach  # of any `reach` places in a row, one
                leading[spread[counts[spread]]] = True
                longer = longer[~_any_within(leading, longer, reach)]
                leading[longer + np.argmax(counts[longer[:, None] + np.arange(reach)], axis=1)] = True
        starts = (self._ends - self._sizes)[unled[~self._common_wholes(unled)]]
        leading[starts[self._room[starts] >= least]] = True
        shorter = starts[self._room[starts] < least]
        firsts = np.concatenate([np.flatnonzero(leading), shorter])
        return firsts, np.minimum(self._room[firsts], least)

    def _enough(self, own: Ints, ngram: int) -> NDArray[np.bool_]:
        """Which of an item's n-grams cover, with all that follow them, more than the rules' least share of what all of them cover."""
        share = min(rule.share for rule in self.benchmark.rules if rule.ngram == ngram)
        if not len(own):
            return np.zeros(0, dtype=np.bool_)
        owners = self._owners[own]
        firsts = np.flatnonzero(np.diff(owners, prepend=-1))
        covered = np.minimum(np.diff(own, append=own[-1] + ngram), ngram)  # by each up to where the next one begins
        covered[firsts[1:] - 1] = ngram
        whole = np.add.reduceat(covered, firsts)
        before = np.cumsum(covered) - covered
        of = np.repeat(np.arange(len(firsts)), np.diff(firsts, append=len(own)))
        enough: NDArray[np.bool_] = ((whole + before[firsts])[of] - before) / whole[of] > share  # as `match` divides
        return enough

    def _counted(self, ngram: int) -> Ints:
        """The words from which on an n-gram stands that is no boiler-plate; what is, is noted by its words."""
        places = np.flatnonzero(self._room >= ngram)
        hashes = gram_hashes(self._words, ngram)[places]
        common = self._common(places, hashes)
        _, first = np.unique(hashes[common], return_index=True)
        noted = self.boilerplate.setdefault(ngram, set())
        for at in places[common][first].tolist():
            noted.add(self._gram(at, ngram))
        return places[~common]

    def _common(self, places: Ints, hashes: UInt64s) -> NDArray[np.bool_]:
        """Which of the n-grams stand in more than BOILERPLATE items."""
        some = (hashes >> np.uint64(64 - len(hashes).bit_length())).view(np.int64) if len(hashes) else hashes.view(np.int64)
        suspects = np.flatnonzero((np.bincount(some) > BOILERPLATE).take(some))
        told = hashes[suspects]
        pairs = np.unique(np.stack([told, self._owners[places[suspects]].astype(np.uint64)], axis=1), axis=0)
        values, counts = np.unique(pairs[:, 0], return_counts=True)
        common = np.zeros(len(hashes), dtype=np.bool_)
        common[suspects] = np.isin(told, values[counts > BOILERPLATE])
        return common

    def _common_wholes(self, items: Ints) -> NDArray[np.bool_]:
        """Which of these items stand, whole, in more than BOILERPLATE items; they are noted by their words."""
        common = np.zeros(len(items), dtype=np.bool_)
        for size in np.unique(self._sizes[items]).tolist():
            of = np.flatnonzero(self._sizes[items] == size)
            counted = np.zeros(len(self._words), dtype=np.bool_)
            counted[self._counted(size)] = True
            common[of] = ~counted[(self._ends - self._sizes)[items[of]]]
        return common

    def _gram(self, at: int, ngram: int) -> Gram:
        owner = int(self._owners[at])
        return self._text(owner).gram(at - int(self._ends[owner] - self._sizes[owner]), ngram)


def _all_words(texts: Texts) -> tuple[UInt8s, UInt64s, Ints]:
    """Marks and hashes of the words of texts of any number, and how many words there are up to the end of each."""
    pieces = [marks_and_words_of(piece) for _, piece in texts.pieces()]
    before = np.cumsum([0, *(len(words.hashes) for _, words in pieces)])
    return (
        np.concatenate([np.zeros(0, dtype=np.uint8), *(marks.marks for marks, _ in pieces)]),
        np.concatenate([_NO_INTS.view(np.uint64), *(words.hashes for _, words in pieces)]),
        np.concatenate([_NO_INTS, *(words.ends + first for (_, words), first in zip(pieces, before, strict=False))]),
    )


def _any_within(marked: NDArray[np.bool_], places: Ints, reach: int) -> NDArray[np.bool_]:
    """Of each of the places, whether it or one of those that follow is marked, `reach` in all."""
    upto = np.concatenate([[0], np.cumsum(marked)])
    found: NDArray[np.bool_] = upto[places + reach] > upto[places]
    return found
