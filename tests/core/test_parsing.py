"""Replies to values: what was meant comes out whole, what cannot be used is rejected with its cause, and nothing else ever happens."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gland_assets.core import quality
from gland_assets.core.parsing import (
    CAUSES,
    LEAST_PROSE,
    asks,
    clean,
    level_of,
    names_one_of,
    parse_answer,
    parse_prose,
    parse_question,
    parse_subjects,
    parse_syllabus,
)
from gland_assets.core.requests import Rejected

KEYS = [
    "subjects",
    "subject_name",
    "subtopics",
    "level",
    "sessions",
    "title",
    "description",
    "key_concepts",
    "introduction",
    "question",
    "text",
]
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20))
VALUES = st.recursive(
    SCALARS, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(KEYS), inner)), max_leaves=20
)
MARKS = [
    "Question: ",
    "Q: ",
    "**Question 1:** ",
    "Answer: ",
    "\n",
    "```",
    "```json\n",
    '"',
    "“",
    "”",
    "Sure, here it is:\n",
    "why?",
    " ",
    "\x00",
    "\ud800",
    "{",
    "}",
]
REPLIES = st.one_of(
    st.text(st.characters(), max_size=200), VALUES.map(json.dumps), VALUES.map(lambda value: f"Here:\n```json\n{json.dumps(value)}\n```"),
    st.lists(st.one_of(st.sampled_from(MARKS), st.text(max_size=8)), max_size=12).map("".join),
)  # fmt: skip
WORDS = st.from_regex(r"\A[A-Z][a-z]{2,9}( [a-z]{4,9}){0,2}\Z").filter(
    lambda name: not name.endswith(("that", "with", "which", "from", "than", "into"))
)
NAMES = st.lists(WORDS, min_size=2, max_size=5, unique_by=str.casefold)
READERS: list[Callable[[str], object]] = [
    parse_prose, lambda text: parse_subjects(text, "Logic", 2, 5), lambda text: parse_syllabus(text, "Proof", 2, 5), parse_question,
    lambda text: parse_question(text, ["proof by induction"]), lambda text: parse_answer(text, "Why?"), clean, asks, level_of,
]  # fmt: skip


def outcome(read: Callable[[], object]) -> object:
    """What a reader gives, or the cause for which it rejects."""
    try:
        return read()
    except Rejected as rejected:
        return rejected.cause


@settings(deadline=None)
@given(REPLIES)
@example("[" * 100_000)
@example('{"subjects": ' + "[" * 100_000)
@example('{"question": ' + "9" * 5000 + "}")
def test_no_reply_gives_anything_but_a_value_or_a_declared_cause(text: str) -> None:
    for read in READERS:
        try:
            read(text)
        except Rejected as rejected:
            assert rejected.cause in CAUSES


def test_no_cause_means_two_things() -> None:
    assert CAUSES.keys() & quality.RULES.keys() == {"not_json", "schema", "empty", "echo", "loop"}


@settings(deadline=None)
@given(REPLIES)
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    once = clean(text)
    assert clean(once) == once
    once.encode()
    for read in (parse_question, parse_prose, lambda found: parse_answer(found, "Why?")):
        try:
            found = read(text)
        except Rejected:
            continue
        assert outcome(partial(read, found)) == found


@settings(deadline=None)
@given(st.lists(st.tuples(WORDS, NAMES, st.sampled_from(["beginner", "intermediate", "advanced"])), min_size=2, max_size=6))
def test_what_a_model_says_of_subjects_comes_out_as_it_was(subjects: list[tuple[str, list[str], str]]) -> None:
    subjects = [(f"{name} part{place}", names, level) for place, (name, names, level) in enumerate(subjects)]
    reply = {"subjects": [{"subject_name": name, "subtopics": names, "level": level} for name, names, level in subjects]}
    wanted = [(name, level, names) for name, names, level in subjects]
    text = json.dumps(reply)
    for wrapped in (text, json.dumps(reply, indent=4), f"Here you are:\n```json\n{text}\n```\nGood luck!"):
        assert parse_subjects(wrapped, "Logic", 2, 10) == wanted
    assert parse_subjects(text, "Logic", 1, 2) == wanted[:2]
    assert parse_subjects(json.dumps({"subjects": reply["subjects"] * 2}), "Logic", 2, 20) == wanted


@settings(deadline=None)
@given(st.text(max_size=30), st.lists(st.tuples(WORDS, st.text(max_size=30), NAMES), min_size=2, max_size=5))
def test_what_a_model_says_of_sessions_comes_out_as_it_was(introduction: str, sessions: list[tuple[str, str, list[str]]]) -> None:
    sessions = [
        (f"{title} part{place}", said, [f"{name} no{place}" for name in names]) for place, (title, said, names) in enumerate(sessions)
    ]
    reply = [{"title": title, "description": said, "key_concepts": names} for title, said, names in sessions]
    line, found = parse_syllabus(json.dumps({"sessions": reply, "introduction": introduction}), "Proof", 2, 10)
    assert line == " ".join(clean(introduction).split())
    assert found == [(title, " ".join(clean(said).split()), names) for title, said, names in sessions]
    assert parse_syllabus(json.dumps({"sessions": reply * 2, "introduction": introduction}), "Proof", 2, 20) == (line, found)


def subject(name: Any = "Proof", subtopics: Any = ("induction", "contradiction"), level: Any = "beginner") -> dict[str, Any]:
    return {"subject_name": name, "subtopics": list(subtopics) if isinstance(subtopics, tuple) else subtopics, "level": level}


def session(title: Any = "Proof", concepts: Any = ("induction", "contradiction"), description: Any = "What it is.") -> dict[str, Any]:
    return {"title": title, "key_concepts": list(concepts) if isinstance(concepts, tuple) else concepts, "description": description}


def test_subjects_that_are_none_are_dropped() -> None:
    bad: list[object] = [
        subject(""), subject("  "), subject("123"), subject(None), subject(["Proof"]), subject("LOGIC "), subject("proof"),
        "Proof", None, [],
        subject("Sets", ()), subject("Sets", ("sets", "SETS")), subject("Sets", None), subject("Sets", ("", " ", None)),
        subject("Sets", ("logic",)), subject("Sets", ("theory of", "either-")),
    ]  # fmt: skip
    text = json.dumps({"subjects": [subject(), *bad, subject("**Models**:", ("`truth`", "truth", " a\n b ", "C#"))]})
    assert parse_subjects(text, "Logic", 2, 5) == [
        ("Proof", "beginner", ["induction", "contradiction"]),
        ("Models", "beginner", ["truth", "a b", "C#"]),
    ]


def test_sessions_that_are_none_are_dropped() -> None:
    bad: list[object] = [
        session(""), session("…"), session(None), session("PROOF", ("axiom",)), session("Again", ("Contradiction", "induction")), 7,
        session("Empty", ()), session("Empty", ("", " ")), session("Empty", "induction"),
    ]  # fmt: skip
    text = json.dumps({"sessions": [session(), *bad, session("Sets", ("set", "Set", "∅", "x ∈ y", "λ"), None)]})
    assert parse_syllabus(text, "Proof", 2, 5) == (
        "",
        [("Proof", "What it is.", ["induction", "contradiction"]), ("Sets", "", ["set", "∅", "x ∈ y", "λ"])],
    )


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("", "not_json"),
        ("no JSON", "not_json"),
        ("[1, 2]", "not_json"),
        ('{"subjects": [', "not_json"),
        ("{}", "schema"),
        ('{"subjects": {"a": 1}, "sessions": "b"}', "schema"),
        ('{"subjects": [], "sessions": []}', "too_few"),
        (json.dumps({"subjects": [subject()], "sessions": [session()]}), "too_few"),
        (json.dumps({"subjects": [subject("Logic")] * 3, "sessions": [session()] * 3}), "too_few"),
    ],
)
def test_replies_without_what_was_asked_for_are_rejected(text: str, cause: str) -> None:
    assert outcome(lambda: parse_subjects(text, "Logic", 2, 5)) == cause
    assert outcome(lambda: parse_syllabus(text, "Proof", 2, 5)) == cause


def test_one_is_enough_when_one_was_asked_for() -> None:
    assert len(parse_subjects(json.dumps({"subjects": [subject()]}), "Logic", 1, 5)) == 1
    assert len(parse_syllabus(json.dumps({"sessions": [session()]}), "Proof", 1, 5)[1]) == 1


@pytest.mark.parametrize(
    ("said", "level"),
    [
        ("Beginner", "beginner"), ("beginner to intermediate", "beginner"), ("Introductory", "beginner"), ("basics", "beginner"),
        ("INTERMEDIATE", "intermediate"), ("upper-intermediate, advanced", "intermediate"), ("expert", "advanced"),
        ("Advanced", "advanced"), ("", "intermediate"), (None, "intermediate"), (3, "intermediate"), (["advanced"], "intermediate"),
    ],
)  # fmt: skip
def test_levels(said: Any, level: str) -> None:
    assert level_of(said) == level


QUESTION = "Why does a proof by induction need a base case?"


@pytest.mark.parametrize(
    "reply",
    [
        QUESTION,
        f"  {QUESTION}\n\n",
        f"Question: {QUESTION}",
        f"**Question 3:** {QUESTION}",
        f"## Exam question:\n{QUESTION}",
        f'"{QUESTION}"',
        f"“{QUESTION}”",
        f"```\n{QUESTION}\n```",
        f"```text\nQ: {QUESTION}\n```",
        f"Sure! Here you go:\n\n{QUESTION}",
        f"Here is a challenging question on induction:\n{QUESTION}\n\nAnswer:",
        f'Here’s the exercise for your students:\nQuestion: "{QUESTION}"\n**Answer:**',
        json.dumps({"question": QUESTION}),
    ],
)
def test_what_stands_around_a_question_goes(reply: str) -> None:
    assert parse_question(reply) == QUESTION
    assert parse_question(reply, ["base cases"]) == QUESTION


@pytest.mark.parametrize(
    "text",
    [
        'He said "yes", she said "no". Who is right?',
        '"If P then Q" and "Q": what follows?',
        "Mend this program:\n```python\nprint(1\n```",
        "```python\nprint(1\n```\nWhat is missing?",
        'What is wrong with {"question": 1}?',
        '{"question": "x", "answer": "y"}\n\nIs this JSON?',
        "Give the solution of x + 1 = 2 in the form x = n.",
        "List three primes.\n\nThen explain: why three?",
    ],
)
def test_what_belongs_to_a_question_stays(text: str) -> None:
    assert parse_question(text) == text


@pytest.mark.parametrize(
    ("reply", "cause"),
    [
        ("", "empty"),
        ("```\n```", "empty"),
        ("Question: ", "empty"),
        ("???", "empty"),
        (f"{QUESTION}\nAnswer: because it must start somewhere.", "has_answer"),
        (f"{QUESTION}\n\n**Model answer:** It must start somewhere.", "has_answer"),
        (f"{QUESTION}\n### Solution:\nIt must start somewhere.", "has_answer"),
        (f"Question: {QUESTION}\n Answer : It must.", "has_answer"),
    ],
)
def test_questions_that_cannot_be_used(reply: str, cause: str) -> None:
    assert outcome(lambda: parse_question(reply)) == cause


@pytest.mark.parametrize(
    ("reply", "concepts", "cause"),
    [
        ("What a lovely topic! Proofs are fun.", ["proof"], "not_a_question"),
        ("Proofs are fun.", ["proof"], "not_a_question"),
        ("Which of these is a proof?", ["proof"], "not_self_contained"),
        ("What is the topic of this course on proofs?", ["proof"], "not_self_contained"),
        ("Explain the following proof.", ["proof"], "not_self_contained"),
        ("What is a proof of a proof of a proof of a proof?", ["proof"], "loop"),
        ("What is the capital of France?", ["proof", "base case"], "off_topic"),
        ("How can I keep my garden healthy?", ["pH"], "off_topic"),
    ],
)
def test_questions_of_a_weak_model_must_be_to_the_point(reply: str, concepts: list[str], cause: str) -> None:
    assert outcome(lambda: parse_question(reply, concepts)) == cause
    assert parse_question(reply) == reply


@pytest.mark.parametrize(
    ("text", "concept"),
    [
        ("How often do plants need water?", "Watering"),
        ("Was ist ein Beweis?", "Beweise"),
        ("什么是数学归纳法?", "归纳"),
        ("Why is pH measured?", "pH"),
        ("What does DNA do?", "DNA"),
    ],
)
def test_a_concept_is_named_in_any_of_its_forms(text: str, concept: str) -> None:
    assert names_one_of(text, [concept])
    assert names_one_of(text, ["something else entirely", concept])


@settings(deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=4))
def test_a_question_that_quotes_a_concept_names_one(concepts: list[str]) -> None:
    assert names_one_of(f"What is meant by {concepts[0]}?", concepts)
    assert not names_one_of("", concepts)


@pytest.mark.parametrize(
    ("reply", "question", "wanted"),
    [
        ("It must start somewhere.", QUESTION, "It must start somewhere."),
        ("Answer: It must start somewhere.", QUESTION, "It must start somewhere."),
        ("**Answer:**\n\n42", "What is 6 × 7?", "42"),
        ("Answer: 42", "What is 6 × 7? End with `Answer: <number>`.", "Answer: 42"),
        ("```python\nprint(42)\n```", "Print 42.", "```python\nprint(42)\n```"),
        ("One.\r\n\r\n\r\n\r\nTwo. \x00", QUESTION, "One.\n\nTwo."),
    ],
)
def test_answers_come_out_clean(reply: str, question: str, wanted: str) -> None:
    assert parse_answer(reply, question) == wanted


@pytest.mark.parametrize(
    ("reply", "cause"),
    [
        ("", "empty"), ("...", "empty"), ("Answer:", "empty"), ("It needs one because:", "empty"),
        (QUESTION.upper(), "echo"), (f"Answer: {QUESTION}", "echo"),
    ],
)  # fmt: skip
def test_answers_that_cannot_be_used(reply: str, cause: str) -> None:
    assert outcome(lambda: parse_answer(reply, QUESTION)) == cause


def test_prose_must_hold_something_to_extract() -> None:
    long = "Logic has many subjects, from syllogisms to model theory and beyond."
    assert parse_prose(f" {long}\n\n\n\n{long} ") == f"{long}\n\n{long}"
    assert parse_prose(json.dumps({"text": long})) == long
    for short in ("", "Let me think.", "1" * (2 * LEAST_PROSE), json.dumps({"text": "Let me think. " + " " * LEAST_PROSE})):
        assert outcome(partial(parse_prose, short)) == "empty"
