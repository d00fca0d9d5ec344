"""Secrets are blanked out of a text, whatever quoting or escaping they went through."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gland_assets.core.redaction import blanked, secret_in_address

HARD = "sk-one\"\\/+=%&<'~ two_ü."
WAYS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "url": quote,
    "url, slashes too": lambda text: quote(text, safe=""),
    "url twice": lambda text: quote(quote(text)),
    "form": quote_plus,
    "json": json.dumps,
    "json as it is": lambda text: json.dumps(text, ensure_ascii=False),
    "json in json": lambda text: json.dumps(json.dumps(text)),
    "python": repr,
    "python of json": lambda text: repr(json.dumps({"error": text})),
    "ascii": ascii,
    "html": html.escape,
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
}


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=6, max_size=40), st.sampled_from(sorted(WAYS)))
def test_no_way_of_writing_a_secret_is_left(secret: str, way: str) -> None:
    written = WAYS[way](secret)
    said = blanked(f"before {written} after", [secret])
    assert "[key]" in said
    assert written not in said or written in "before [key] after"


@pytest.mark.parametrize("way", WAYS)
def test_nothing_of_a_hard_secret_is_left(way: str) -> None:
    said = blanked(f"before {WAYS[way](HARD)} after", [HARD, "another"])
    assert "one" not in said and "two" not in said
    assert said.startswith("before ") and said.endswith(" after")


@given(st.text(), st.lists(st.text(max_size=5)))
def test_what_is_too_short_for_a_key_tears_nothing(text: str, short: list[str]) -> None:
    assert blanked(text, short) == blanked(text, [])


def test_of_secrets_within_each_other_the_longest_is_blanked() -> None:
    assert blanked("a token-1234 and a token-123456", ["token-1234", "token-123456"]) == "a [key] and a [key]"


def test_what_an_address_holds_is_a_secret() -> None:
    for address in ("https://user:p%2Bword@host/v1", "http://word@host", "https://host/v1?v=1&api-key=sk%2Bone", "http://[::1]/?token=1"):
        assert secret_in_address(address)
    for address in ("https://host/v1?api-version=2024-10-21", "http://host:80/team@home?to=a@b", "http://[::1]:80/v1", "http://host/?key="):
        assert not secret_in_address(address)
    assert blanked("GET https://user:p%2Bword@host/v1?to=a@b", []) == "GET https://[key]@host/v1?to=a@b"
