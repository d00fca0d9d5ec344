"""The word n-grams of many texts as hashes, in array operations over whole stretches of text.

A shingle's hash is MurmurHash3 x86 32 of its UTF-8 bytes, seed 0, unsigned. Texts are laid out as one run of bytes, words with one space
between them, so that every shingle is a stretch of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gland_assets.core.texts import Ints, UInt8s, UInt32s, beyond_ascii, code_points, decoded_points

LAST_LETTER = 0x3FFFF
r"""No code point after this one is matched by `\w`, as a test says; in Unicode 14 to 17 the last is 0x33479."""

_SPACE = ord(" ")
_TAILS = np.array([0, 0xFF, 0xFFFF, 0xFFFFFF], dtype=np.uint32)  # by the bytes left over after the last block of four


class Words(NamedTuple):
    """The words of texts, in order: word i is `run[starts[i]:ends[i]]`, one space follows it; text t has `counts[t]` of them."""

    run: UInt8s
    starts: Ints
    ends: Ints
    counts: Ints


def shingle_hashes(lowered: Sequence[bytes], ngram: int) -> tuple[UInt32s, Ints]:
    """Hashes of the shingles of texts, one text's after another's and repeats included, and how many each text has.

    `lowered` are the texts in lower case, in UTF-8. The shingles are those of `core.dedup.shingles`: the same words, one shingle for a text
    with fewer than `ngram`, none without a word.
    """
    words = _words(lowered)
    counts = np.where(words.counts, np.maximum(1, words.counts - ngram + 1), 0)
    skipped = (np.cumsum(words.counts) - words.counts) - (np.cumsum(counts) - counts)
    first = np.arange(counts.sum()) + np.repeat(skipped, counts)
    last = first + np.repeat(np.minimum(words.counts, ngram) - 1, counts)
    starts = words.starts[first]
    return _murmur(words.run, starts, words.ends[last] - starts), counts


def fmix32(values: UInt32s) -> UInt32s:
    """The finaliser of MurmurHash3, which scheme affine32 puts before its permutations once more."""
    mixed = (values ^ (values >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    mixed = (mixed ^ (mixed >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    return mixed ^ (mixed >> np.uint32(16))


def _words(lowered: Sequence[bytes]) -> Words:
    joined = b"\n".join([*lowered, b""])
    data = np.frombuffer(joined, dtype=np.uint8)
    lengths = np.fromiter(map(len, lowered), dtype=np.int64, count=len(lowered)) + 1
    inside = np.frombuffer(bytearray(joined.translate(_word_characters()[:256].tobytes())), dtype=np.bool_)
    mark_beyond_ascii(data, inside)
    edges = np.flatnonzero(np.diff(inside, prepend=False))
    starts, ends = edges[::2], edges[1::2]  # a line break ends the last word
    counts = np.diff(np.searchsorted(starts, np.cumsum(lengths)), prepend=0)
    inside[ends] = True  # of what stands between two words, one byte is kept
    run = data[inside]
    stops = np.cumsum(ends - starts + 1) - 1
    run[stops] = _SPACE
    return Words(run, stops - (ends - starts), stops, counts)


def mark_beyond_ascii(data: UInt8s, inside: NDArray[np.bool_]) -> None:
    """Say in `inside` which bytes beyond ASCII of the UTF-8 `data` are part of words: of characters that `\\w` matches, by code point."""
    beyond = beyond_ascii(data)
    if len(beyond):
        points = code_points(data[beyond])
        widths = 2 + (points >= 0x800).astype(np.int64) + (points >= 0x10000)
        inside[beyond] = np.repeat(_word_characters().take(points, mode="clip"), widths)


@cache
def _word_characters() -> NDArray[np.bool_]:
    """By code point up to LAST_LETTER, and False at the end: whether `\\w` matches it."""
    found = np.zeros(LAST_LETTER + 2, dtype=np.bool_)
    every = decoded_points(np.arange(LAST_LETTER + 1, dtype="<u4"))
    for run in re.finditer(r"\w+", every):
        found[slice(*run.span())] = True
    return found


def _murmur(run: UInt8s, starts: Ints, sizes: Ints) -> UInt32s:
    """MurmurHash3 x86 32 of stretches of `run`. Source: Austin Appleby's MurmurHash3.cpp, in the public domain."""
    padded = np.append(run, np.zeros(7, dtype=np.uint8))
    fours = np.ndarray(len(run) + 4, dtype="<u4", buffer=padded, strides=(1,)).astype(np.uint32)  # the four bytes from every place on
    scrambled = _scramble(fours)
    blocks = sizes >> 2
    order = np.argsort(-blocks.astype(np.int16) if blocks.max(initial=0) < 1 << 15 else -blocks, kind="stable")  # by radix, if it can be
    at, blocks, sizes = starts[order], blocks[order], sizes[order]
    hashes = np.zeros(len(order), dtype=np.uint32)
    for block, live in enumerate(np.searchsorted(-blocks, -np.arange(blocks.max(initial=0))).tolist()):  # the longest come first
        hashes[:live] = _rotate(hashes[:live] ^ scrambled[at[:live] + 4 * block], 13) * np.uint32(5) + np.uint32(0xE6546B64)
    hashes ^= _scramble(fours[at + 4 * blocks] & _TAILS[sizes & 3])
    found = np.empty_like(hashes)
    found[order] = fmix32(hashes ^ sizes.astype(np.uint32))
    return found


def _scramble(blocks: UInt32s) -> UInt32s:
    return _rotate(blocks * np.uint32(0xCC9E2D51), 15) * np.uint32(0x1B873593)


def _rotate(values: UInt32s, bits: int) -> UInt32s:
    return (values << np.uint32(bits)) | (values >> np.uint32(32 - bits))
