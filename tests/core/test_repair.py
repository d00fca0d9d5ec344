"""Malformed JSON: what is broken in known ways is read as it was meant, and where something would have to be guessed, nothing is read."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gland_assets.core.requests import Rejected
from gland_assets.core.structured import json_of

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
SCALARS = TEXTS | st.integers() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.none()
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4), max_leaves=8)
OBJECTS = st.dictionaries(TEXTS, VALUES, min_size=1, max_size=4)
SUBJECTS = {"subjects": [{"name": "Sums & sets", "level": "beginner", "topics": ["1 + 1 = 2", "it's \"so\"", "naïve // not a comment"]}]}


def written(value: Any, quote: Callable[[str], str], end: str = "", between: str = ", ") -> str:
    """JSON with its own way of writing strings, of ending what is in brackets, and of keeping things apart."""
    inner = lambda each: written(each, quote, end, between)  # noqa: E731
    if isinstance(value, dict):
        return "{" + between.join(f"{quote(key)}: {inner(each)}" for key, each in value.items()) + (end if value else "") + "}"
    if isinstance(value, list):
        return "[" + between.join(map(inner, value)) + (end if value else "") + "]"
    return quote(value) if isinstance(value, str) else json.dumps(value)


def single(text: str) -> str:
    return "'" + json.dumps(text)[1:-1].replace('\\"', '"').replace("'", "\\'") + "'"


def with_line_ends(text: str) -> str:
    return re.sub(r"(?<!\\)((?:\\\\)*)\\n", "\\1\n", json.dumps(text, ensure_ascii=False))


def broken(value: Any) -> Iterator[tuple[str, str]]:
    """The known ways in which models break JSON."""
    yield "a trailing comma", written(value, json.dumps, ",")
    yield "single quotes", written(value, single)
    yield "a line end inside a string", written(value, with_line_ends)
    yield "a comment", written(value, json.dumps, " // so it is, they say\n")
    yield "a comment between", written(value, json.dumps, between=", /* and 'also' */ ")
    yield "the last bracket missing", written(value, json.dumps)[:-1]
    yield "a fence that is left open", f"```json\n{written(value, json.dumps, ',')}"
    yield "prose around a fence", f"Here it is:\n```json\n{written(value, json.dumps, ',')}\n```\nAnything else?"
    yield "Python's words", written(value, json.dumps).replace("true", "True")


@given(VALUES)
def test_what_json_takes_is_taken_unchanged(value: Any) -> None:
    for text in (json.dumps(value), json.dumps(value, indent=2, ensure_ascii=False)):
        assert repr(json_of(text)) == repr(json.loads(text))


@given(OBJECTS)
def test_what_is_broken_in_a_known_way_holds_the_same_value(value: dict[str, Any]) -> None:
    for how, text in broken(value):
        if '": ```' in text or (how.endswith("missing") and text[-1] in "{[") or (how.startswith("Python") and "true" in repr(value)):
            continue
        try:
            found = json_of(text)
        except Rejected:
            assert "```" in written(value, json.dumps), how  # a fence within the JSON: nobody can say which is meant
        else:
            assert json.dumps(found) == json.dumps(value), how


@pytest.mark.parametrize(("how", "text"), broken(SUBJECTS))
def test_a_list_of_subjects_broken_in_a_known_way_is_read(how: str, text: str) -> None:
    assert json_of(text) == SUBJECTS, how


@given(OBJECTS, st.data())
def test_of_a_reply_that_stops_early_nothing_is_read_but_what_was_said(value: dict[str, Any], data: st.DataObject) -> None:
    text = json.dumps(value, ensure_ascii=False)
    stopped = text[: data.draw(st.integers(0, len(text) - 1))]
    try:
        found = json_of(stopped)
    except Rejected as rejected:
        assert rejected.cause == "not_json"
    else:
        assert text.startswith(json.dumps(found, ensure_ascii=False).rstrip("]}")), "every word of it was said, in this order"
        assert len(json.dumps(found, ensure_ascii=False).rstrip("]}")) >= len(stopped.rstrip("]}")), "and no word was dropped"


@given(st.text())
def test_no_text_raises_anything_but_a_rejection(text: str) -> None:
    for around in (text, "{" + text, "[" + text + "]", '{"a": ' + text):
        try:
            json_of(around)
        except Rejected as rejected:
            assert rejected.cause == "not_json"


@pytest.mark.parametrize(
    "text",
    [
        "I would name {logic, sets} and [maybe] some others.",
        "The set {x | x > 2} has no least element.",
        '{"subjects": [',
        '{"subjects": [{"name": "Sets"}, {"name": "Gra',
        '{"subjects": [{"name": "Sets"}, {"name": "Graphs"',
        '{"subjects": ["Sets",',
        '{"name": }',
        '{"name": "Sets" and their elements, "level": "beginner"}',
        '{"name": "Sets" "Graphs"}',
        '{"name": "the "empty" set"}',
        '{"name": "Sets"}\n{"name": "Graphs"}',
        '{"name": "Sets", "name": "Graphs",}',
        '{"formula": "\\alpha \\times \\beta"}',
        '{"number": 007,}',
        "{" * 100_000 + "}",
    ],
    ids=lambda text: text[:30],
)
def test_where_something_would_be_guessed_or_lost_nothing_is_read(text: str) -> None:
    if text.endswith('"Graphs"'):  # brackets alone are missing
        assert json_of(text) == {"subjects": [{"name": "Sets"}, {"name": "Graphs"}]}
        return
    with pytest.raises(Rejected, match="not_json"):
        json_of(text)
