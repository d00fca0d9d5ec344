"""Laws of looking for phrases: none is missed, wherever it stands, little else is suspected, and hashes tell just which they are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gland_assets.core.phrases import LONGEST, Hashes, Phrases
from gland_assets.core.texts import UInt8s

text = st.text("ab", max_size=30).map(str.encode) | st.binary(max_size=80)
phrase = st.text("ab", min_size=1, max_size=12).map(str.encode) | st.binary(min_size=1, max_size=20)

hashes = st.sampled_from([0, 1, 1 << 63, (1 << 64) - 1]) | st.integers(0, (1 << 64) - 1)


def marks_of(data: bytes) -> UInt8s:
    return np.frombuffer(data, dtype=np.uint8)


def made(phrases: list[bytes], before: bytes = b"") -> Phrases:
    """Of phrases one after another, `before` before the first."""
    ends = np.cumsum([len(before), *map(len, phrases)])
    return Phrases(marks_of(before + b"".join(phrases)), ends[:-1], np.diff(ends))


def suspected(phrases: Phrases, words: bytes) -> set[int]:
    return set(phrases.suspected(marks_of(words)).tolist())


@given(st.lists(phrase, min_size=1, max_size=12), st.lists(text, min_size=2, max_size=4), text, st.data())
def test_no_phrase_is_missed(phrases: list[bytes], around: list[bytes], before: bytes, data: st.DataObject) -> None:
    words = b"".join(each + data.draw(st.sampled_from(phrases)) for each in around[1:]) + around[0]
    assert suspected(made(phrases, before), words) >= {at for at in range(len(words)) if words.startswith(tuple(phrases), at)}


@pytest.mark.parametrize("size", range(1, 20))
def test_a_phrase_is_found_at_every_place(size: int) -> None:
    rng = np.random.default_rng(size)
    one = rng.bytes(size)
    for place in range(9):
        known = made([rng.bytes(40), one], before=rng.bytes(place))
        for first in range(9):
            assert first in suspected(known, b"-" * first + one)


def test_a_million_phrases_are_told_from_nearly_all_that_are_none() -> None:
    rng = np.random.default_rng(1)
    marks = rng.integers(0, 256, 1 << 20, dtype=np.uint8)
    known = Phrases(marks, np.arange(len(marks) - LONGEST), np.full(len(marks) - LONGEST, LONGEST))
    others = rng.integers(0, 256, 1 << 18, dtype=np.uint8)
    assert len(known.suspected(others)) < len(others) / 1000
    found = known.suspected(np.concatenate([others, marks[5000:25000]]))
    assert {*range(len(others), len(others) + 20000 - LONGEST + 1)} <= set(found.tolist())


def test_nothing_is_found_in_nothing_or_of_nothing() -> None:
    assert suspected(made([b"a" * size for size in (1, 5, 9, 20, 40)]), b"") == suspected(made([]), b"text") == set()


@given(st.lists(hashes, max_size=30), st.lists(hashes, max_size=30))
def test_just_the_hashes_that_are_known_are_found_once_for_each(known: list[int], looked_for: list[int]) -> None:
    places, numbers = Hashes(np.array(known, dtype=np.uint64)).find(np.array(looked_for, dtype=np.uint64))
    assert sorted(zip(places.tolist(), numbers.tolist(), strict=True)) == [
        (place, number) for place, one in enumerate(looked_for) for number, other in enumerate(known) if one == other
    ]
