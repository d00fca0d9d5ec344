"""Laws of finding what is shared: keys that stand twice or are sought, however they are cut."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gland_assets.core import shares as module
from gland_assets.core.shares import BAND, REFERENCE_TEXT, TEXT, Places, Shares, Sought, shared

KEYS = st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 20) | st.integers(0, 20).map(lambda low: 5 << 32 | low), max_size=40)


def cut(patch: pytest.MonkeyPatch, chunk: int) -> None:
    """Have few keys handled as many are."""
    patch.setattr(module, "CHUNK", chunk)


@settings(max_examples=60, deadline=None)
@given(KEYS, st.integers(1, 9))
def test_keys_that_stand_twice_are_found_in_order_of_key(keys: list[int], chunk: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        cut(patch, chunk)
        found = shared(np.array(keys, dtype=np.uint64)).tolist()
    counted = Counter(keys)
    assert sorted(found) == [at for at, key in enumerate(keys) if counted[key] > 1]
    assert [keys[at] for at in found] == sorted(keys[at] for at in found)


@settings(max_examples=60, deadline=None)
@given(KEYS, KEYS, st.integers(1, 9))
def test_the_keys_sought_are_found_and_no_others(keys: list[int], sought: list[int], chunk: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        cut(patch, chunk)
        found = Sought(np.array(sought + keys[:3], dtype=np.uint64)).among(np.array(keys, dtype=np.uint64)).tolist()
    assert found == [at for at, key in enumerate(keys) if key in {*sought, *keys[:3]}]


def test_many_keys_are_found_as_few_are() -> None:
    rng = np.random.default_rng(3)
    keys = rng.integers(0, 2**64, 600_000, dtype=np.uint64)
    keys[500_000:500_300] = keys[:300]
    assert sorted(shared(keys).tolist()) == [*range(300), *range(500_000, 500_300)]
    assert Sought(keys[:300]).among(keys).tolist() == [*range(300), *range(500_000, 500_300)]


def test_buckets_are_told_by_kind_and_their_members_by_row() -> None:
    kinds, keys, rows = [TEXT, BAND, BAND, REFERENCE_TEXT, TEXT, REFERENCE_TEXT], [7, 7, 7, 7, 7, 7], [2, 2, 0, 1, 1, 2]
    shares = Shares(Places(np.array(kinds, dtype=np.uint8), np.array(keys, dtype=np.uint64), np.array(rows)), 3)
    assert shares.rows() == [0, 1, 2]
    assert [shares.now(row) for row in range(3)] == [[0], [1, 2], [0, 1, 2]]
    assert [shares.members(bucket) for bucket in range(3)] == [[0, 2], [1, 2], [1, 2]]
    assert [shares.of_texts(bucket) for bucket in range(3)] == [False, True, True]
    assert [shares.of_references(bucket) for bucket in range(3)] == [False, False, True]
