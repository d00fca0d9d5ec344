"""Words and word n-grams of many texts, in array operations over whole stretches of UTF-8: by a byte of each word, and by 64-bit hashes.

A word's mark is a byte that follows from its first bytes: eight words in a row so are eight bytes, which tell nearly all that is different
apart. A word's hash is a polynomial in its bytes, modulo 2**64: that of any stretch follows from sums up to its two ends. An n-gram's is a
polynomial in those of its words. Words are those of `core.decontamination`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from gland_assets.core.shingling import mark_beyond_ascii
from gland_assets.core.texts import BYTES, Ints, Texts, UInt8s, UInt64s, beyond_ascii, capitals, lower_beyond_ascii, lowered

MARKED = 4
"""Bytes of a word that go into its mark."""

_BASE, _SCALE, _STEP = 0xD1342543DE82EF95, 0x9E3779B97F4A7C15, 0xAF251AF3B0F025B5  # odd, each with about half of its bits set


class Marks(NamedTuple):
    """The words of texts by their marks: word i begins at byte `at[i]` of the texts, which end at `ends` once they are in lower case."""

    marks: UInt8s
    at: Ints
    ends: Ints


class Words(NamedTuple):
    """The words of texts by their hashes."""

    hashes: UInt64s
    ends: Ints  # words up to the end of each text


class _Laid(NamedTuple):
    """Texts in lower case with zero for every byte that is of no word, and MARKED zeros more."""

    letters: UInt8s
    starts: Ints  # of words; none goes on into the next text
    ends: Ints  # of texts


def marks_of(texts: Texts) -> Marks:
    """The words of all texts in order."""
    return _marks(_laid(texts))


def words_of(texts: Texts) -> Words:
    """The words of all texts in order. Texts by the million are given in pieces: what is worked out takes some 20 bytes a byte."""
    return _words(_laid(texts))


def marks_and_words_of(texts: Texts) -> tuple[Marks, Words]:
    """Both, the texts laid out once."""
    laid = _laid(texts)
    return _marks(laid), _words(laid)


def _marks(laid: _Laid) -> Marks:
    letters, starts, ends = laid
    firsts = letters[ends]
    letters[ends] = 0  # which ends a word before it
    marks = letters[MARKED - 1 :] + np.uint8(1)
    for at in range(MARKED - 2, 0, -1):  # c0 * (1 + c1 * (1 + c2 * (1 + c3))): what follows a zero counts for nothing
        marks *= letters[at : at - MARKED + 1]
        marks += np.uint8(1)
    letters[ends] = firsts
    marks *= letters[: 1 - MARKED]
    return Marks(marks.take(starts), starts, ends)


def _words(laid: _Laid) -> Words:
    letters, starts, ends = laid
    scales, inverses = _powers(max(2 * BYTES, 1 << len(letters).bit_length()))
    sums = np.zeros(len(letters) + 1, dtype=np.uint64)
    np.cumsum(np.multiply(letters, scales[: len(letters)], dtype=np.uint64), out=sums[1:])
    return Words(np.diff(sums.take(np.append(starts, len(letters)))) * inverses.take(starts), np.searchsorted(starts, ends))


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


def _laid(texts: Texts) -> _Laid:
    told = b"".join((texts.data, bytes(MARKED)))
    data = np.frombuffer(told, dtype=np.uint8)
    beyond = data[:0].astype(np.int64) if told.isascii() else beyond_ascii(data)
    few = data[beyond]
    if len(capitals(few)):
        return _laid(lower_beyond_ascii(texts, lowered))
    letters = data | np.uint8(0x20)  # lower case of what is a letter of ASCII, and of digits themselves
    inside = letters - np.uint8(ord("a")) < np.uint8(26)
    inside |= data - np.uint8(ord("0")) < np.uint8(10)
    inside |= data == np.uint8(ord("_"))
    letters[beyond] = few
    of_words = np.zeros(len(few), dtype=np.bool_)
    mark_beyond_ascii(few, of_words)
    inside[beyond] = of_words
    letters *= inside
    starts = np.empty_like(inside)
    starts[0] = inside[0]
    np.greater(inside[1:], inside[:-1], out=starts[1:])
    starts[texts.ends] = inside[texts.ends]
    return _Laid(letters, np.flatnonzero(starts), texts.ends)


@lru_cache(maxsize=2)
def _powers(count: int) -> tuple[UInt64s, UInt64s]:
    """_SCALE times the powers of _BASE, and the powers of its inverse, modulo 2**64, from 0 to `count` - 1."""
    scales, inverses = (np.full(count, base, dtype=np.uint64) for base in (_BASE, pow(_BASE, -1, 1 << 64)))
    scales[0], inverses[0] = _SCALE, 1
    return np.cumprod(scales), np.cumprod(inverses)
