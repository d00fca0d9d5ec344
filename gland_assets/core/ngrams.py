"""Words and word n-grams of many texts as 64-bit hashes, in array operations over whole stretches of UTF-8.

A word's hash is a polynomial in its bytes, modulo 2**64: that of any stretch follows from sums up to its two ends. An n-gram's is a
polynomial in those of its words. Words are those of `core.decontamination`.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from gland_assets.core.decontamination import lowered
from gland_assets.core.shingling import mark_beyond_ascii
from gland_assets.core.texts import BYTES, Ints, Texts, UInt8s, lower_beyond_ascii

UInt64s = NDArray[np.uint64]

_BASE, _SCALE, _STEP = 0xD1342543DE82EF95, 0x9E3779B97F4A7C15, 0xAF251AF3B0F025B5  # odd, each with about half of its bits set
_LOWER = bytes(
    ord(chr(byte).lower()) if byte < 0x80 and (chr(byte).isalnum() or chr(byte) == "_") else byte & 0x80 and byte for byte in range(256)
)
"""Byte -> in lower case, where it is part of a word; 0 where it is none; beyond ASCII as it is."""


def word_hashes(texts: Texts) -> tuple[UInt64s, Ints]:
    """Hashes of the words of all texts in order, and how many words the texts have up to the end of each.

    Texts by the million are given in pieces: what is worked out takes some 30 bytes a byte.
    """
    texts = lower_beyond_ascii(texts, lowered)
    told = np.frombuffer(bytes(texts.data).translate(_LOWER), dtype=np.uint8)
    starts, stops = _words(told, texts.ends)
    scales, inverses = _powers(max(2 * BYTES, 1 << len(told).bit_length()))
    sums = np.zeros(len(told) + 1, dtype=np.uint64)
    np.cumsum(np.multiply(told, scales[: len(told)], dtype=np.uint64), out=sums[1:])
    return (sums.take(stops) - sums.take(starts)) * inverses.take(starts), np.searchsorted(starts, texts.ends)


def gram_hashes(words: UInt64s, ngram: int) -> UInt64s:
    """Hashes of the n-grams from every word on, those that reach into the next text among them; none for fewer words than `ngram`."""
    if len(words) < ngram:
        return words[:0]
    found, size = words, 1
    for bit in bin(ngram)[3:]:  # after the first: doubled, and one more where it is set
        found, size = found[:-size] * np.uint64(pow(_STEP, size, 1 << 64)) + found[size:], 2 * size
        if bit == "1":
            found, size = found[:-1] * np.uint64(_STEP) + words[size:], size + 1
    return found


def gram_hashes_at(words: UInt64s, at: Ints, ngram: int) -> UInt64s:
    """Hashes of the n-grams from the words `at` on."""
    found = words.take(at)
    for step in range(1, ngram):
        found = found * np.uint64(_STEP) + words.take(at + step)
    return found


def _words(told: UInt8s, ends: Ints) -> tuple[Ints, Ints]:
    """Where words start and stop; no word goes on into the next text."""
    around = np.zeros(len(told) + 2, dtype=np.bool_)
    inside = around[1:-1]
    np.not_equal(told, 0, out=inside)
    mark_beyond_ascii(told, inside)
    edges = np.flatnonzero(around[1:] != around[:-1])
    within = ends[(ends > 0) & (ends < len(told))]
    cut = within[inside[within - 1] & inside[within]]
    if len(cut):
        cut = cut[np.diff(cut, prepend=0) > 0]  # one of several, where empty texts follow
        edges = np.sort(np.concatenate([edges, cut, cut]))
    return edges[::2], edges[1::2]


@lru_cache(maxsize=2)
def _powers(count: int) -> tuple[UInt64s, UInt64s]:
    """_SCALE times the powers of _BASE, and the powers of its inverse, modulo 2**64, from 0 to `count` - 1."""
    scales, inverses = (np.full(count, base, dtype=np.uint64) for base in (_BASE, pow(_BASE, -1, 1 << 64)))
    scales[0], inverses[0] = _SCALE, 1
    return np.cumprod(scales), np.cumprod(inverses)
