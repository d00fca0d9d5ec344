"""The parts of a request's key: small, whole, and enough to say what differs from the nearest stored one."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from gland_assets.core.key_parts import KeyParts, Neighbours
from gland_assets.core.project import StageSettings
from gland_assets.core.requests import Message, Request, request_key

TEXT = st.text(max_size=20)
SETTINGS = st.builds(StageSettings, st.just(("main",)), st.sampled_from((0.2, 0.7)), st.sampled_from((0.9, 0.95)), st.integers(1, 4096))
TURNS = st.lists(TEXT, min_size=1, max_size=3).map(
    lambda texts: tuple(Message(("user", "assistant")[place % 2], text) for place, text in enumerate(texts))
)
REQUESTS = st.builds(
    Request, st.just("answers"), st.just("logic"), st.sampled_from(("row a", "row b")), TURNS, st.sampled_from(("old text", "new text")),
    SETTINGS, st.integers(0, 2**31), st.integers(0, 3), st.none() | st.just({"type": "object"}) | st.just({"type": "array"}),
)  # fmt: skip
ASKED = Request("answers", "logic", "row", (Message("user", "Why?"),), "p1", StageSettings(("main",), 0.7, 0.95, 200), 1)


def parts(request: Request, identity: str = "model-a") -> KeyParts:
    return KeyParts.of(request, identity)


@given(REQUESTS, st.text(max_size=3000), st.text(max_size=200))
def test_packed_parts_are_small_and_come_back_whole(request: Request, row: str, identity: str) -> None:
    whole = KeyParts.of(replace(request, row=row), identity)
    assert len(whole.packed().encode()) <= 300
    assert KeyParts.unpacked(whole.packed(), request.prompt_hash) == whole


@given(REQUESTS, REQUESTS, st.sampled_from(("model-a", "model-a@2")))
def test_what_has_another_key_differs_in_a_part_that_is_named(one: Request, other: Request, identity: str) -> None:
    other = replace(other, row=one.row)
    if len(one.messages) == len(other.messages):
        same = request_key(one, "model-a") == request_key(other, identity)
        assert same == (not parts(other, identity).differences(parts(one)))


def test_settings_are_named_with_both_values_and_texts_by_what_moved() -> None:
    settings = replace(ASKED.settings, temperature=0.2)
    assert parts(replace(ASKED, settings=settings)).differences(parts(ASKED)) == ("temperature 0.7 → 0.2",)
    assert parts(ASKED, "model-a@2").differences(parts(ASKED)) == ("model model-a → model-a@2",)
    edited = replace(ASKED, messages=(Message("user", "Why so?"),), prompt_hash="p2")
    assert parts(edited).differences(parts(ASKED)) == ("the prompt's text",)
    filled = replace(ASKED, messages=(Message("user", "Why not?"),))
    assert parts(filled).differences(parts(ASKED)) == ("what the prompt was filled with",)
    assert parts(replace(ASKED, seed=2)).differences(parts(ASKED)) == ("seed",)


def test_the_nearest_is_of_the_same_row_then_alike_then_new() -> None:
    cool = replace(ASKED, settings=replace(ASKED.settings, temperature=0.2))
    far = replace(cool, seed=9, messages=(Message("user", "Else?"),))
    other = replace(ASKED, row="another row", settings=replace(ASKED.settings, temperature=0.21))
    near = Neighbours([("newest", parts(other)), ("far", parts(far)), ("near", parts(ASKED))])
    found = near.nearest(parts(cool))
    assert (found.relation, found.key, found.differs) == ("same row", "near", ("temperature 0.7 → 0.2",))
    new = near.nearest(parts(replace(cool, row="never asked")))
    assert (new.relation, new.key, new.differs) == ("another row", "far", ())


def test_what_cannot_be_compared_is_said() -> None:
    second = replace(ASKED, messages=(*ASKED.messages, Message("assistant", "So."), Message("user", "As JSON.")))
    assert Neighbours([("first", parts(ASKED))]).nearest(parts(second)).relation == "first turn only"
    assert Neighbours([("old", None)]).nearest(parts(ASKED)).relation == "too old"
    assert Neighbours([]).nearest(parts(ASKED)).relation == "none"
    assert Neighbours([("old", None), ("own", parts(ASKED))]).nearest(parts(replace(ASKED, seed=2))).relation == "same row"
