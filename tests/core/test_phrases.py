"""Laws of looking for phrases by a byte of each word: none is missed, wherever it stands, and what is found begins with the same bytes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gland_assets.core.phrases import LONGEST, Phrases
from gland_assets.core.texts import UInt8s

text = st.text("ab", max_size=30).map(str.encode) | st.binary(max_size=80)
phrase = st.text("ab", min_size=1, max_size=12).map(str.encode) | st.binary(min_size=1, max_size=20)


def marks_of(data: bytes) -> UInt8s:
    return np.frombuffer(data, dtype=np.uint8)


def made(phrases: list[bytes], before: bytes = b"") -> Phrases:
    """Of phrases one after another, `before` before the first."""
    ends = np.cumsum([len(before), *map(len, phrases)])
    return Phrases(marks_of(before + b"".join(phrases)), ends[:-1], np.diff(ends))


def found(phrases: Phrases, words: bytes) -> set[tuple[int, int]]:
    firsts, numbers = phrases.find(marks_of(words))
    return set(zip(firsts.tolist(), numbers.tolist(), strict=True))


@given(st.lists(phrase, min_size=1, max_size=12), st.lists(text, min_size=2, max_size=4), text, st.data())
def test_just_the_phrases_that_begin_alike_are_found(phrases: list[bytes], around: list[bytes], before: bytes, data: st.DataObject) -> None:
    words = b"".join(each + data.draw(st.sampled_from(phrases)) for each in around[1:]) + around[0]
    whole = words + bytes(LONGEST)  # beyond the last word stands what no text holds in its place
    wanted = {(at, number) for at in range(len(words)) for number, each in enumerate(phrases) if whole.startswith(each[:LONGEST], at)}
    assert found(made(phrases, before), words) == wanted


@pytest.mark.parametrize("size", range(1, 20))
def test_a_phrase_is_found_at_every_place(size: int) -> None:
    rng = np.random.default_rng(size)
    one = rng.bytes(size)
    for place in range(9):
        known = made([rng.bytes(40), one], before=rng.bytes(place))
        for first in range(9):
            assert (first, 1) in found(known, b"-" * first + one)


def test_phrases_of_the_same_bytes_are_all_found() -> None:
    assert found(made([b"the same"] * 40), b"it is the same") == {(6, number) for number in range(40)}


def test_a_million_phrases_are_told_apart() -> None:
    rng = np.random.default_rng(1)
    marks = rng.integers(1, 256, 1 << 20, dtype=np.uint8)
    known = Phrases(marks, np.arange(0, 1 << 20, 3)[:-2], np.full((1 << 20) // 3 - 1, LONGEST))
    firsts, numbers = known.find(marks[1:300_000])
    assert np.sort(firsts).tolist() == list(range(2, 300_000 - 1 - LONGEST + 1, 3)) and (numbers * 3 == firsts + 1).all()


def test_nothing_is_found_in_nothing_or_of_nothing() -> None:
    assert found(made([b"a" * size for size in (1, 5, 9, 20, 40)]), b"") == found(made([]), b"text") == set()
