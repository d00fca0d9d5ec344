"""Questions to find duplicates among, each made from its number alone: most unlike any other, some copied or edited, some of one template.

Words are those of the manual that comes with Python, in runs of ten as they stand there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pydoc_data.topics import topics
from random import Random
from typing import NamedTuple

from gland_assets.core.dedup import jaccard, shingles

WORDS = " ".join(topics[name] for name in sorted(topics)).split()
TASKS = "Explain Compare Derive Outline Justify Assess Describe Illustrate Predict Summarise".split()
RUN = 10  # words as they stand in the manual; five runs make a question of some 50 words
EXACT, NEAR = 0.01, 0.02  # shares of the questions that are copies, and edited copies
FAMILY_SHARE, FAMILY_MOST = 0.015, 15_000  # size of a family, of all questions and at the most
NGRAM = 3
TEMPLATES = (
    "Write a function {0} that takes a list of {1} and a {2}, leaves out each {3} that is larger than {4}, and returns the {5} of what is "
    "left as a {6}; raise an error that names the {7} when nothing is left, and say how long it takes for {8} items and for {9}.",
    "A {0} holds {4} {1} of {2} and loses {8} of them each {3}; after how many of them is the {5} below that of a {6} with {9} {7}? "
    "Show each step, give the result to two places, and say in one sentence why it would differ if nothing were lost at the {0}.",
)
_SPREAD = int.from_bytes(b"an odd number...", "big") | 1  # times this modulo 2**128, numbers stand in an order of their own


class Planted(NamedTuple):
    """Two questions that were made alike, by number, and how alike: exact Jaccard over word 3-grams."""

    one: int
    other: int
    similarity: float


def identity(number: int) -> str:
    """The id of a question."""
    return f"{number * _SPREAD % (1 << 128):032x}"


def number_of(question_id: str) -> int:
    """The inverse of `identity`."""
    return int(question_id, 16) * pow(_SPREAD, -1, 1 << 128) % (1 << 128)


@dataclass(frozen=True)
class Corpus:
    """So many questions of each kind, numbered kind after kind; any larger number is that of a question that came later."""

    plain: int
    copies: int
    edited: int
    family: int  # questions of each template
    templates: int = len(TEMPLATES)

    @classmethod
    def of(cls, count: int) -> Corpus:
        """`count` questions, of all kinds."""
        family = min(FAMILY_MOST, int(count * FAMILY_SHARE))
        copies, edited = int(count * EXACT), int(count * NEAR)
        return cls(count - copies - edited - family * len(TEMPLATES), copies, edited, family)

    def __len__(self) -> int:
        return self.plain + self.copies + self.edited + self.family * self.templates

    def text(self, number: int) -> str:
        """The question of that number."""
        if (one := self._original(number)) is not None:
            text = self.text(one)
            return _spaced(text) if self.plain <= number < self.plain + self.copies else _edited(text, Random(number))
        if number < self.plain or number >= len(self):
            return _question(Random(number))
        template, turn = divmod(number - self.plain - self.copies - self.edited, self.family)
        return _templated(TEMPLATES[template], turn)

    def planted(self, numbers: Iterable[int]) -> Iterator[Planted]:
        """Of questions by number, those made from another one."""
        for number in numbers:
            if (one := self._original(number)) is not None:
                alike = jaccard(shingles(self.text(one), NGRAM), shingles(self.text(number), NGRAM))
                yield Planted(one, number, alike)

    def _original(self, number: int) -> int | None:
        if self.plain <= number < self.plain + self.copies + self.edited:
            return self._chosen[number - self.plain]
        if number >= len(self) and (rng := Random(-number)).random() < NEAR:
            return rng.randrange(self.plain)
        return None

    @cached_property
    def _chosen(self) -> list[int]:
        """The plain ones that copies and edited copies are made from."""
        return Random(self.plain).sample(range(self.plain), self.copies + self.edited)


def _question(rng: Random) -> str:
    runs = [" ".join(WORDS[at : at + RUN]) for at in (rng.randrange(len(WORDS) - RUN) for _ in range(5))]
    return f"{rng.choice(TASKS)} {', '.join(runs)}?"


def _spaced(text: str) -> str:
    return f"  {text.upper().replace(' ', '  ', 3)}"


def _edited(text: str, rng: Random) -> str:
    """Words replaced, left out or put in at one to four places, so that the likeness lies on both sides of a threshold of 0.7."""
    words = text.split()
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(words))
        words[at : at + rng.randint(0, 1)] = rng.choices(WORDS, k=rng.randint(0, 1))
    return " ".join(words)


def _templated(template: str, number: int) -> str:
    rng = Random(f"{template[:20]} {number}")
    return template.format(*(rng.choice(WORDS) if slot not in (4, 8, 9) else rng.randrange(2, 10**6) for slot in range(10)))
