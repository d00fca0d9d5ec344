"""What near duplicates left behind, looked at without signatures or bands: an audit of kept questions, and how much was dropped. Pure."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gland_assets.core.dedup import shingles
from gland_assets.core.project import Dedup

AUDITED = 2000  # kept questions looked at; every pair of them is compared
STEP = 20  # steps of similarity in one


@dataclass(frozen=True, slots=True)
class Alike:
    """Two kept questions with exact Jaccard similarity at or above the threshold."""

    one: str  # question id, the lesser
    other: str
    similarity: float


def sample(kept: Mapping[str, int], seed: int) -> list[str]:
    """Disciplines to audit, drawn by `seed` until they hold AUDITED kept questions together. `kept`: discipline -> kept questions of it.

    Whole disciplines, since questions of one are likelier to be alike than any two.
    """
    order = sorted(slug for slug, count in kept.items() if count)
    random.Random(seed).shuffle(order)
    drawn: list[str] = []
    held = 0
    for slug in order:
        if held >= AUDITED:
            break
        drawn.append(slug)
        held += kept[slug]
    return drawn


def alike(texts: Sequence[tuple[str, str]], settings: Dedup) -> list[Alike]:
    """Every two of `texts` (question id, text) at or above the threshold, by comparing all of them, in order of id.

    Two texts that share no shingle have similarity 0, so each is compared with those that share one.
    """
    holders: defaultdict[str, list[int]] = defaultdict(list)
    ordered = sorted(texts)
    sizes: list[int] = []
    found: list[Alike] = []
    for index, (identity, text) in enumerate(ordered):
        mine = shingles(text, settings.ngram)
        sharing = [holders[shingle] for shingle in mine if shingle in holders]
        if sharing:
            shared = np.bincount(np.concatenate([np.asarray(held) for held in sharing]), minlength=index)
            every = len(mine) + np.asarray(sizes) - shared
            # By division, as the similarity that is stored; a product could fall on the other side of the threshold.
            for other in np.flatnonzero(shared / np.maximum(every, 1) >= settings.threshold).tolist():
                found.append(Alike(ordered[other][0], identity, float(shared[other] / every[other])))
        sizes.append(len(mine))
        for shingle in mine:
            holders[shingle].append(index)
    return found


@dataclass(frozen=True, slots=True)
class Rate:
    """How much of a discipline was dropped."""

    discipline: str
    questions: int  # that could be kept: those with an answer
    dropped: int

    @property
    def share(self) -> float:
        """Dropped questions over all, 0 to 1."""
        return self.dropped / self.questions if self.questions else 0.0


def rates(questions: Mapping[str, int], dropped: Iterable[str]) -> list[Rate]:
    """The rate of each discipline, the highest first. `questions`: discipline -> answered ones; `dropped`: their disciplines."""
    counts = Counter(dropped)
    found = [Rate(slug, count, counts[slug]) for slug, count in questions.items()]
    return sorted(found, key=lambda rate: (-rate.share, rate.discipline))


def outside(found: Iterable[Rate], settings: Dedup) -> list[Rate]:
    """Those whose share is not within the bounds that [dedup] declares; a discipline without questions is left out."""
    least, most = settings.rate
    return [rate for rate in found if rate.questions and not least <= rate.share <= most]


def histogram(similarities: Iterable[float]) -> dict[float, int]:
    """Least similarity of a step of a twentieth -> how many are in it; 1 is a step of its own."""
    counts = Counter(int(similarity * STEP + 1e-9) for similarity in similarities)
    return {step / STEP: counts[step] for step in sorted(counts)}
