"""Words and word n-grams of many texts as 64-bit hashes, in array operations over whole stretches of UTF-8.

A word's hash is a polynomial in its bytes, modulo 2**64: that of any stretch follows from sums up to its two ends. An n-gram's is a
polynomial in those of its words. Words are those of `core.decontamination`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gland_assets.core.decontamination import lowered
from gland_assets.core.shingling import Ints, UInt8s, code_points, mark_beyond_ascii

UInt64s = NDArray[np.uint64]

BYTES = 1 << 18
"""Of text taken at once: what is worked out of it then stays in the processor's cache."""

LAST_CAPITAL = 0x1E921
"""The last code point that lower case changes, in Unicode 14 to 16; a later one would go unnoticed, and a test says so."""

_BASE, _SCALE, _STEP = 0xD1342543DE82EF95, 0x9E3779B97F4A7C15, 0xAF251AF3B0F025B5  # odd, each with about half of its bits set
_LOWER = bytes(
    ord(chr(byte).lower()) if byte < 0x80 and (chr(byte).isalnum() or chr(byte) == "_") else byte & 0x80 and byte for byte in range(256)
)
"""Byte -> in lower case, where it is part of a word; 0 where it is none; beyond ASCII as it is."""


class Texts(NamedTuple):
    """Texts as one run of UTF-8: text t is `data[ends[t - 1]:ends[t]]`, the first from 0 on."""

    data: bytes | memoryview
    ends: Ints

    @classmethod
    def of(cls, texts: Sequence[str]) -> Texts:
        """Texts given one by one."""
        told = [text.encode("utf-8", "surrogatepass") for text in texts]
        return cls(b"".join(told), np.cumsum(np.fromiter(map(len, told), dtype=np.int64, count=len(told))))

    def text(self, number: int) -> str:
        """Text `number`."""
        return _told(self.data[int(self.ends[number - 1]) if number else 0 : int(self.ends[number])])

    def pieces(self, size: int = BYTES) -> Iterator[tuple[int, Texts]]:
        """All texts in pieces of about `size` bytes, each with the number of its first text."""
        first = begin = 0
        while first < len(self.ends):
            last = max(first + 1, int(np.searchsorted(self.ends, begin + size, side="right")))
            end = int(self.ends[last - 1])
            yield first, Texts(self.data[begin:end], self.ends[first:last] - begin)
            first, begin = last, end


def word_hashes(texts: Texts) -> tuple[UInt64s, Ints]:
    """Hashes of the words of all texts in order, and how many words the texts have up to the end of each.

    Texts by the million are given in pieces: what is worked out takes some 30 bytes a byte.
    """
    texts = _lower_beyond_ascii(texts)
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


def _lower_beyond_ascii(texts: Texts) -> Texts:
    """Texts that hold a capital beyond ASCII in lower case, the others as they are."""
    data = np.frombuffer(texts.data, dtype=np.uint8)
    beyond = np.flatnonzero(data >= 0x80)
    if not len(beyond):
        return texts
    leading = beyond[data[beyond] >= 0xC0]  # the first byte of each character
    capitals = leading[_capitals().take(code_points(data[beyond]), mode="clip")]
    if not len(capitals):
        return texts
    sizes = np.diff(texts.ends, prepend=0)
    parts, done = [], 0
    for number in sorted(set(np.searchsorted(texts.ends, capitals, side="right").tolist())):
        end = int(texts.ends[number])
        begin = end - int(sizes[number])
        lower = lowered(_told(texts.data[begin:end])).encode("utf-8", "surrogatepass")
        parts += [texts.data[done:begin], lower]
        sizes[number], done = len(lower), end
    return Texts(b"".join([*parts, texts.data[done:]]), np.cumsum(sizes))


@cache
def _capitals() -> NDArray[np.bool_]:
    """By code point, up to the last of which that is so, and False at the end: whether lower case makes another character of it."""
    return np.array([(character := chr(point)).lower() != character for point in range(LAST_CAPITAL + 2)])


def _told(data: bytes | memoryview) -> str:
    return bytes(data).decode("utf-8", "surrogatepass")


@lru_cache(maxsize=2)
def _powers(count: int) -> tuple[UInt64s, UInt64s]:
    """_SCALE times the powers of _BASE, and the powers of its inverse, modulo 2**64, from 0 to `count` - 1."""
    scales, inverses = (np.full(count, base, dtype=np.uint64) for base in (_BASE, pow(_BASE, -1, 1 << 64)))
    scales[0], inverses[0] = _SCALE, 1
    return np.cumprod(scales), np.cumprod(inverses)
