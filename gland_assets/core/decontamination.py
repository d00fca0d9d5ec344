"""What a text repeats of a benchmark's item: the words of both, the n-grams that count, and the rules by which they count.

Words are the runs of `\\w+` in lower case. So prose and code are taken alike: spacing, line breaks, punctuation, brackets, quotes and the
marks of comments count for nothing, an identifier is one word, and what a comment or docstring says counts as it does in prose.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from itertools import islice, pairwise
from typing import NamedTuple

from gland_assets.core.project import Rule
from gland_assets.core.texts import lowered

BOILERPLATE = 10
"""An n-gram that stands in more items of a set than this is a template's, and no sign that one of them was repeated."""

SHORTEST = 5
"""Words of the shortest item that is looked for as a whole: shorter ones are what anybody may ask."""

Gram = tuple[str, ...]
Boilerplate = Mapping[int, Collection[Gram]]
"""Number of words -> the n-grams of so many words that do not count."""

_WORD = re.compile(r"\w+")


class Item(NamedTuple):
    """An item of a benchmark set, as far as texts are compared with it."""

    split: str
    item_id: str
    text: str


class Match(NamedTuple):
    """How a text repeats an item: by the whole item (`ngram` is None), or by n-grams over `share` of the item's words."""

    share: float
    ngram: int | None
    span: str  # the longest stretch of words that both have, as it stands in the text
    item_span: str  # and in the item


class Text:
    """A text with its words."""

    def __init__(self, text: str) -> None:
        """Finds the words at once."""
        self.text = text
        self._lower = lowered(text)
        self.words: list[str] = _WORD.findall(self._lower)
        self._listed: dict[int, list[Gram]] = {}
        self._grams: dict[int, dict[Gram, int]] = {}

    def listed(self, ngram: int) -> list[Gram]:
        """The n-grams from every word on."""
        if ngram not in self._listed:
            self._listed[ngram] = list(zip(*(self.words[at:] for at in range(ngram)), strict=False))
        return self._listed[ngram]

    def grams(self, ngram: int) -> dict[Gram, int]:
        """The n-grams, each with the word at which it stands first."""
        if ngram not in self._grams:
            found = self.listed(ngram)
            self._grams[ngram] = dict(zip(reversed(found), reversed(range(len(found))), strict=True))
        return self._grams[ngram]

    def gram(self, at: int, ngram: int) -> Gram:
        """The words from word `at` on."""
        return tuple(self.words[at : at + ngram])

    def find(self, other: Text) -> int | None:
        """The word from which on all words of `other` stand here in order; None where they do not."""
        at = self._line.find(other._line)
        return None if at < 0 else self._line.count(" ", 0, at)

    @cached_property
    def _line(self) -> str:
        return f" {' '.join(self.words)} "

    def span(self, first: int, words: int) -> str:
        """The stretch of the text from word `first` on, so many words long."""
        found = list(islice(_WORD.finditer(self._lower), first, first + words))
        return self.text[found[0].start() : found[-1].end()]


def match(text: Text, item: Text, rules: Sequence[Rule], boilerplate: Boilerplate) -> Match | None:
    """How `text` repeats `item`; None when it does not. What is boiler-plate counts neither as repeated nor as part of the item.

    An item of SHORTEST words or more is repeated by all its words in order, whatever the rules; otherwise the first rule decides of which
    the n-grams that both have cover more than its share of the words that the item's own n-grams cover.
    """
    size = len(item.words)
    whole = text.find(item) if size >= SHORTEST else None
    if whole is not None and item.gram(0, size) not in boilerplate.get(size, ()):
        return Match(1.0, None, text.span(whole, size), item.span(0, size))
    least = min(rule.ngram for rule in rules)
    near = _shared(text, item, least)
    for rule in rules:
        if len(near) <= rule.ngram - least:  # a longer n-gram holds more of the shortest
            continue
        grams, common = item.listed(rule.ngram), boilerplate.get(rule.ngram, ())
        shared = near if rule.ngram == least else _shared(text, item, rule.ngram)
        if common:
            shared = [at for at in shared if grams[at] not in common]
        if not shared:
            continue
        covered = _covered([at for at, gram in enumerate(grams) if gram not in common], rule.ngram) if common else size
        share = _covered(shared, rule.ngram) / covered
        if share > rule.share:
            held = text.grams(rule.ngram)
            stretches = (_stretch(text, item, held[grams[at]], at) for at in shared)
            here, there, words = max(stretches, key=lambda each: each[2])
            return Match(share, rule.ngram, text.span(here, words), item.span(there, words))
    return None


def _shared(text: Text, item: Text, ngram: int) -> list[int]:
    """The words of `item` from which on an n-gram stands that `text` has too."""
    held = text.grams(ngram)
    return [at for at, gram in enumerate(item.listed(ngram)) if gram in held]


def _covered(starts: Sequence[int], ngram: int) -> int:
    """Words that n-grams from `starts` on, of which there is one at least, cover, in order of place."""
    covered = ngram
    for at, following in pairwise(starts):
        apart = following - at
        covered += apart if apart < ngram else ngram
    return covered


def _stretch(text: Text, item: Text, here: int, there: int) -> tuple[int, int, int]:
    """The longest stretch of equal words around word `here` and word `there`: its beginning in both, and its words."""
    before = 0
    while before < min(here, there) and text.words[here - before - 1] == item.words[there - before - 1]:
        before += 1
    after = 0
    while here + after < len(text.words) and there + after < len(item.words) and text.words[here + after] == item.words[there + after]:
        after += 1
    return here - before, there - before, before + after
