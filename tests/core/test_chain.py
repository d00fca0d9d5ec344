"""The chain of tries: the same replies lead to the same requests, no request comes twice, and what every build asks has an end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gland_assets.core.chain import DECLINED, FORM, LOCAL_TRIES, TRIES, Chain
from gland_assets.core.quality import RULES
from gland_assets.core.requests import Message, Rejected, Reply, Request, request_key
from tests.io.asking import reply, request

SCHEMA = {"type": "object"}
CAUSES = st.sampled_from(sorted(RULES))
JUDGED = st.lists(st.tuples(CAUSES, st.sampled_from(["main", "spare"])), max_size=30)


def walked(asked: Request, causes: list[tuple[str, str]], local: bool = False, again: bool = False) -> Iterator[tuple[Chain, Request]]:
    """The chain at each request that follows when replies are rejected for these causes, all of them stored."""
    chain = Chain(asked, local, again)
    yield chain, chain.asked
    for cause, deployment in causes:
        chain.reject(reply("key", "text", deployment=deployment, reused=True), Rejected(cause, "seen"))
        yield chain, chain.asked


def keys(asked: Request, causes: list[tuple[str, str]], local: bool = False) -> list[str]:
    return [request_key(each, "model") for _, each in walked(asked, causes, local)]


@given(JUDGED, st.booleans(), st.booleans())
def test_the_same_rejections_lead_to_the_same_requests_and_none_comes_twice(
    causes: list[tuple[str, str]], local: bool, structured: bool
) -> None:
    asked = request(schema=SCHEMA if structured else None)
    found = keys(asked, causes, local)
    assert found == keys(asked, causes, local)
    assert len(set(found)) == len(found) == len(causes) + 1
    assert found[0] == request_key(asked, "model"), "the first is the request itself"


@given(JUDGED, st.booleans())
def test_whoever_answered_and_whether_it_is_asked_again_change_no_key(causes: list[tuple[str, str]], structured: bool) -> None:
    asked = request(schema=SCHEMA if structured else None)
    elsewhere = [(cause, "another") for cause, _ in causes]
    assert keys(asked, causes) == keys(asked, elsewhere)
    assert keys(asked, causes) == [request_key(each, "model") for _, each in walked(asked, causes, again=True)]


@given(JUDGED, st.booleans(), st.booleans())
def test_what_every_build_asks_ends(causes: list[tuple[str, str]], local: bool, structured: bool) -> None:
    asked = request(schema=SCHEMA if structured else None)
    is_open = [chain.open for chain, _ in walked(asked, causes, local)]
    assert is_open == sorted(is_open, reverse=True), "once it has ended it does not open again"
    most = LOCAL_TRIES if local else TRIES + 1  # the last of them may show its fault
    assert sum(is_open) <= most


@given(st.lists(CAUSES.filter(lambda cause: cause not in FORM), min_size=TRIES, max_size=TRIES))
def test_a_reply_that_is_wrong_for_what_it_says_is_asked_again_with_another_seed(causes: list[str]) -> None:
    asked = request(schema=SCHEMA)
    tried = [each for _, each in walked(asked, [(cause, "main") for cause in causes])]
    assert [replace(each, avoid=frozenset()) for each in tried] == [asked.retry(number) for number in range(TRIES + 1)]


@given(st.sampled_from(sorted(FORM)), CAUSES, st.integers(0, TRIES - 1))
def test_a_reply_in_bad_form_is_shown_its_fault_once_and_then_the_row_fails(cause: str, second: str, before: int) -> None:
    asked = request(schema=SCHEMA)
    found = list(walked(asked, [("empty", "main")] * before + [(cause, "main"), (second, "main")]))
    (chain, shown), (_, beyond) = found[before + 1 :]
    told = Message("user", "That reply cannot be used: seen\nReply with the whole JSON value once more, mended, and with nothing else.")
    assert shown.messages == (*asked.messages, Message("assistant", "text"), told)
    assert shown.seed == asked.retry(before).seed
    assert not chain.open and beyond == replace(asked.retry(TRIES), avoid=beyond.avoid)


@pytest.mark.parametrize("schema", [None, SCHEMA])
def test_the_bundled_model_and_a_reply_without_a_form_are_shown_nothing(schema: dict[str, str] | None) -> None:
    local = [each for _, each in walked(request(schema=schema), [("schema", "main")] * LOCAL_TRIES, local=True)]
    assert local == [request(schema=schema).retry(number) for number in range(LOCAL_TRIES + 1)]
    assert [each.messages for _, each in walked(request(), [("schema", "main")])] == [request().messages] * 2


@given(JUDGED)
def test_who_declined_is_asked_last_from_then_on(causes: list[tuple[str, str]]) -> None:
    declined: set[str] = set()
    for (_, asked), (cause, deployment) in zip(list(walked(request(), causes))[1:], causes, strict=True):
        declined |= {deployment} if cause in DECLINED else set()
        assert asked.avoid == declined


def paid(is_paid: bool) -> Reply:
    return reply("key", "text", reused=not is_paid)


@given(st.lists(CAUSES.filter(lambda cause: cause not in FORM), min_size=3 * TRIES, max_size=3 * TRIES), st.integers(0, 2 * TRIES - 1))
def test_asking_again_makes_one_round_after_what_is_stored(causes: list[str], stored: int) -> None:
    chain, made = Chain(request(), local=False, again=True), 0
    for number, cause in enumerate(causes):
        if number >= stored:
            if not chain.open:
                break
            made += 1
        chain.reject(paid(number >= stored), Rejected(cause, "seen"))
    assert made == TRIES - stored % TRIES, "what is left of a round that was cut off, else a whole one"
    assert chain.failed().attempts == stored + made
