"""The sieve keeps all that is alike, whatever the widths of bitmaps, and of what is unlike nearly nothing."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gland_assets.core import bitmaps
from gland_assets.core.bitmaps import Bitmaps, Sieve
from gland_assets.core.dedup import jaccard, shingles, sign
from gland_assets.core.likeness import Likeness
from gland_assets.core.project import Dedup
from gland_assets.core.texts import Texts
from tests.duplicates import sieved


@settings(max_examples=150, deadline=None)
@given(
    st.randoms(use_true_random=False),
    st.sampled_from([0.3, 0.5, 0.7, 1.0]),
    st.integers(1, 3),
    st.sampled_from([(64, [2, 4, 8]), (64, [9, 9, 9]), (128, [0, 0, 0]), (1 << 9, [64, 128, 256])]),
    st.sampled_from([1, 5, 1 << 15]),
)
def test_the_sieve_lets_through_all_that_is_alike(
    rng: Random, threshold: float, ngram: int, bits: tuple[int, list[int]], pairs: int
) -> None:
    """However few bits there are, and with words that come again."""
    dedup = Dedup(threshold=threshold, ngram=ngram)
    texts = [" ".join(rng.choices("abcd", k=rng.randrange(1, 20))) for _ in range(12)] + ["?!"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bitmaps, "LEAST_BITS", bits[0])
        patch.setattr(bitmaps, "WIDER", np.array(bits[1]))
        patch.setattr(bitmaps, "PAIRS", pairs)
        sieve = sieved(texts, dedup)
        earlier, later = np.triu_indices(len(texts), 1)
        likeness = [jaccard(shingles(texts[one], ngram), shingles(texts[other], ngram)) for one, other in zip(earlier, later, strict=True)]
        alike = np.array(likeness) >= threshold
        assert sieve.passing(earlier, later)[alike].all()
        for one in range(len(texts)):
            first = next((at for at in range(one) if jaccard(shingles(texts[one], ngram), shingles(texts[at], ngram)) >= threshold), None)
            found = Likeness(texts.__getitem__, sieve, dedup).first(one, range(one))
            assert (found and found[0]) == first


def test_rows_are_joined_and_found_by_place() -> None:
    texts, dedup = ["one two three four five", "?!", "six seven", "one two three four five six"], Dedup(threshold=0.5, ngram=2)
    parts = [sign(Texts.of(some), dedup).bitmaps for some in (texts[:1], [], texts[1:])]
    whole = sign(Texts.of(texts), dedup).bitmaps
    joined = Bitmaps.joined(parts)
    assert joined.words.tolist() == whole.words.tolist() and joined.begins.tolist() == whole.begins.tolist()
    assert [divmod(int(joined.words[at]), 1 << 32) for at in joined.begins[:-1]] == [(8, 4), (8, 0), (8, 1), (8, 5)]
    turned = Sieve(whole, dedup, np.array([3, 2, 1, 0]))
    assert turned.among(0, np.array([1, 2, 3])).tolist() == [3]


def test_texts_of_very_different_lengths_are_told_apart_and_those_of_near_lengths_are_not() -> None:
    """Their bitmaps have different widths."""
    words = [f"word{n}" for n in range(320)]
    texts = [" ".join(words[:count]) for count in (40, 64, 66, 130, 200, 260, 320)]
    dedup = Dedup(threshold=0.7, ngram=1)
    sieve = sieved(texts, dedup)
    one, other = np.triu_indices(len(texts), 1)
    sizes = np.array([40, 64, 66, 130, 200, 260, 320])
    assert sieve.passing(one, other)[sizes[one] / sizes[other] >= 0.7].all()
    assert not sieve.passing(one, other)[sizes[one] / sizes[other] < 0.4].any()


def test_bitmaps_of_other_shingles_hold_nothing_back() -> None:
    texts = [" ".join(f"{word}{n}" for n in range(count)) for word in ("one", "other") for count in (30, 150, 320)]
    dedup = Dedup(ngram=2)
    one, other = np.triu_indices(len(texts), 1)
    mixed = Bitmaps.joined([sign(Texts.of(texts[:3]), Dedup()).bitmaps, sign(Texts.of(texts[3:]), dedup).bitmaps])
    passing = Sieve(mixed, dedup).passing(one, other)
    assert passing[one < 3].all() and not passing[one >= 3].any()
    for other_way in (Dedup(), Dedup(ngram=2, over="answers"), Dedup(ngram=2, over="both")):
        assert Sieve(sign(Texts.of(texts), other_way).bitmaps, dedup).passing(one, other).all()


def test_bitmaps_that_may_not_be_written_to_stay_as_they_are() -> None:
    """As those are that lie in Arrow's memory, and one alone as well."""
    words, begins = sign(Texts.of(["one two three four"]), Dedup()).bitmaps
    words.flags.writeable = False
    assert Sieve(Bitmaps(words, begins), Dedup(ngram=1)).among(0, np.array([0])).tolist() == [0]


def test_what_is_alike_to_the_threshold_itself_is_found() -> None:
    """51 of 75 words are 0.68, and 0.68 times 75 is a little more than 51 in floating point."""
    words = [f"word{n}" for n in range(75)]
    texts, dedup = [" ".join(words), " ".join(words[:51])], Dedup(threshold=0.68, ngram=1)
    sieve = sieved(texts, dedup)
    assert Likeness(texts.__getitem__, sieve, dedup).first(1, [0]) == (0, 0.68)
    assert sieve.among(1, np.array([0])).tolist() == [0]


def test_few_of_many_unlike_pairs_pass_the_sieve() -> None:
    rng = Random(4)
    texts = [" ".join(rng.choices([f"word{n}" for n in range(60)], k=50)) for _ in range(200)]
    one, other = np.triu_indices(len(texts), 1)
    assert sieved(texts, Dedup()).passing(one, other).mean() < 0.01
