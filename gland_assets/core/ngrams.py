"""Words and word n-grams of many texts as 64-bit hashes, in array operations over whole stretches of UTF-8.

A word's hash is a polynomial in its bytes, modulo 2**64: that of any stretch follows from sums up to its two ends. An n-gram's is a
polynomial in those of its words. Words are those of `core.decontamination`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gland_assets.core.shingling import mark_beyond_ascii
from gland_assets.core.texts import BYTES, Ints, Texts, UInt8s, UInt64s, lower_beyond_ascii, lowered

_BASE, _SCALE, _STEP = 0xD1342543DE82EF95, 0x9E3779B97F4A7C15, 0xAF251AF3B0F025B5  # odd, each with about half of its bits set


SPACE = 0
"""What stands between two words."""


class Run(NamedTuple):
    """The words of texts as one run of bytes, in lower case, and SPACE after each, however much stands there.

    After a text's last word it may be missing, or belong to the next text.
    """

    data: UInt8s
    ends: Ints  # of each text in it


class Words(NamedTuple):
    """The words of texts: their run, where they are in it, and their hashes."""

    run: UInt8s
    starts: Ints
    stops: Ints
    hashes: UInt64s
    ends: Ints  # words up to the end of each text


def run_of(texts: Texts) -> Run:
    """The words of all texts in order."""
    parts, ends, before = [np.zeros(0, dtype=np.uint8)], [np.zeros(0, dtype=np.int64)], 0
    for _, piece in texts.pieces():
        piece = lower_beyond_ascii(piece, lowered)
        part, kept, _ = _squeezed(piece)
        parts.append(part)
        ends.append(_bytes_upto(kept, piece.ends) + before)
        before += len(part)
    return Run(np.concatenate(parts), np.concatenate(ends))


def words_of(texts: Texts) -> Words:
    """The words of all texts in order. Texts by the million are given in pieces: what is worked out takes some 30 bytes a byte."""
    texts = lower_beyond_ascii(texts, lowered)
    run, kept, inside = _squeezed(texts)
    starts, stops = _edges(inside, texts.ends)
    ends = np.searchsorted(starts, texts.ends)
    stops -= starts
    starts = _bytes_upto(kept, starts)
    stops += starts
    return Words(run, starts, stops, _word_hashes(run, starts, stops), ends)


def _squeezed(texts: Texts) -> tuple[UInt8s, NDArray[np.bool_], NDArray[np.bool_]]:
    """The run of texts without a capital beyond ASCII, which bytes of theirs were kept for it, and which are of words."""
    data = np.frombuffer(texts.data, dtype=np.uint8)
    lower = ~data
    lower >>= np.uint8(2)
    lower &= np.uint8(0x20)  # of what is ASCII
    lower |= data  # which leaves digits as they are, and makes of "_" what no other byte of a word becomes
    inside = lower - np.uint8(ord("a")) < np.uint8(26)
    inside |= data - np.uint8(ord("0")) < np.uint8(10)
    inside |= data == np.uint8(ord("_"))
    mark_beyond_ascii(data, inside)
    lower *= inside.view(np.uint8)
    kept = inside.copy()
    kept[1:] |= inside[:-1]
    return lower.compress(kept), kept, inside


def _bytes_upto(kept: NDArray[np.bool_], ends: Ints) -> Ints:
    """How many of the bytes that are `kept` stand before each of the places `ends`."""
    bits = np.concatenate([np.packbits(kept, bitorder="little"), np.zeros(16, dtype=np.uint8)])
    eights = bits[: len(bits) // 8 * 8].view("<u8")
    counts = np.cumsum(np.bitwise_count(eights), dtype=np.int64)
    at, rest = ends >> 6, (ends & 63).astype(np.uint64)
    beyond = np.bitwise_count(eights.take(at) >> rest)
    found: Ints = counts.take(at) - beyond
    return found


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


def _word_hashes(run: UInt8s, starts: Ints, stops: Ints) -> UInt64s:
    scales, inverses = _powers(max(2 * BYTES, 1 << len(run).bit_length()))
    sums = np.zeros(len(run) + 1, dtype=np.uint64)
    np.cumsum(np.multiply(run, scales[: len(run)], dtype=np.uint64), out=sums[1:])
    return (sums.take(stops) - sums.take(starts)) * inverses.take(starts)


def _edges(inside: NDArray[np.bool_], ends: Ints) -> tuple[Ints, Ints]:
    """Where words start and stop; no word goes on into the next text."""
    starts, stops = inside.copy(), inside.copy()
    starts[1:] &= ~inside[:-1]
    stops[:-1] &= ~inside[1:]
    between = ends[(ends > 0) & (ends < len(inside))]
    starts[between] = inside[between]
    stops[between - 1] = inside[between - 1]
    return np.flatnonzero(starts), np.flatnonzero(stops) + 1


@lru_cache(maxsize=2)
def _powers(count: int) -> tuple[UInt64s, UInt64s]:
    """_SCALE times the powers of _BASE, and the powers of its inverse, modulo 2**64, from 0 to `count` - 1."""
    scales, inverses = (np.full(count, base, dtype=np.uint64) for base in (_BASE, pow(_BASE, -1, 1 << 64)))
    scales[0], inverses[0] = _SCALE, 1
    return np.cumprod(scales), np.cumprod(inverses)
