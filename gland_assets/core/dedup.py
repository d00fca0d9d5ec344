"""What texts are compared by: normalised text, word shingles, MinHash signatures and bands.

Words are the runs of `\\w+` in `str.lower()` of the text (Unicode, not `bytes.lower()`); a shingle is `ngram` words joined by one space.
A signature equals datasketch 2.0's MinHash, scheme affine32 with MurmurHash3 x86 32 (seed 0) as its hash, updated with every shingle's
UTF-8 bytes.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from functools import cache, lru_cache
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gland_assets.core.bitmaps import Bitmaps
from gland_assets.core.project import Dedup
from gland_assets.core.shingling import fmix32, shingle_hashes
from gland_assets.core.texts import Ints, Keys, Texts, UInt32s, UInt64s, decoded, encoded, first_bytes, keep_memory, lower_beyond_ascii

STRETCH = 1 << 19  # bytes of text signed at once
TOGETHER = 1024  # pieces of texts permuted at once: with the next, half a megabyte at the most, which stays in the cache
PIECE = 128  # shingles
LAID = 1 << 16  # shingles that several permutations are taken of at once, where there are fewer

_WORD = re.compile(r"\w+")
_APART = bytes(code if code >= 0x80 or _WORD.match(chr(code)) else ord(" ") for code in range(256))
_SPACING = bytes(code < 0x80 and chr(code).isspace() and code != ord(" ") for code in range(256))

LAST_SPACE = 0x3000
"""The last code point that counts as spacing; a test says so."""


def normalise(text: str) -> str:
    """The form under which two texts count as the same: lower case, spacing evened out."""
    return " ".join(text.lower().split())


def text_hash(text: str) -> str:
    """32 hex digits of the normalised text."""
    return _digest(encoded(normalise(text))).hex()


def _digests(lowered: Texts, parts: Sequence[bytes]) -> list[bytes]:
    """Hashes of the normalised texts, which are given in lower case, as one run and one by one."""
    found = [_digest(part.strip(b" ")) for part in parts]  # single spaces are all the spacing in most texts
    for number in lowered.of_bytes(_spacing(lowered.data)):
        found[number] = _digest(encoded(" ".join(decoded(parts[number]).split())))
    return found


def _digest(told: bytes) -> bytes:
    return blake2b(told, digest_size=16).digest()


def _spacing(data: bytes | memoryview) -> Ints:
    """Where bytes stand that `str.split` parts words at, but for single spaces."""
    told = np.frombuffer(data, dtype=np.uint8)
    spaces = told == ord(" ")
    several, others = spaces[1:] & spaces[:-1], np.frombuffer(bytes(data).translate(_SPACING), dtype=np.bool_)
    return np.concatenate([np.flatnonzero(several), np.flatnonzero(others), first_bytes(told, _spaces)])


@cache
def _spaces() -> NDArray[np.bool_]:
    """By code point up to LAST_SPACE, and False at the end: whether it is spacing."""
    return np.array([chr(point).isspace() for point in range(LAST_SPACE + 2)])


def words(text: str) -> list[str]:
    """The words of `text`, in lower case and in order."""
    lowered = text.lower()
    return lowered.encode().translate(_APART).decode().split() if lowered.isascii() else _WORD.findall(lowered)


def shingles(text: str, ngram: int) -> frozenset[str]:
    """The word n-grams of `text`; of a text with fewer words, all its words as one shingle; of a text without a word, nothing."""
    found = words(text)
    if not found:
        return frozenset()
    return frozenset(" ".join(found[i : i + ngram]) for i in range(max(1, len(found) - ngram + 1)))


def word_tuples(text: str, ngram: int) -> frozenset[tuple[str, ...]]:
    """`shingles` with their words apart, which is cheaper: no word has a space in it, so two are the same in both or in neither."""
    found = words(text)
    if len(found) < ngram:
        return frozenset([tuple(found)] if found else [])
    return frozenset(zip(*(found[place:] for place in range(ngram)), strict=False))


def jaccard(one: frozenset[Hashable], other: frozenset[Hashable]) -> float:
    """Shared shingles over all shingles, 0 to 1; 0 when both are empty."""
    shared = len(one & other)
    everything = len(one) + len(other) - shared
    return shared / everything if everything else 0.0


def signatures(texts: Sequence[str], settings: Dedup) -> UInt32s:
    """MinHash signatures, shape (texts, num_perm). A text without a word has datasketch's empty signature: every value 2**32 - 1."""
    return _signed(Texts.of(texts), settings)[2]


def _least(hashes: UInt32s, counts: Ints, settings: Dedup) -> UInt32s:
    """Least permuted hash of each text by permutation, texts having `counts` of `hashes` in turn, none of them zero.

    Texts are cut into pieces, and pieces of about a length laid side by side, so that a permutation is three operations over all of them.
    """
    slope, offset = _permutations(settings.num_perm, settings.seed)
    pieces = -(-counts // PIECE)
    firsts = np.cumsum(pieces) - pieces
    starts = np.repeat(np.cumsum(counts) - counts, pieces) + PIECE * (np.arange(pieces.sum()) - np.repeat(firsts, pieces))
    lasts = np.minimum(starts + PIECE, np.repeat(np.cumsum(counts), pieces)) - 1
    least = np.empty((len(starts), settings.num_perm), dtype=np.uint32)
    order = np.argsort(lasts - starts, kind="stable")
    for begin in range(0, len(order), TOGETHER):
        rows = order[begin : begin + TOGETHER]
        steps = int(lasts[rows[-1]] - starts[rows[-1]]) + 1
        laid = hashes[np.minimum(starts[rows] + np.arange(steps)[:, None], lasts[rows])]  # a shorter piece repeats its last
        several = max(1, LAID // laid.size)
        permuted = np.empty((several, *laid.shape), dtype=np.uint32)
        lowest = np.empty((settings.num_perm, len(rows)), dtype=np.uint32)
        for first in range(0, settings.num_perm, several):
            some = slice(first, first + several)
            found = permuted[: len(slope[some])]
            np.multiply(laid, slope[some, None, None], out=found)
            found += offset[some, None, None]
            np.minimum.reduce(found, axis=1, out=lowest[some])
        least[rows] = lowest.T
    return least if len(least) == len(counts) else np.minimum.reduceat(least, firsts, axis=0)


def band_keys(values: UInt32s, settings: Dedup) -> UInt32s:
    """Band keys of signatures, shape (signatures, bands): a 32-bit hash of the band's number and its rows' values."""
    keys = np.empty((len(values), settings.bands), dtype=np.uint32)
    numbers = np.arange(1, settings.bands + 1, dtype=np.uint64)
    for begin in range(0, len(values), TOGETHER):
        used = values[begin : begin + TOGETHER, : settings.bands * settings.rows]
        mixed = numbers
        for row in range(settings.rows):
            mixed = _mix64(mixed ^ used[:, row :: settings.rows])
        keys[begin : begin + TOGETHER] = mixed >> np.uint64(32)
    return keys


def bucket_keys(keys: Keys, bands: Ints | int) -> UInt64s:
    """What the buckets are known by that band keys of these bands, numbered from 0, stand for: one 64-bit number each, evenly spread."""
    told: UInt64s = keys.astype(np.uint64) | np.asarray(bands).astype(np.uint64) << np.uint64(32)
    return _mix64(told)


class Signed(NamedTuple):
    """What texts are compared by, one row a text. A text without a word is compared by its hash alone."""

    text_hashes: list[bytes]
    worded: NDArray[np.bool_]
    signatures: UInt32s
    bands: UInt32s
    bitmaps: Bitmaps


def sign(texts: Texts, settings: Dedup) -> Signed:
    """Text hashes, of 16 bytes, signatures, band keys and bitmaps of `texts`, in order."""
    hashes, worded, values, bitmaps = _signed(texts, settings)
    return Signed(hashes, worded, values, band_keys(values, settings), bitmaps)


def _signed(texts: Texts, settings: Dedup) -> tuple[list[bytes], NDArray[np.bool_], UInt32s, Bitmaps]:
    """All of these but the band keys."""
    keep_memory()
    hashes: list[bytes] = []
    bitmaps: list[Bitmaps] = []
    worded = np.zeros(len(texts.ends), dtype=np.bool_)
    values = np.full((len(texts.ends), settings.num_perm), np.iinfo(np.uint32).max, dtype=np.uint32)
    for first, piece in texts.pieces(STRETCH):
        lowered = lower_beyond_ascii(Texts(bytes(piece.data).lower(), piece.ends), str.lower)
        parts = lowered.parts()
        hashes += _digests(lowered, parts)
        shingled, counts = shingle_hashes(parts, settings.ngram)
        bitmaps.append(Bitmaps.of(shingled, counts, settings))
        filled = np.flatnonzero(counts)
        if len(filled):
            worded[first + filled] = True
            values[first + filled] = _least(fmix32(shingled), counts[filled], settings)
    return hashes, worded, values, Bitmaps.joined(bitmaps)


@lru_cache(maxsize=4)
def _permutations(num_perm: int, seed: int) -> tuple[UInt32s, UInt32s]:
    """datasketch's, of scheme affine32: h -> slope * h + offset mod 2**32. Drawn here, for datasketch imports scipy: 0.4 CPU s, 80 MB."""
    drawn = np.random.RandomState(seed)  # whose stream NumPy has frozen
    slope = drawn.randint(0, 1 << 31, num_perm, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
    return slope, drawn.randint(0, 1 << 32, num_perm, dtype=np.uint32)


def _mix64(values: UInt64s) -> UInt64s:
    """The mixing step of SplitMix64 (Steele, Lea and Flood 2014)."""
    mixed = values + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
