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


SPACE = 0
"""What stands between two words."""


class Run(NamedTuple):
    """The words of texts as one run of bytes, in lower case and SPACE after each that something follows in its text, however much."""

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
        piece = _lower_beyond_ascii(piece)
        part, kept, _ = _squeezed(piece)
        parts.append(part)
        ends.append(_bytes_upto(kept, piece.ends) + before)
        before += len(part)
    return Run(np.concatenate(parts), np.concatenate(ends))


def words_of(texts: Texts) -> Words:
    """The words of all texts in order. Texts by the million are given in pieces: what is worked out takes some 30 bytes a byte."""
    texts = _lower_beyond_ascii(texts)
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
    beyond = _beyond_ascii(data)
    marked = np.zeros(len(beyond), dtype=np.bool_)
    mark_beyond_ascii(data[beyond], marked)
    inside[beyond] = marked
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


def _lower_beyond_ascii(texts: Texts) -> Texts:
    """Texts that hold a capital beyond ASCII in lower case, the others as they are."""
    data = np.frombuffer(texts.data, dtype=np.uint8)
    beyond = _beyond_ascii(data)
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


def _beyond_ascii(data: UInt8s) -> Ints:
    """Where bytes beyond ASCII stand: few as a rule, so eight bytes are looked at as one."""
    eights = np.zeros(len(data) + 7 >> 3, dtype="<u8")
    eights.view(np.uint8)[: len(data)] = data
    eights &= np.uint64(0x8080808080808080)
    found = (np.flatnonzero(eights != 0)[:, None] * 8 + np.arange(8)).ravel()
    found = found[found < len(data)]
    places: Ints = found[data[found] >= 0x80]
    return places


@cache
def _capitals() -> NDArray[np.bool_]:
    """By code point, up to the last of which that is so, and False at the end: whether lower case makes another character of it."""
    every = np.arange(LAST_CAPITAL + 2, dtype="<u4")
    told = every.tobytes().decode("utf-32-le", "surrogatepass")
    changed: NDArray[np.bool_] = np.frombuffer(lowered(told).encode("utf-32-le", "surrogatepass"), dtype="<u4") != every
    return changed


def _told(data: bytes | memoryview) -> str:
    return bytes(data).decode("utf-8", "surrogatepass")


@lru_cache(maxsize=2)
def _powers(count: int) -> tuple[UInt64s, UInt64s]:
    """_SCALE times the powers of _BASE, and the powers of its inverse, modulo 2**64, from 0 to `count` - 1."""
    scales, inverses = (np.full(count, base, dtype=np.uint64) for base in (_BASE, pow(_BASE, -1, 1 << 64)))
    scales[0], inverses[0] = _SCALE, 1
    return np.cumprod(scales), np.cumprod(inverses)
