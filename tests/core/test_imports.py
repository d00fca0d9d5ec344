"""Forms are known by their columns; ids follow from what is imported and where to."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gland_assets.core.dedup import normalise
from gland_assets.core.hashing import digest
from gland_assets.core.imports import Chat, Form, Named, answer_ids, checked, columns_of, pair_ids, recognise

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
PAIRS = st.tuples(TEXTS, st.none() | TEXTS)


def one(discipline: str, question: str, answer: str | None) -> str:
    return pair_ids(discipline, [question], [answer])[0]


@given(st.lists(PAIRS, max_size=8))
def test_the_id_of_a_pair_hangs_on_nothing_beside_it(pairs: list[tuple[str, str | None]]) -> None:
    assert pair_ids("logic", *zip(*pairs, strict=True)) == [one("logic", *pair) for pair in pairs] if pairs else True
    assert len(set(pair_ids("logic", *zip(*pairs, strict=True)))) == len({(normalise(q), a) for q, a in pairs}) if pairs else True


@given(TEXTS, st.none() | TEXTS)
def test_case_and_spacing_of_the_question_are_no_part_of_its_id_and_the_discipline_is(question: str, answer: str | None) -> None:
    assert one("logic", f"  {normalise(question)}\n", answer) == one("logic", question, answer) != one("optics", question, answer)


def test_an_answer_of_its_own_makes_another_row() -> None:
    assert len({one("logic", "Why?", answer) for answer in (None, "", "So.", "so.", " So.")}) == 5


@given(st.lists(TEXTS, max_size=4))
def test_answers_have_the_ids_that_generated_ones_have(questions: list[str]) -> None:
    ids = [digest(question) for question in questions]
    assert answer_ids(ids) == [digest("answer", identity) for identity in ids]


FORMS: list[tuple[dict[str, Any], Form | None]] = [
    ({"messages": [{"role": "user", "content": "q"}]}, Chat("messages", "messages", "role", "content")),
    ({"prompt": "q", "messages": [{"role": "user", "content": "q"}]}, Chat("messages", "messages", "role", "content")),
    ({"conversations": [{"from": "human", "value": "q"}], "id": 1}, Chat("sharegpt", "conversations", "from", "value")),
    ({"conversations": [{"role": "user", "content": "q"}]}, Chat("messages", "conversations", "role", "content")),
    ({"instruction": "i", "input": "", "output": "o"}, Named("Alpaca", "instruction", "input", "output")),
    ({"instruction": "i", "context": "c", "response": "r"}, Named("Alpaca", "instruction", "context", "response")),
    ({"prompt": "p", "completion": "c", "id": "x"}, Named("prompt-completion", "prompt", None, "completion")),
    ({"question": "q", "answer": "a", "level": None}, Named("question and answer", "question", None, "answer")),
    ({"question": "q"}, Named("question and answer", "question")),
    ({"messages": "none of these", "text": "t"}, None),
    ({}, None),
]


@pytest.mark.parametrize("record, form", FORMS)
def test_forms_are_known_by_their_columns(record: dict[str, Any], form: Form | None) -> None:
    assert recognise(columns_of([record])) == form


def test_a_column_that_only_some_records_have_counts() -> None:
    assert recognise(columns_of([{"instruction": "i", "output": "o"}, {"instruction": "i", "input": "n", "output": "o"}])) == Named(
        "Alpaca", "instruction", "input", "output"
    )


CHAT, COLUMNS = Chat("messages", "messages", "role", "content"), Named("prompt-completion", "prompt", None, "completion")
ODD: list[tuple[Form, Any, str]] = [
    (COLUMNS, {"prompt": 3}, "'prompt' holds a number, not text"),
    (COLUMNS, {"prompt": "p", "completion": [{"role": "assistant"}]}, "'completion' holds a list, not text"),
    (COLUMNS, {"prompt": True}, "'prompt' holds true or false, not text"),
    (CHAT, {"messages": "hello"}, "'messages' holds text, not a list of turns"),
    (CHAT, {"messages": ["hello"]}, "a turn is text, not an object"),
    (CHAT, {"messages": [{"role": "user", "content": {"a": 1}}]}, "'content' of a turn holds an object, not text"),
    (CHAT, {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "'content' of a turn holds a list, not text"),
]


@pytest.mark.parametrize("form, record, said", ODD)
def test_what_is_not_of_the_form_is_told(form: Form, record: Any, said: str) -> None:
    with pytest.raises(ValueError, match=f"^{said}$"):
        checked(form, record)


def test_a_message_in_parts_is_one_text() -> None:
    parts = [{"type": "text", "text": "Why "}, {"type": "text", "text": "so?"}]
    assert checked(CHAT, {"messages": [{"role": "user", "content": parts, "name": "me"}]}) == {
        "messages": [{"role": "user", "content": "Why so?"}]
    }
