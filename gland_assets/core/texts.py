"""Texts as one run of UTF-8, as Arrow holds a column of them: millions go through array operations without an object for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

UInt8s = NDArray[np.uint8]
UInt32s = NDArray[np.uint32]
UInt64s = NDArray[np.uint64]
Ints = NDArray[np.int64]

Keys = NDArray[np.unsignedinteger[Any]]
Whole = TypeVar("Whole", bound=np.integer[Any])

BYTES = 1 << 18
"""Of text taken at once: what is worked out of it then stays in the processor's cache."""

LAST_CAPITAL = 0x1E921
"""The last code point that lower case changes, in Unicode 14 to 16; a later one would go unnoticed, and a test says so."""


class Texts(NamedTuple):
    """Texts as one run of UTF-8: text t is `data[ends[t - 1]:ends[t]]`, the first from 0 on."""

    data: bytes | memoryview
    ends: Ints

    @classmethod
    def of(cls, texts: Sequence[str]) -> Texts:
        """Texts given one by one."""
        return cls.joined([encoded(text) for text in texts])

    @classmethod
    def joined(cls, parts: Sequence[bytes | memoryview]) -> Texts:
        """Texts given one by one in UTF-8."""
        return cls(b"".join(parts), np.cumsum(np.fromiter(map(len, parts), dtype=np.int64, count=len(parts))))

    def text(self, number: int) -> str:
        """Text `number`."""
        return decoded(self.part(number))

    def part(self, number: int) -> bytes | memoryview:
        """Text `number` in UTF-8."""
        return self.data[int(self.ends[number - 1]) if number else 0 : int(self.ends[number])]

    def some(self, numbers: Sequence[int]) -> Texts:
        """Some of them, by number."""
        return Texts.joined([self.part(number) for number in numbers])

    def parts(self) -> list[bytes]:
        """The texts one by one."""
        data, ends = bytes(self.data), self.ends.tolist()
        return [data[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]

    def pieces(self, size: int = BYTES) -> Iterator[tuple[int, Texts]]:
        """All texts in pieces of about `size` bytes, each with the number of its first text."""
        first = begin = 0
        while first < len(self.ends):
            last = max(first + 1, int(np.searchsorted(self.ends, begin + size, side="right")))
            end = int(self.ends[last - 1])
            yield first, Texts(self.data[begin:end], self.ends[first:last] - begin)
            first, begin = last, end

    def of_bytes(self, at: Ints) -> list[int]:
        """The texts, by number and in order, in which the bytes `at` stand."""
        return sorted(set(np.searchsorted(self.ends, at, side="right").tolist()))

    def mended(self, numbers: Sequence[int], mend: Callable[[str], str]) -> Texts:
        """The same with what `mend` makes of each of these, which are in order."""
        if not numbers:
            return self
        parts = self.parts()
        for number in numbers:
            parts[number] = encoded(mend(decoded(parts[number])))
        return Texts.joined(parts)


def lowered(text: str) -> str:
    """`text` in lower case, character by character: each stands where it stood."""
    return text.replace("\u0130", "i").lower()  # the only character that becomes two


def lower_beyond_ascii(texts: Texts, lower: Callable[[str], str]) -> Texts:
    """Texts that hold a capital beyond ASCII in lower case, the others as they are."""
    return texts.mended(texts.of_bytes(capitals(np.frombuffer(texts.data, dtype=np.uint8))), lower)


def capitals(data: UInt8s) -> Ints:
    """Where the characters of UTF-8 beyond ASCII begin that lower case changes."""
    return first_bytes(data, _capitals)


def first_bytes(data: UInt8s, wanted: Callable[[], NDArray[np.bool_]]) -> Ints:
    """Where the characters beyond ASCII begin of which `wanted` says so, by code point; its last value stands for all that follow."""
    beyond = beyond_ascii(data)
    if not len(beyond):
        return beyond
    leading = beyond[data[beyond] >= 0xC0]
    return leading[wanted().take(code_points(data[beyond]), mode="clip")]


@cache
def keep_memory() -> None:
    """Have the C library keep freed memory: once it has freed a large block, glibc gives back less than twice as much no more.

    Stretch after stretch would otherwise ask the system for the same pages.
    """
    np.empty(31 << 20, dtype=np.uint8)  # of 32 MiB and above it takes no notice


def beyond_ascii(data: UInt8s) -> Ints:
    """Where bytes beyond ASCII stand."""
    return np.flatnonzero(data >= np.uint8(0x80))


def code_points(data: UInt8s) -> UInt32s:
    """The characters of UTF-8, half surrogates and all."""
    return np.frombuffer(decoded(data.tobytes()).encode("utf-32-le", "surrogatepass"), dtype="<u4")


def decoded_points(points: UInt32s) -> str:
    """The characters of these code points, half surrogates and all."""
    return points.tobytes().decode("utf-32-le", "surrogatepass")


def distinct(values: NDArray[Whole]) -> NDArray[Whole]:
    """The different ones of these, in order: `np.unique`, which from NumPy 2.3 on hashes where it need not sort, in ten times the time."""
    told = np.sort(values)
    return told[np.concatenate([[True], told[1:] != told[:-1]])] if len(told) else told


def encoded(text: str) -> bytes:
    """In UTF-8, half surrogates and all: no text of a model's is refused."""
    return text.encode("utf-8", "surrogatepass")


def decoded(data: bytes | memoryview) -> str:
    """From UTF-8, half surrogates and all."""
    return bytes(data).decode("utf-8", "surrogatepass")


@cache
def _capitals() -> NDArray[np.bool_]:
    """By code point, up to the last of which that is so, and False at the end: whether lower case makes another character of it."""
    points = np.arange(LAST_CAPITAL + 2, dtype="<u4")
    lower = lowered(decoded_points(points)).encode("utf-32-le", "surrogatepass")
    changed: NDArray[np.bool_] = points != np.frombuffer(lower, dtype="<u4")
    return changed
