"""Questions to find duplicates among, the same for the same number: most unlike any other, some copied or edited, some from one template.

Words are those of the manual that comes with Python, in runs of ten as they stand there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pydoc_data.topics import topics
from random import Random

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


@dataclass(frozen=True, slots=True)
class Planted:
    """Two questions that were made alike, by number, and how alike: exact Jaccard over word 3-grams."""

    one: int
    other: int
    similarity: float


def identity(number: int) -> str:
    """The id of a question: in an order of its own."""
    return blake2b(number.to_bytes(8, "big"), digest_size=16).hexdigest()


def corpus(count: int) -> tuple[list[str], list[Planted]]:
    """`count` texts, and what was planted among them: the last ones are families, and before them copies and edited copies."""
    family = min(FAMILY_MOST, int(count * FAMILY_SHARE))
    copies, edited = int(count * EXACT), int(count * NEAR)
    texts = [_question(Random(number)) for number in range(count - copies - edited - family * len(TEMPLATES))]
    planted = []
    chosen = Random(count).sample(range(len(texts)), copies + edited)
    for turn, one in enumerate(chosen):
        text = _spaced(texts[one]) if turn < copies else _edited(texts[one], Random(turn))
        planted.append(Planted(one, len(texts), jaccard(shingles(texts[one], NGRAM), shingles(text, NGRAM))))
        texts.append(text)
    for template in TEMPLATES:
        texts += _family(template, family)
    return texts, planted


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


def _family(template: str, count: int) -> Iterator[str]:
    for number in range(count):
        rng = Random(f"{template[:20]} {number}")
        yield template.format(*(rng.choice(WORDS) if slot not in (4, 8, 9) else rng.randrange(2, 10**6) for slot in range(10)))
