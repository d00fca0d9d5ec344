"""What providers say of their limits, as they say it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gland_assets.core.headroom import Headroom, Room, headroom

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
OPENAI = {
    "x-ratelimit-limit-requests": "500", "x-ratelimit-remaining-requests": "499", "x-ratelimit-reset-requests": "120ms",
    "x-ratelimit-limit-tokens": "200000", "x-ratelimit-remaining-tokens": "199984", "x-ratelimit-reset-tokens": "6m0s",
}  # fmt: skip
ANTHROPIC = {
    "anthropic-ratelimit-requests-limit": "50", "anthropic-ratelimit-requests-remaining": "0",
    "anthropic-ratelimit-requests-reset": "2026-03-01T12:00:30Z", "anthropic-ratelimit-tokens-limit": "40000",
    "anthropic-ratelimit-tokens-remaining": "39000", "anthropic-ratelimit-tokens-reset": "2026-03-01T12:00:01+00:00",
}  # fmt: skip
OPENROUTER = {"x-ratelimit-limit": "20", "x-ratelimit-remaining": "3", "x-ratelimit-reset": str(int(NOW.timestamp() * 1000) + 45_000)}


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        (OPENAI, Headroom(Room(499, 0.12, 500), Room(199984, 360, 200000))),
        (ANTHROPIC, Headroom(Room(0, 30, 50), Room(39000, 1, 40000))),
        (OPENROUTER, Headroom(Room(3, 45, 20), None)),
        ({"x-ratelimit-remaining-requests": "7", "x-ratelimit-reset-requests": "1h2m3.5s"}, Headroom(Room(7, 3723.5, None), None)),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "12"}, Headroom(Room(0, 12, None), None)),
        ({"x-ratelimit-remaining": "1", "x-ratelimit-reset": str(int(NOW.timestamp()) + 9)}, Headroom(Room(1, 9, None), None)),
        ({"x-ratelimit-remaining-requests": "7"}, Headroom()),  # until when is not said
        ({"x-ratelimit-remaining-requests": "many", "x-ratelimit-reset-requests": "soon"}, Headroom()),
        ({"x-ratelimit-remaining-requests": "-1", "x-ratelimit-reset-requests": "1s"}, Headroom()),
        ({}, Headroom()),
    ],
)
def test_what_is_said_is_understood(headers: dict[str, str], said: Headroom) -> None:
    assert headroom(headers, NOW) == said


SAID = st.text("0123456789.-:smhdTZ", max_size=25) | st.sampled_from(["1", "1s", "nan", "inf"])


@given(st.dictionaries(st.sampled_from([*OPENAI, *ANTHROPIC, *OPENROUTER]), SAID))
def test_whatever_is_said_room_and_time_are_never_below_zero_nor_endless(headers: dict[str, str]) -> None:
    said = headroom(headers, NOW)
    for room in (said.requests, said.tokens):
        if room is not None:
            assert 0 <= room.left < float("inf")
            assert 0 <= room.seconds < float("inf")
