"""`gland show`: a row with its ancestry, a curriculum, pairs to read."""

from __future__ import annotations

from pathlib import Path

import pytest

from gland_assets.core.project import LOCAL_MODEL
from tests import rows
from tests.cli.running import declare, from_local, gland, store

LOGIC = rows.made("logic")


def test_a_question_shows_all_it_comes_from(made: Path) -> None:
    question, answer = LOGIC.questions[0], LOGIC.answers[0]
    subject = next(each for each in LOGIC.subjects if each.subject_id == question.subject_id)
    ran = gland(made, "show", question.question_id)
    assert ran.code == 0
    assert f"Formal sciences / Reasoning / Logic / {subject.name} ({subject.level})" in ran.out
    taught = {
        concept.concept_id: (session.title, concept.name)
        for each in LOGIC.syllabi
        for session in each.sessions
        for concept in session.concepts
    }
    for sampled in question.concepts:
        title, concept = taught[sampled.concept_id]
        assert title in ran.out and concept in ran.out
    assert question.text and question.text in ran.out and answer.text and answer.text in ran.out
    assert rows.MODEL in ran.out and "questions.one_session.txt" in ran.out and "30 tokens" in ran.out and "$0.0010" in ran.out
    assert question.question_id in ran.out and answer.answer_id in ran.out and "kept" in ran.out


def test_an_answer_s_id_shows_its_pair(made: Path) -> None:
    assert gland(made, "show", LOGIC.answers[2].answer_id).out == gland(made, "show", LOGIC.questions[2].question_id).out


def test_a_dropped_question_names_the_kept_one(made: Path) -> None:
    ran = gland(made, "show", LOGIC.questions[1].question_id)
    assert f"nearly the same as {LOGIC.questions[0].question_id} (Jaccard 0.83)" in ran.out


def test_a_failed_answer_says_why(made: Path) -> None:
    by_question = gland(made, "show", LOGIC.questions[3].question_id).out
    assert "failed: refused: said no" in by_question
    assert gland(made, "show", LOGIC.answers[3].answer_id).out == by_question


def test_a_failed_question_says_why(tmp_path: Path) -> None:
    failed = rows.with_question(LOGIC, 0, text=None, tokens=None, failure=rows.failure("questions", LOGIC.questions[0].question_id))
    folder = declare(tmp_path)
    store(folder, failed)
    assert "failed: refused: said no" in gland(folder, "show", LOGIC.questions[0].question_id).out


@pytest.mark.parametrize("digits", [6, 12, 32])
def test_the_beginning_of_an_id_is_enough(digits: int, made: Path) -> None:
    identity = LOGIC.questions[5].question_id
    assert gland(made, "show", identity[:digits].upper()).out == gland(made, "show", identity).out


def test_an_ambiguous_beginning_lists_what_it_may_mean(tmp_path: Path) -> None:
    twin = rows.with_question(LOGIC, 1, question_id=LOGIC.questions[0].question_id[:8] + "0" * 24)
    folder = declare(tmp_path)
    store(folder, twin)
    ran = gland(folder, "show", LOGIC.questions[0].question_id[:8])
    assert ran.code == 2 and LOGIC.questions[0].question_id in ran.err and twin.questions[1].question_id in ran.err
    assert gland(folder, "show", LOGIC.questions[0].question_id[:9] + "f" * 23).code == 2


def test_subject_syllabus_session_and_concept_show_where_they_stand(made: Path) -> None:
    syllabus = LOGIC.syllabi[0]
    subject = next(each for each in LOGIC.subjects if each.subject_id == syllabus.subject_id)
    sampled = {concept.session_id for question in LOGIC.questions for concept in question.concepts}
    number, session = next((number, each) for number, each in enumerate(syllabus.sessions, 1) if each.session_id in sampled)
    other = next(each for each in syllabus.sessions if each != session)
    assert subject.name
    for identity in (subject.subject_id, syllabus.syllabus_id):
        out = gland(made, "show", identity).out
        assert subject.name in out and all(each.title in out for each in syllabus.sessions)
    for identity in (session.session_id, session.concepts[0].concept_id):
        out = gland(made, "show", identity).out
        assert subject.name in out and f"{number}. {session.title}" in out and session.description in out
        assert f". {other.title}" not in out
    assert (
        f"key concept {session.concepts[0].concept_id}: {session.concepts[0].name}"
        in gland(made, "show", session.concepts[0].concept_id).out
    )
    asked = [q for q in LOGIC.questions if any(c.session_id == session.session_id for c in q.concepts)]
    assert asked and all(each.question_id[:10] in gland(made, "show", session.session_id).out for each in asked)


def test_a_discipline_shows_its_curriculum(made: Path) -> None:
    ran = gland(made, "show", "logic")
    assert ran.out.splitlines()[:2] == ["Formal sciences / Reasoning / Logic", "  2 subjects, 6 sessions, 10 questions"]
    for syllabus in LOGIC.syllabi:
        for session in syllabus.sessions:
            assert f". {session.title}: {', '.join(concept.name for concept in session.concepts)}" in ran.out


def test_a_discipline_that_is_not_made_says_how_to_make_it(made: Path) -> None:
    ran = gland(made, "show", "music")
    assert ran.code == 0 and "gland build -d music" in ran.out


def test_random_pairs_are_the_same_for_the_same_seed(made: Path) -> None:
    first = gland(made, "show", "-n", "4", "--seed", "5")
    assert first.out == gland(made, "show", "-n", "4", "--seed", "5").out
    assert first.out.count("Question") == 4
    assert len({gland(made, "show", "-n", "2", "--seed", str(seed)).out for seed in range(5)}) > 1


def test_what_the_local_model_wrote_is_labelled(tmp_path: Path) -> None:
    folder = declare(tmp_path)
    store(folder, from_local(LOGIC, LOCAL_MODEL))
    assert gland(folder, "show", "-n", "2").out.count("demonstration quality") == 2
    assert "demonstration quality" in gland(folder, "show", LOGIC.questions[0].question_id).out


def test_nothing_is_labelled_that_another_model_wrote(made: Path) -> None:
    assert "demonstration" not in gland(made, "show").out


def test_an_empty_warehouse_says_how_to_fill_it(tmp_path: Path) -> None:
    ran = gland(declare(tmp_path), "show")
    assert ran.code == 2 and "gland build" in ran.err


@pytest.mark.parametrize("what", ["logik", "abc", "12345", "x" * 200, "'; drop view questions; --", "0" * 33])
def test_what_is_neither_id_nor_slug_is_refused(what: str, made: Path) -> None:
    ran = gland(made, "show", what)
    assert ran.code == 2 and ran.out == "" and "Traceback" not in ran.err


def test_an_id_that_no_row_has_is_refused(made: Path) -> None:
    ran = gland(made, "show", "0123456789abcdef")
    assert ran.code == 2 and "no row has an id" in ran.err
