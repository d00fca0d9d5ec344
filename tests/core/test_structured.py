"""Structured replies: JSON is found where models put it, and what does not fit the schema is named."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gland_assets.core.requests import Rejected
from gland_assets.core.structured import check_schema, json_of, schema_in_words, text_values

SCHEMA = {
    "type": "object", "required": ["subjects"],
    "properties": {"subjects": {"type": "array", "minItems": 1, "items": {"type": "string"}}},
}  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10
)
OBJECTS = st.dictionaries(st.text(), VALUES, min_size=1)


@given(VALUES)
def test_json_alone_is_read_as_it_is(value: Any) -> None:
    assert json_of(json.dumps(value)) == value


@given(OBJECTS, st.sampled_from(["Here it is:\n```json\n{}\n```\nAs asked.", "```\n{}\n```", "Sure! {}", "The JSON is:\n\n{}\n\nDone."]))
def test_json_is_found_among_words(value: dict[str, Any], around: str) -> None:
    text = json.dumps(value)
    if "```" not in text:
        assert json_of(around.replace("{}", text)) == value


@pytest.mark.parametrize("text", ["", "no JSON here", '{"subjects": [', "{a set}", "} backwards {"])
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(Rejected, match="not_json"):
        json_of(text)


@pytest.mark.parametrize(
    ("value", "place"), [([], r"\$"), ({}, "subjects"), ({"subjects": []}, r"\$.subjects"), ({"subjects": ["a", 3]}, r"\$.subjects\[1\]")]
)
def test_the_place_that_does_not_fit_is_named(value: Any, place: str) -> None:
    with pytest.raises(Rejected, match=place) as rejected:
        check_schema(value, SCHEMA)
    assert rejected.value.cause == "schema"


def test_what_fits_the_schema_passes() -> None:
    check_schema({"subjects": ["logic"]}, SCHEMA)


def test_text_values_are_the_leaves_in_order() -> None:
    assert list(text_values({"a": ["x", {"b": "y"}], "c": 3, "d": None, "e": True})) == ["x", "y", "3", "true"]


def test_a_schema_in_words_holds_the_schema() -> None:
    _, _, told = schema_in_words(SCHEMA).partition("schema:\n")
    assert json.loads(told) == SCHEMA


def test_brackets_within_brackets_without_end_are_no_json() -> None:
    with pytest.raises(Rejected) as rejected:
        json_of("[" * 200_000 + "]" * 200_000)
    assert rejected.value.cause == "not_json"
