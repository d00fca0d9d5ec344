"""The audit finds exactly the pairs that comparing every two finds; rates and steps count everything once."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from gland_assets.core.audit import AUDITED, Alike, alike, histogram, outside, rates, sample
from gland_assets.core.dedup import jaccard, shingles
from gland_assets.core.project import Dedup

WORDS = st.lists(st.sampled_from(["what", "is", "the", "slope", "of", "a", "line", "数学"]), max_size=12).map(" ".join)


@settings(max_examples=60)
@given(st.lists(WORDS, max_size=12), st.integers(1, 3), st.sampled_from([0.2, 0.5, 0.7, 1.0]))
def test_an_audit_finds_what_comparing_every_two_finds(texts: list[str], ngram: int, threshold: float) -> None:
    dedup = replace(Dedup(), ngram=ngram, threshold=threshold)
    held = [(f"q{index:02}", text) for index, text in enumerate(texts)]
    compared = [
        Alike(one, other, found)
        for (one, text), (other, beside) in combinations(held, 2)
        if (found := jaccard(shingles(text, ngram), shingles(beside, ngram))) >= threshold
    ]
    assert sorted(alike(held[::-1], dedup), key=lambda pair: (pair.one, pair.other)) == compared


def test_whole_disciplines_are_drawn_by_the_seed_until_enough_is_held() -> None:
    kept = {f"d{index}": 300 for index in range(50)} | {"empty": 0}
    drawn = sample(kept, 7)
    assert drawn == sample(dict(reversed(kept.items())), 7) != sample(kept, 8)
    assert AUDITED <= 300 * len(drawn) < AUDITED + 300
    assert "empty" not in drawn
    assert sample({"a": 3, "b": 4}, 1) in (["a", "b"], ["b", "a"])  # all there is


def test_rates_tell_of_every_discipline_and_those_beyond_the_bounds() -> None:
    found = rates({"logic": 10, "music": 4, "new": 0}, ["music", "music", "music", "logic"])
    assert [(rate.discipline, rate.share) for rate in found] == [("music", 0.75), ("logic", 0.1), ("new", 0.0)]
    assert [rate.discipline for rate in outside(found, Dedup(rate=(0.0, 0.5)))] == ["music"]
    assert [rate.discipline for rate in outside(found, Dedup(rate=(0.2, 1.0)))] == ["logic"]
    assert not outside(found, Dedup(rate=(0.1, 0.75)))


@given(st.lists(st.floats(0.05, 1)))
def test_every_similarity_is_in_one_step(similarities: list[float]) -> None:
    steps = histogram(similarities)
    assert sum(steps.values()) == len(similarities)
    assert list(steps) == sorted(steps)
    assert steps.get(1.0, 0) == sum(similarity > 1 - 1e-9 for similarity in similarities)


def test_a_step_begins_where_it_says() -> None:
    assert histogram([0.7, 0.7499, 0.75, 0.15 + 0.6, 1.0]) == {0.7: 2, 0.75: 2, 1.0: 1}
