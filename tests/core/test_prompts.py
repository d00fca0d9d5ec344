"""Prompts: slots are filled once, each from its own value, and none is left."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gland_assets.core.errors import SettingsError
from gland_assets.core.prompts import LANGUAGES, REQUIRED, SLOTS, check_prompt, prompt_hash, render
from gland_assets.core.recipes import PROMPT_FILES
from gland_assets.io.project import PROMPTS

NAMES = st.sampled_from(sorted(SLOTS))
ANY = st.one_of(st.text(max_size=30), st.sampled_from(["{subject}", "{language}", "{{question}}", "\\1 \\g<0>", "{", "}"]))


@given(st.data())
def test_values_stand_as_they_are_in_the_place_of_their_slots(data: st.DataObject) -> None:
    name = data.draw(NAMES)
    slots = sorted(SLOTS[name] - {"language"})
    values = {slot: data.draw(ANY, label=slot) for slot in slots}
    parts = data.draw(
        st.lists(st.one_of(st.sampled_from(slots), st.text("ab {}\n", max_size=5).filter(lambda t: "{a" not in t and "{b" not in t)))
    )
    text = "|".join(f"{{{part}}}" if part in slots else part for part in parts)
    assert render(name, text, **values) == "|".join(values.get(part, part) for part in parts)


@given(st.text())
def test_a_text_without_slots_is_left_alone(text: str) -> None:
    text = re.sub(r"[{}]", "", text)
    assert render("answers.txt", text, question="q") == text


@given(st.text(), st.text())
def test_the_hash_tells_texts_apart(one: str, other: str) -> None:
    assert (prompt_hash(one) == prompt_hash(other)) == (one == other)


def test_the_language_is_shown_by_its_name() -> None:
    assert render("answers.txt", "{language}", language="de") == "German"
    assert render("answers.txt", "{language}", language="tlh") == "tlh"
    assert all(re.fullmatch("[a-z]{2}", code) for code in LANGUAGES)


def test_values_without_a_slot_are_left_out() -> None:
    assert render("subjects.extract.txt", "as JSON", language="en", discipline="Logic") == "as JSON"


@pytest.mark.parametrize(
    ("text", "words"), [("a\n{quest}", "2: prompt 'answers.txt': slot {quest} is unknown"), ("{discipline}", "unfilled")]
)
def test_a_slot_that_cannot_be_filled_raises(text: str, words: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(words)):
        render("answers.txt", text, question="q")


@given(NAMES, st.data())
def test_a_prompt_is_sound_when_it_uses_what_it_must_and_only_what_it_may(name: str, data: st.DataObject) -> None:
    used = data.draw(st.sets(st.sampled_from(sorted(SLOTS[name] | {"concepts", "questoin"}))))
    faults = check_prompt(name, "".join(f"\n{{{slot}}}" for slot in sorted(used)), "p.txt")
    unknown = {f"unknown slot {{{slot}}}": 2 + sorted(used).index(slot) for slot in used - SLOTS[name]}
    missing = {f"slot {{{slot}}} is missing": 0 for slot in REQUIRED[name] - used}
    assert {fault.what: fault.line for fault in faults} == unknown | missing


def test_a_misspelt_slot_is_told_with_the_nearest() -> None:
    (unknown, missing) = check_prompt("answers.txt", "{questoin}", "p.txt")
    assert unknown.fix == "did you mean 'question'?" and missing.what == "slot {question} is missing"


def test_the_prompts_that_ship_are_sound_and_are_all_there() -> None:
    assert {path.name for path in PROMPTS.glob("*.txt")} == set(SLOTS) == {name for names in PROMPT_FILES.values() for name in names}
    for name in SLOTS:
        assert check_prompt(name, (PROMPTS / name).read_text(encoding="utf-8"), name) == []


def test_required_slots_are_allowed() -> None:
    assert all(REQUIRED[name] <= allowed for name, allowed in SLOTS.items())
