"""Laws of finding what is shared: keys that stand twice or are sought, however they are cut; and that the sieve keeps all that is alike."""

from __future__ import annotations

from collections import Counter
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gland_assets.core import likeness
from gland_assets.core import shares as module
from gland_assets.core.likeness import Likeness, Sieved
from gland_assets.core.project import Dedup
from gland_assets.core.shares import BAND, REFERENCE_TEXT, TEXT, Places, Shares, Sought, shared
from gland_assets.core.texts import Texts

KEYS = st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 20) | st.integers(0, 20).map(lambda low: 5 << 32 | low), max_size=40)


def cut(patch: pytest.MonkeyPatch, chunk: int) -> None:
    """Have few keys handled as many are."""
    patch.setattr(module, "FEW", 0)
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
    assert list(shares.crowded(1)) == [(0, [0]), (1, [1, 2]), (2, [0, 1, 2])]
    assert list(shares.crowded(2)) == [(1, [1, 2]), (2, [1, 2])]
    assert [(one.tolist(), other.tolist()) for one, other in shares.pairs(2)] == [([0], [2])]
    assert list(shares.pairs(1)) == []
    assert [shares.members(bucket) for bucket in range(3)] == [[0, 2], [1, 2], [1, 2]]
    assert [shares.of_texts(bucket) for bucket in range(3)] == [False, True, True]
    assert [shares.of_references(bucket) for bucket in range(3)] == [False, False, True]


@settings(max_examples=150, deadline=None)
@given(
    st.randoms(use_true_random=False),
    st.sampled_from([0.3, 0.5, 0.7, 1.0]),
    st.integers(1, 3),
    st.sampled_from([64, 128, 1 << 12]),
    st.sampled_from([1, 5, 1 << 15]),
)
def test_the_sieve_lets_through_all_that_is_alike(rng: Random, threshold: float, ngram: int, bits: int, pairs: int) -> None:
    """However few bits there are, and with words that come again."""
    dedup = Dedup(threshold=threshold, ngram=ngram)
    texts = [" ".join(rng.choices("abcd", k=rng.randrange(1, 14))) for _ in range(12)] + ["?!"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(likeness, "LEAST_BITS", bits)
        patch.setattr(likeness, "MOST_BITS", bits)
        patch.setattr(likeness, "PAIRS", pairs)
        sieved, plain = Sieved(Texts.of(texts), dedup), Likeness(texts.__getitem__, dedup)
        for one in range(len(texts)):
            assert sieved.first(one, sieved.among(one, np.arange(one))) == plain.first(one, range(one))
        earlier, later = np.triu_indices(len(texts), 1)
        alike = [plain.first(*pair) is not None for pair in zip(later.tolist(), earlier[:, None].tolist(), strict=True)]
        assert sieved.passing(earlier, later)[alike].all()


def test_what_is_alike_to_the_threshold_itself_is_found() -> None:
    """51 of 75 words are 0.68, and 0.68 times 75 is a little more than 51 in floating point."""
    words = [f"word{n}" for n in range(75)]
    texts, dedup = [" ".join(words), " ".join(words[:51])], Dedup(threshold=0.68, ngram=1)
    assert Likeness(texts.__getitem__, dedup).first(1, [0]) == (0, 0.68)
    assert Sieved(Texts.of(texts), dedup).among(1, np.array([0])) == {0}


def test_few_of_many_unlike_pairs_pass_the_sieve() -> None:
    rng = Random(4)
    texts = [" ".join(rng.choices([f"word{n}" for n in range(60)], k=50)) for _ in range(200)]
    one, other = np.triu_indices(len(texts), 1)
    assert Sieved(Texts.of(texts), Dedup()).passing(one, other).mean() < 0.01
