"""Laws of looking for stretches of bytes: none is missed, wherever it stands, and what is found has the same first and last bytes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gland_assets.core.stretches import TIERS, Stretches
from gland_assets.core.texts import UInt8s

text = st.text("ab", max_size=30).map(str.encode) | st.binary(max_size=80)
stretch = st.text("ab", min_size=1, max_size=20).map(str.encode) | st.binary(min_size=1, max_size=90)


def run_of(data: bytes) -> UInt8s:
    return np.frombuffer(data, dtype=np.uint8)


def made(stretches: list[bytes], before: bytes = b"") -> Stretches:
    """Of stretches one after another, `before` before the first."""
    ends = np.cumsum([len(before), *map(len, stretches)])
    return Stretches(run_of(before + b"".join(stretches)), ends[:-1], ends[1:])


def found(stretches: Stretches, run: bytes) -> set[tuple[int, int]]:
    begins, numbers = stretches.find(run_of(run), np.ones(len(run), dtype=np.bool_))
    return set(zip(begins.tolist(), numbers.tolist(), strict=True))


@given(st.lists(stretch, min_size=1, max_size=12), st.lists(text, min_size=2, max_size=4), text, st.data())
def test_no_stretch_is_missed_and_what_is_found_begins_and_ends_alike(
    stretches: list[bytes], around: list[bytes], before: bytes, data: st.DataObject
) -> None:
    run = b"".join(each + data.draw(st.sampled_from(stretches)) for each in around[1:]) + around[0]
    known, hits = made(stretches, before), set()
    for at in range(len(run)):
        hits |= {(at, number) for number, each in enumerate(stretches) if run.startswith(each, at)}
    assert found(known, run) >= hits
    for at, number in found(known, run):
        each = stretches[number]
        least = next(tier.least for tier in TIERS if tier.least <= len(each))
        assert run.startswith(each[:least], at) and run[: at + len(each)].endswith(each[-min(8, least) :])


@pytest.mark.parametrize("size", range(1, 100))
def test_a_stretch_is_found_at_every_place(size: int) -> None:
    rng = np.random.default_rng(size)
    one = rng.bytes(size)
    for place in range(17):
        known = made([rng.bytes(40), one], before=rng.bytes(place))
        for begin in range(17):
            assert (begin, 1) in found(known, b"-" * begin + one)


def test_a_stretch_begins_only_where_it_may() -> None:
    run, open_at = run_of(b"the same, the same"), np.zeros(18, dtype=np.bool_)
    open_at[10] = True
    assert [set(each.tolist()) for each in made([b"the same"]).find(run, open_at)] == [{10}, {0}]


def test_stretches_of_the_same_bytes_are_all_found() -> None:
    assert found(made([b"one and the same"] * 40), b"it is one and the same") == {(6, number) for number in range(40)}


def test_nothing_is_found_in_nothing_or_of_nothing() -> None:
    assert found(made([b"a" * size for size in (1, 5, 9, 20, 40)]), b"") == found(made([]), b"text") == set()
