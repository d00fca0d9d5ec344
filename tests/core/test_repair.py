"""Malformed JSON: what is broken in known ways is read as it was meant, and where something would have to be guessed, nothing is read."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gland_assets.core.requests import Rejected
from gland_assets.core.structured import json_of

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
SCALARS = TEXTS | st.integers() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.none()
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4), max_leaves=8)
OBJECTS = st.dictionaries(TEXTS, VALUES, min_size=1, max_size=4)
SUBJECTS = {"subjects": [{"name": "Sums & sets", "level": "beginner", "topics": ["1 + 1 = 2", 'it\'s "so"', "naïve // not a comment"]}]}


def written(
    value: Any, quote: Callable[[str], str] = json.dumps, end: str = "", between: str = ", ", plain: Callable[[Any], str] = json.dumps
) -> str:
    """JSON with its own way of writing strings and other scalars, of ending what is in brackets, and of keeping things apart."""
    if isinstance(value, dict):
        inside = [f"{quote(key)}: {written(each, quote, end, between, plain)}" for key, each in value.items()]
        return "{" + between.join(inside) + (end if value else "") + "}"
    if isinstance(value, list):
        return "[" + between.join(written(each, quote, end, between, plain) for each in value) + (end if value else "") + "]"
    return quote(value) if isinstance(value, str) else plain(value)


def single(text: str) -> str:
    return "'" + json.dumps(text)[1:-1].replace('\\"', '"').replace("'", "\\'") + "'"


def with_line_ends(text: str) -> str:
    return re.sub(r"(?<!\\)((?:\\\\)*)\\n", "\\1\n", json.dumps(text, ensure_ascii=False))


def broken(value: Any) -> dict[str, str]:
    """The known ways in which models break JSON."""
    found = {
        "a trailing comma": written(value, end=","),
        "single quotes": written(value, single),
        "a line end inside a string": written(value, with_line_ends),
        "a comment": written(value, end=" // so it is, they say\n"),
        "a comment between": written(value, between=", /* and 'also' */ "),
        "the words of Python": written(value, plain=repr),
        "a fence that is left open": f"```json\n{written(value, end=',')}",
        "prose around a fence": f"Here it is:\n```json\n{written(value, end=',')}\n```\nAnything else?",
    }
    if written(value)[-2] not in "[{":  # where nothing has been said after a bracket, nobody knows that nothing was to come
        found["the last bracket missing"] = written(value)[:-1]
    return found


@given(VALUES)
def test_what_json_takes_is_taken_unchanged(value: Any) -> None:
    for text in (json.dumps(value), json.dumps(value, indent=2, ensure_ascii=False)):
        assert repr(json_of(text)) == repr(json.loads(text))


@settings(deadline=None)
@given(OBJECTS.filter(lambda value: "```" not in written(value)))
def test_what_is_broken_in_a_known_way_holds_the_same_value(value: dict[str, Any]) -> None:
    for how, text in broken(value).items():
        assert json.dumps(json_of(text)) == json.dumps(value), how


@pytest.mark.parametrize("how", broken(SUBJECTS))
def test_a_list_of_subjects_broken_in_a_known_way_is_read(how: str) -> None:
    assert json_of(broken(SUBJECTS)[how]) == SUBJECTS


def test_brackets_alone_may_be_missing_at_the_end() -> None:
    assert json_of('{"subjects": [{"name": "Sets"}, {"name": "Graphs"') == {"subjects": [{"name": "Sets"}, {"name": "Graphs"}]}


@given(st.recursive(TEXTS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4), max_leaves=8), st.data())
def test_of_a_reply_that_stops_early_nothing_is_read_but_what_was_said(value: Any, data: st.DataObject) -> None:
    text = json.dumps(value, ensure_ascii=False)
    stopped = text[: data.draw(st.integers(0, len(text) - 1))]
    try:
        found = json_of(stopped)
    except Rejected as rejected:
        assert rejected.cause == "not_json"
    else:
        said = json.dumps(found, ensure_ascii=False)
        assert said.startswith(stopped), "nothing that was said is dropped"
        assert not said[len(stopped) :].strip("]}"), "and nothing is added but brackets"


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
        '{"subjects": [{"name": "Sets"}, {"name": "Graphs" - and so on for the rest.',
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
        "[" * 900 + "1,]" + "]" * 899,
    ],
    ids=lambda text: text[:30],
)
def test_where_something_would_be_guessed_or_lost_nothing_is_read(text: str) -> None:
    with pytest.raises(Rejected, match="not_json"):
        json_of(text)
