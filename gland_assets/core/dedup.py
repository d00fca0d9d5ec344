"""Near duplicates: normalised text, word shingles, MinHash signatures and bands, and which question of several alike is kept.

Words are the runs of `\\w+` in `str.lower()` of the text (Unicode, not `bytes.lower()`); a shingle is `ngram` words joined by one space.
A signature equals datasketch 2.0's MinHash, scheme affine32 with its own SHA-1 32-bit hash, updated with every shingle's UTF-8 bytes.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import blake2b, sha1
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gland_assets.core.project import Dedup
from gland_assets.core.records import Duplicate, Question, Signature

UInt32s = NDArray[np.uint32]
UInt64s = NDArray[np.uint64]

LOOKED_AT = 64
"""Kept questions looked at in one bucket: templated questions share bands by the thousand."""

CHUNK = 4096  # shingles hashed through all permutations at once: 2 MB at 128, so that it stays in the cache
REMEMBERED = 20_000  # shingle sets held while duplicates are looked for

_WORD = re.compile(r"\w+")
_SPACE = re.compile(r"\s+")


def normalise(text: str) -> str:
    """The form under which two texts count as the same: lower case, spacing evened out."""
    return _SPACE.sub(" ", text.lower()).strip()


def text_hash(text: str) -> str:
    """32 hex digits of the normalised text."""
    return blake2b(normalise(text).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def shingles(text: str, ngram: int) -> frozenset[str]:
    """The word n-grams of `text`; of a text with fewer words, all its words as one shingle; of a text without a word, nothing."""
    words = _WORD.findall(text.lower())
    if not words:
        return frozenset()
    return frozenset(" ".join(words[i : i + ngram]) for i in range(max(1, len(words) - ngram + 1)))


def jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    """Shared shingles over all shingles, 0 to 1; 0 when both are empty."""
    shared = len(one & other)
    everything = len(one) + len(other) - shared
    return shared / everything if everything else 0.0


def signatures(texts: Sequence[str], settings: Dedup) -> UInt32s:
    """MinHash signatures, shape (texts, num_perm). A text without a word has datasketch's empty signature: every value 2**32 - 1."""
    sets = [shingles(text, settings.ngram) for text in texts]
    sizes = np.fromiter(map(len, sets), dtype=np.int64, count=len(sets))
    hashes = np.frombuffer(
        b"".join(sha1(shingle.encode("utf-8", "surrogatepass")).digest()[:4] for each in sets for shingle in each), dtype="<u4"
    ).astype(np.uint32)
    result = np.full((len(sets), settings.num_perm), np.iinfo(np.uint32).max, dtype=np.uint32)
    mixed = _fmix32(hashes)
    slope, offset = _permutations(settings.num_perm, settings.seed)
    first = 0
    ends = np.cumsum(sizes)
    begin = 0
    while begin < len(sets):  # whole texts at a time, about CHUNK shingles
        end = max(begin + 1, int(np.searchsorted(ends, first + CHUNK, side="right")))
        last = int(ends[end - 1])
        filled = np.flatnonzero(sizes[begin:end]) + begin
        if len(filled):
            permuted = mixed[first:last, None] * slope + offset
            result[filled] = np.minimum.reduceat(permuted, ends[filled] - sizes[filled] - first, axis=0)
        begin, first = end, last
    return result


def band_keys(values: UInt32s, settings: Dedup) -> UInt64s:
    """Band keys of signatures, shape (signatures, bands): a 64-bit hash of the band's number and its rows' values."""
    used = values[:, : settings.bands * settings.rows].astype(np.uint64)
    by_band = used.reshape(len(values), settings.bands, settings.rows)
    keys = np.broadcast_to(np.arange(1, settings.bands + 1, dtype=np.uint64), by_band.shape[:2]).copy()
    for row in range(settings.rows):
        keys = _mix64(keys ^ by_band[:, :, row])
    return keys


def sign(questions: Iterable[Question], settings: Dedup) -> list[Signature]:
    """The signature of each question that has a text, in order. A text without a word has a text hash alone."""
    asked = [(question, question.text) for question in questions if question.text is not None]
    values = signatures([text for _, text in asked], settings)
    keys = band_keys(values, settings)
    signed = []
    for (question, text), row, bands in zip(asked, values.tolist(), keys.tolist(), strict=True):
        worded = _WORD.search(text) is not None
        signed.append(
            Signature(
                question.question_id, question.discipline, text_hash(text), tuple(row) if worded else (), tuple(bands) if worded else ()
            )
        )
    return signed


class Entry(NamedTuple):
    """A question as it is compared. `bands` is empty for a text without a word; `publishable` is False for one that failed."""

    question_id: str
    discipline: str
    text: str
    text_hash: str
    bands: Sequence[int] | UInt64s
    publishable: bool = True


def find_duplicates(entries: Iterable[Entry], settings: Dedup) -> list[Duplicate]:
    """Which questions are dropped and the kept one each duplicates, in order of question id, whatever the order of `entries`.

    In order of id, a question is dropped when a kept one has its text hash, or shares a bucket with it and has exact Jaccard at or above
    the threshold; at most LOOKED_AT kept ones are looked at in a bucket. What is not publishable is neither kept nor dropped.
    """
    ordered = sorted((entry for entry in entries if entry.publishable), key=lambda entry: entry.question_id)
    first_of: dict[str, int] = {}
    leaders = [index for index, entry in enumerate(ordered) if first_of.setdefault(entry.text_hash, index) == index]
    near = _near([ordered[index] for index in leaders], settings)
    dropped = []
    for index, entry in enumerate(ordered):
        leader = first_of[entry.text_hash]
        found = near.get(ordered[leader].question_id)
        if found is not None:  # also for the exact copies of a dropped question: they duplicate the one that was kept
            kept, similarity = found
            dropped.append(_duplicate(entry, kept, "near", similarity))
        elif leader != index:
            dropped.append(_duplicate(entry, ordered[leader], "exact", 1.0))
    return dropped


def _duplicate(entry: Entry, kept: Entry, kind: str, similarity: float) -> Duplicate:
    return Duplicate(entry.question_id, kept.question_id, entry.discipline, kept.discipline, kind, similarity)


def _near(entries: Sequence[Entry], settings: Dedup) -> dict[str, tuple[Entry, float]]:
    """Dropped question id -> (kept entry, similarity), over entries in order of id with no two text hashes alike."""

    @lru_cache(maxsize=REMEMBERED)
    def shingled(index: int) -> frozenset[str]:
        return shingles(entries[index].text, settings.ngram)

    kept_in: defaultdict[int, list[int]] = defaultdict(list)
    dropped: dict[str, tuple[Entry, float]] = {}
    for index, keys in _shared_buckets(entries).items():
        candidates = sorted({candidate for key in keys for candidate in kept_in[key]})
        mine = shingled(index) if candidates else frozenset()
        for candidate in candidates:
            theirs = shingled(candidate)
            if min(len(mine), len(theirs)) < settings.threshold * max(len(mine), len(theirs)):
                continue  # too unlike in size to reach the threshold
            similarity = jaccard(mine, theirs)
            if similarity >= settings.threshold:
                dropped[entries[index].question_id] = entries[candidate], similarity
                break
        else:
            for key in keys:
                if len(kept_in[key]) < LOOKED_AT:
                    kept_in[key].append(index)
    return dropped


def _shared_buckets(entries: Sequence[Entry]) -> dict[int, list[int]]:
    """Index of an entry -> its band keys that another entry has too, for the entries that have any. Most keys stand alone."""
    lengths = np.fromiter((len(entry.bands) for entry in entries), dtype=np.int64, count=len(entries))
    if not lengths.any():
        return {}
    keys = np.concatenate([np.asarray(entry.bands, dtype=np.uint64) for entry in entries if len(entry.bands)])
    owners = np.repeat(np.arange(len(entries)), lengths)
    order = np.argsort(keys, kind="stable")
    same = keys[order][1:] == keys[order][:-1]
    shared = np.zeros(len(keys), dtype=bool)
    shared[order[1:][same]] = True
    shared[order[:-1][same]] = True
    found: defaultdict[int, list[int]] = defaultdict(list)
    for owner, key in zip(owners[shared].tolist(), keys[shared].tolist(), strict=True):
        found[owner].append(key)
    return found


@lru_cache(maxsize=4)
def _permutations(num_perm: int, seed: int) -> tuple[UInt32s, UInt32s]:
    """datasketch's, of scheme affine32: h -> slope * h + offset mod 2**32. Drawn here, for datasketch imports scipy: 0.4 CPU s, 80 MB."""
    drawn = np.random.RandomState(seed)  # whose stream NumPy has frozen
    slope = drawn.randint(0, 1 << 31, num_perm, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
    return slope, drawn.randint(0, 1 << 32, num_perm, dtype=np.uint32)


def _fmix32(values: UInt32s) -> UInt32s:
    """The finaliser of MurmurHash3: the mixing that scheme affine32 puts before its permutations."""
    mixed = (values ^ (values >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    mixed = (mixed ^ (mixed >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    return mixed ^ (mixed >> np.uint32(16))


def _mix64(values: UInt64s) -> UInt64s:
    """The mixing step of SplitMix64 (Steele, Lea and Flood 2014)."""
    mixed = values + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
