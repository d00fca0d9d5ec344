"""Laws of sampling: which concepts a question is asked from, and how questions are dealt to subjects."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gland_assets.core.instructions import dealt_samples
from gland_assets.core.records import KeyConcept, Session, Subject, Syllabus
from gland_assets.core.sampling import ONE_SESSION, TWO_SESSIONS, deal, draw_samples, usable


@st.composite
def syllabi(draw: st.DrawFn, subject: str | None = None, least_concepts: int = 0) -> Syllabus:
    """A syllabus of 1 to 6 sessions with 0 to 7 concepts each, at least one of them in all."""
    name = subject or draw(st.text("abcdef", min_size=4, max_size=8))
    sizes = draw(st.lists(st.integers(least_concepts, 7), min_size=1, max_size=6).filter(any))
    sessions = tuple(
        Session(f"{name}-s{i}", i, f"Session {i}", "", tuple(KeyConcept(f"{name}-s{i}-c{j}", j, f"concept {i} {j}") for j in range(size)))
        for i, size in enumerate(sizes)
    )
    return Syllabus(f"{name}-syllabus", name, "logic", "", len(sessions), None, sessions)


def subject(name: str) -> Subject:
    return Subject(name, "logic", name, "beginner", (), 1, None)


seeds = st.integers(0, 2**31 - 1)


@given(syllabi(), st.integers(0, 40), seeds)
def test_every_sample_keeps_the_rule_of_its_strategy(syllabus: Syllabus, count: int, seed: int) -> None:
    for index, sample in enumerate(draw_samples(syllabus, count, seed)):
        homes = {session.session_id for _, session in sample.concepts}
        assert sample.index == index
        assert len(set(sample.concept_ids)) == len(sample.concept_ids) <= 5
        assert all(concept in session.concepts for concept, session in sample.concepts)
        assert homes == {session.session_id for session in sample.sessions}
        assert len(homes) == {ONE_SESSION: 1, TWO_SESSIONS: 2}[sample.strategy]
        assert len(sample.concepts) >= len(homes)
        assert [s.position for s in sample.sessions] == sorted(s.position for s in sample.sessions)


@given(syllabi(), st.integers(0, 20), st.integers(0, 20), seeds)
def test_asking_for_more_moves_no_earlier_sample(syllabus: Syllabus, count: int, more: int, seed: int) -> None:
    assert draw_samples(syllabus, count + more, seed)[:count] == draw_samples(syllabus, count, seed)


@given(syllabi(), seeds)
def test_samples_are_fresh_while_the_syllabus_has_combinations_left(syllabus: Syllabus, seed: int) -> None:
    concepts = sum(len(session.concepts) for session in syllabus.sessions)
    drawn = draw_samples(syllabus, min(concepts, 3), seed)
    if concepts >= 6:
        assert len({sample.concept_ids for sample in drawn}) == len(drawn)
    assert len({sample.question_id("logic") for sample in drawn}) == len(drawn)


@given(st.integers(0, 50), st.integers(0, 500))
def test_dealing_is_even_and_complete(subjects: int, pairs: int) -> None:
    dealt = deal(subjects, pairs)
    assert sum(dealt) == (pairs if subjects else 0)
    assert not dealt or max(dealt) - min(dealt) <= 1
    assert dealt == sorted(dealt, reverse=True)


@given(st.integers(1, 50), st.integers(0, 300), st.integers(0, 300))
def test_raising_pairs_takes_nothing_away(subjects: int, pairs: int, more: int) -> None:
    assert all(a <= b for a, b in zip(deal(subjects, pairs), deal(subjects, pairs + more), strict=True))


@given(st.data(), st.integers(1, 30), seeds)
def test_adding_a_subject_moves_no_other_sample(data: st.DataObject, pairs: int, seed: int) -> None:
    names = data.draw(st.lists(st.text("abcdef", min_size=4, max_size=8), min_size=2, max_size=5, unique=True))
    taught = {name: data.draw(syllabi(name)) for name in names}
    added = data.draw(st.sampled_from(names))

    def by_subject(present: list[str]) -> dict[str, list[object]]:
        found: dict[str, list[object]] = {name: [] for name in present}
        for one, _, sample in dealt_samples([subject(n) for n in present], [taught[n] for n in present], pairs, seed):
            found[one.subject_id].append(sample)
        return found

    before, after = by_subject([name for name in names if name != added]), by_subject(names)
    for name, samples in before.items():
        shared = min(len(samples), len(after[name]))
        assert samples[:shared] == after[name][:shared]


@given(syllabi(), seeds)
def test_another_seed_gives_other_samples_of_the_same_syllabus(syllabus: Syllabus, seed: int) -> None:
    concepts = sum(len(session.concepts) for session in syllabus.sessions)
    first, second = draw_samples(syllabus, 20, seed), draw_samples(syllabus, 20, seed + 1)
    if concepts >= 10:
        assert [sample.concept_ids for sample in first] != [sample.concept_ids for sample in second]


def test_a_syllabus_without_concepts_is_not_usable_and_is_dealt_nothing() -> None:
    bare = Syllabus("bare-syllabus", "bare", "logic", "", 1, None, (Session("s", 0, "Opening", "", ()),))
    assert not usable(bare)
    with pytest.raises(ValueError, match="no key concept"):
        draw_samples(bare, 1, 0)
    full = replace(bare, syllabus_id="full", subject_id="full", sessions=(Session("t", 0, "Opening", "", (KeyConcept("c", 0, "proof"),)),))
    dealt = list(dealt_samples([subject("bare"), subject("full")], [bare, full], 3, 0))
    assert [one.subject_id for one, _, _ in dealt] == ["full"] * 3


def test_the_samples_of_a_seed_are_these_on_every_machine_and_version_of_python() -> None:
    sessions = tuple(
        Session(f"s{i}", i, f"Session {i}", "", tuple(KeyConcept(f"s{i}c{j}", j, f"concept {i}{j}") for j in range(4))) for i in range(3)
    )
    syllabus = Syllabus("syllabus", "subject", "logic", "", 3, None, sessions)
    assert [sample.concept_ids for sample in draw_samples(syllabus, 3, 7)] == PINNED


PINNED = [("s0c1",), ("s1c0", "s1c1", "s2c0", "s2c1", "s2c3"), ("s0c3", "s2c3")]
