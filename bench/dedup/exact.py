"""Which texts duplicate another one, by comparing each with every other that shares a shingle."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from gland_assets.core.dedup import jaccard, normalise, shingles
from gland_assets.core.project import Dedup
from gland_assets.core.shingling import shingle_hashes


class Alike:
    """Finds, for a text by number, whether any other reaches the threshold, or has the same normalised text."""

    def __init__(self, texts: Sequence[str], settings: Dedup) -> None:
        """Over all texts, whose shingles are laid out by hash: some 60 bytes each."""
        self.texts, self.settings = texts, settings
        hashes, counts = shingle_hashes([text.lower().encode() for text in texts], settings.ngram)
        pairs = np.unique(hashes.astype(np.uint64) << np.uint64(32) | np.repeat(np.arange(len(texts), dtype=np.uint64), counts))
        self.hashes, self.owners = (pairs >> np.uint64(32)).astype(np.uint32), (pairs & np.uint64(0xFFFFFFFF)).astype(np.int64)
        self.sizes = np.bincount(self.owners, minlength=len(texts))

    def count(self, numbers: Iterable[int]) -> int:
        """How many of these texts duplicate another one."""
        return sum(map(self._has_another, numbers))

    def _has_another(self, number: int) -> bool:
        mine = np.unique(shingle_hashes([self.texts[number].lower().encode()], self.settings.ngram)[0])
        begins, ends = (np.searchsorted(self.hashes, mine, side) for side in ("left", "right"))
        shared = np.bincount(
            np.concatenate([self.owners[a:b] for a, b in zip(begins, ends, strict=True)] or [[]]), minlength=len(self.texts)
        )
        shared[number] = 0
        likely = np.flatnonzero(shared >= self.settings.threshold * (len(mine) + self.sizes - shared))
        own, text = shingles(self.texts[number], self.settings.ngram), normalise(self.texts[number])
        others = (self.texts[other] for other in likely.tolist())
        return any(
            jaccard(own, shingles(other, self.settings.ngram)) >= self.settings.threshold or normalise(other) == text for other in others
        )
