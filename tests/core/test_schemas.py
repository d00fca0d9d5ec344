"""Schemas of JSON replies: what a good reply looks like fits, and every provider can take them; the bundled model's are tighter."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from gland_assets.core.grammar import grammar
from gland_assets.core.parsing import parse_prose, parse_question, parse_subjects, parse_syllabus
from gland_assets.core.requests import Rejected
from gland_assets.core.schemas import prose_schema, question_schema, subjects_schema, syllabus_schema
from gland_assets.core.structured import check_schema

BOUNDS = st.tuples(st.integers(1, 30), st.integers(0, 30)).map(lambda pair: (pair[0], pair[0] + pair[1]))
EVERYWHERE = {"type", "properties", "required", "additionalProperties", "items", "enum", "description"}
TEXT = st.text(max_size=40)
SUBJECT = st.fixed_dictionaries(
    {"subject_name": TEXT, "subtopics": st.lists(TEXT, max_size=4), "level": st.sampled_from(["beginner", "intermediate", "advanced"])}
)
SESSION = st.fixed_dictionaries({"title": TEXT, "description": TEXT, "key_concepts": st.lists(TEXT, max_size=4)})
WEAK: dict[str, dict[str, Any]] = {
    "subjects": {
        "subjects": [
            {"subject_name": "Soil and watering", "subtopics": ["clay", "loam", "compost"], "level": "beginner"},
            {"subject_name": "Plant health", "subtopics": ["aphids", "mildew", "crop rotation"], "level": "advanced"},
            {"subject_name": "Plant health", "subtopics": ["aphids", "aphids", "aphids"], "level": "advanced"},
        ]
    },
    "syllabus": {
        "sessions": [
            {"title": "What soil is made of", "description": "Learn what soil is made of.", "key_concepts": ["clay", "loam", "humus"]},
            {"title": "Watering", "description": "Discover how plants drink.", "key_concepts": ["root hairs", "drought", "mulch"]},
        ],
        "introduction": "This course is about soil, and what grows in it.",
    },
}


def parts(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield schema
    for inner in [*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])]:
        yield from parts(inner)


def every_schema(least: int, most: int) -> list[tuple[dict[str, Any], bool]]:
    found = [(make(least, most, strict), strict) for make in (subjects_schema, syllabus_schema) for strict in (False, True)]
    return [*found, (prose_schema(), True), (question_schema(), True)]


@settings(deadline=None)
@given(BOUNDS)
def test_every_schema_is_valid_closed_and_plain_json(bounds: tuple[int, int]) -> None:
    for schema, strict in every_schema(*bounds):
        Draft202012Validator.check_schema(schema)
        assert json.loads(json.dumps(schema)) == schema
        for part in parts(schema):
            if part["type"] == "object":
                assert part["additionalProperties"] is False
                assert part["required"] == list(part["properties"])
            if not strict:
                assert set(part) <= EVERYWHERE  # no bound, no pattern: some providers refuse the whole request for one


@settings(deadline=None)
@given(BOUNDS)
def test_the_counts_asked_for_are_said_or_bound(bounds: tuple[int, int]) -> None:
    least, most = bounds
    for make, name, more in ((subjects_schema, "subjects", 1), (syllabus_schema, "sessions", 0)):
        said = make(least, most)["properties"][name]["description"]
        assert re.findall(r"\d+", said) == [str(least), str(most)]
        bound = make(least, most, True)["properties"][name]
        assert (bound["minItems"], bound["maxItems"]) == (min(least + more, 6), min(most + more, 6))


@settings(deadline=None)
@given(st.lists(SUBJECT, max_size=4), st.lists(SESSION, max_size=4), TEXT, BOUNDS)
def test_any_text_and_any_count_fits_the_common_schemas(
    subjects: list[dict[str, Any]], sessions: list[dict[str, Any]], introduction: str, bounds: tuple[int, int]
) -> None:
    check_schema({"subjects": subjects}, subjects_schema(*bounds))
    check_schema({"sessions": sessions, "introduction": introduction}, syllabus_schema(*bounds))


@settings(deadline=None)
@given(BOUNDS)
def test_the_bundled_models_schemas_are_grammars(bounds: tuple[int, int]) -> None:
    for schema, strict in every_schema(*bounds):
        if strict:
            assert grammar(schema).startswith('root ::= ("{" ')


def test_a_sound_reply_of_the_bundled_model_fits_and_is_read() -> None:
    check_schema(WEAK["subjects"], subjects_schema(2, 2, True))
    check_schema(WEAK["syllabus"], syllabus_schema(2, 2, True))
    assert [name for name, _, _ in parse_subjects(json.dumps(WEAK["subjects"]), "Gardening", 2, 2)] == ["Soil and watering", "Plant health"]
    introduction, sessions = parse_syllabus(json.dumps(WEAK["syllabus"]), "Soil", 2, 2)
    assert introduction.startswith("This course")
    assert sessions[1] == ("Watering", "Discover how plants drink.", ["root hairs", "drought", "mulch"])
    prose, question = {"text": "1. Soil. " + "What it is made of. " * 8 + "End"}, {"question": "How does a root drink?"}
    check_schema(prose, prose_schema())
    check_schema(question, question_schema())
    assert parse_prose(json.dumps(prose)) == prose["text"]
    assert parse_question(json.dumps(question), ["roots"]) == "How does a root drink?"


@pytest.mark.parametrize(
    ("schema", "reply"),
    [
        (subjects_schema(2, 2, True), {"subjects": WEAK["subjects"]["subjects"][:1]}),
        (subjects_schema(1, 2, True), {"subjects": [{"subject_name": "A{{}", "subtopics": ["a b", "b c", "c d"], "level": "beginner"}]}),
        (subjects_schema(1, 2), {"subjects": [{"subject_name": "A", "subtopics": [], "level": "expert"}]}),
        (subjects_schema(1, 2), {"subjects": [{"subject_name": "A", "subtopics": []}]}),
        (syllabus_schema(1, 2), {"sessions": []}),
        (syllabus_schema(1, 2), {"sessions": [], "introduction": "", "outcomes": []}),
        (prose_schema(), {"text": "too short"}),
        (question_schema(), {"question": "I would love to ask you about soil."}),
        (question_schema(), {"question": "How to water plants well."}),
    ],
)
def test_what_does_not_fit_is_refused(schema: dict[str, Any], reply: dict[str, Any]) -> None:
    with pytest.raises(Rejected, match=r"schema: \$"):
        check_schema(reply, schema)
