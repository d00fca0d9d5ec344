"""What a reader of the dataset would want to trust, checked on the rows of one partition. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gland_assets.core.records import Answer, Question, Subject, Syllabus
from gland_assets.core.sampling import usable

NAMED_SHARE = 0.5  # of a discipline's questions; below it the check warns


@dataclass(frozen=True, slots=True)
class CheckOutcome:
    """One check: whether it passed, whether failing it is an error or a warning, and what was seen."""

    name: str
    passed: bool
    seen: dict[str, Any]
    error: bool = True


CHECKS = {
    "subjects": {"ids_unique": "No subject id stands twice.", "some_stand": "At least one subject was found, where any was asked for."},
    "syllabi": {
        "ids_unique": "No syllabus, session or concept id stands twice.",
        "every_subject_taught": "Every subject has a syllabus with at least one session and one key concept.",
    },
    "questions": {
        "ids_unique": "No question id stands twice.",
        "counts_as_asked": "There are as many questions, failed ones included, as `pairs` asks for.",
        "no_empty_text": "Every question has text or a failure that says why not.",
        "concepts_in_syllabus": "Every sampled concept stands in the syllabus and session it names; two-session samples use both.",
        "concepts_named": "At least half of the questions name one of the concepts they were sampled from.",
    },
    "answers": {
        "ids_unique": "No answer id stands twice.",
        "no_empty_answer": "Every answer has text or a failure that says why not.",
        "answers_match_questions": "Every question that stands has exactly one answer, and every answer has its question.",
    },
}
"""Level -> check -> what it holds."""


def _unique(ids: Sequence[str]) -> CheckOutcome:
    twice = [name for name, count in Counter(ids).items() if count > 1]
    return CheckOutcome("ids_unique", not twice, {"ids": len(ids), "twice": len(twice), "examples": ", ".join(twice[:3])})


def check_subjects(subjects: Sequence[Subject]) -> list[CheckOutcome]:
    """Checks of a subjects partition."""
    standing = sum(not subject.failure for subject in subjects)
    return [
        _unique([subject.subject_id for subject in subjects]),
        CheckOutcome("some_stand", standing > 0 or not subjects, {"subjects": standing, "failed_queries": len(subjects) - standing}),
    ]


def check_syllabi(subjects: Sequence[Subject], syllabi: Sequence[Syllabus]) -> list[CheckOutcome]:
    """Checks of a syllabi partition against the subjects above it."""
    ids = [syllabus.syllabus_id for syllabus in syllabi]
    ids += [session.session_id for syllabus in syllabi for session in syllabus.sessions]
    ids += [concept.concept_id for syllabus in syllabi for session in syllabus.sessions for concept in session.concepts]
    taught = {syllabus.subject_id for syllabus in syllabi if usable(syllabus)}
    untaught = [subject.name or "" for subject in subjects if not subject.failure and subject.subject_id not in taught]
    seen = {"subjects": len(subjects), "without_syllabus": len(untaught), "examples": ", ".join(untaught[:3])}
    return [_unique(ids), CheckOutcome("every_subject_taught", not untaught, seen, error=False)]


def check_questions(syllabi: Sequence[Syllabus], questions: Sequence[Question], pairs: int) -> list[CheckOutcome]:
    """Checks of a questions partition against the syllabi above it and the number asked for."""
    home = {
        concept.concept_id: (syllabus.syllabus_id, session.session_id, concept.name)
        for syllabus in syllabi
        for session in syllabus.sessions
        for concept in session.concepts
    }
    strays = [question.question_id for question in questions if not _well_sampled(question, home)]
    standing = [question for question in questions if not question.failure]
    named = sum(_names_one(question, home) for question in standing)
    empty = [question.question_id for question in standing if not (question.text or "").strip()]
    share = named / len(standing) if standing else 0.0
    return [
        _unique([question.question_id for question in questions]),
        CheckOutcome("counts_as_asked", len(questions) == pairs, {"asked": pairs, "rows": len(questions), "standing": len(standing)}),
        CheckOutcome("no_empty_text", not empty, {"empty": len(empty), "examples": ", ".join(empty[:3])}),
        CheckOutcome("concepts_in_syllabus", not strays, {"strays": len(strays), "examples": ", ".join(strays[:3])}),
        CheckOutcome("concepts_named", share >= NAMED_SHARE, {"share": round(share, 4), "bound": NAMED_SHARE}, error=False),
    ]


def _well_sampled(question: Question, home: dict[str, tuple[str, str, str]]) -> bool:
    sessions = {concept.session_id for concept in question.concepts}
    fits = len(sessions) == (2 if question.strategy == "two_sessions" else 1) and 1 <= len(question.concepts) <= 5
    return fits and all(home.get(c.concept_id, ("", "", ""))[:2] == (question.syllabus_id, c.session_id) for c in question.concepts)


def _names_one(question: Question, home: dict[str, tuple[str, str, str]]) -> bool:
    words = set(re.findall(r"\w+", (question.text or "").lower()))
    names = [home[c.concept_id][2] for c in question.concepts if c.concept_id in home]
    return any(words.issuperset(found) for found in (re.findall(r"\w+", name.lower()) for name in names) if found)


def check_answers(questions: Sequence[Question], answers: Sequence[Answer]) -> list[CheckOutcome]:
    """Checks of an answers partition against the questions above it."""
    asked = {question.question_id for question in questions if not question.failure}
    answered = Counter(answer.question_id for answer in answers)
    lone = [identity for identity in asked if answered[identity] != 1] + [identity for identity in answered if identity not in asked]
    empty = [answer.answer_id for answer in answers if not answer.failure and not (answer.text or "").strip()]
    return [
        _unique([answer.answer_id for answer in answers]),
        CheckOutcome("no_empty_answer", not empty, {"empty": len(empty), "examples": ", ".join(empty[:3])}),
        CheckOutcome(
            "answers_match_questions", not lone, {"questions": len(asked), "unmatched": len(lone), "examples": ", ".join(lone[:3])}
        ),
    ]
