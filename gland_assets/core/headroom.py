"""What a provider's response headers say of its limits: how much of a rate is left, and when it is full again. Pure.

Three dialects are read: `x-ratelimit-remaining-requests` and its like (OpenAI, Azure, Groq, Together, vLLM's proxies), the same without a
kind (OpenRouter), and `anthropic-ratelimit-requests-remaining`. What cannot be read counts as not said.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

_SPAN = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_EPOCH_S = 1e9  # a bare number from here on is a time, not a span
_EPOCH_MS = 1e12


@dataclass(frozen=True, slots=True)
class Room:
    """What is left of one rate: `left` of `most` until `seconds` from now, when it is whole again."""

    left: float
    seconds: float
    most: float | None = None


@dataclass(frozen=True, slots=True)
class Headroom:
    """What is left of the rates of requests and of tokens; None where the provider does not say."""

    requests: Room | None = None
    tokens: Room | None = None


def headroom(headers: Mapping[str, str], now: datetime | None = None) -> Headroom:
    """What `headers` (names in lower case) say; `now` is the time they came, UTC."""
    now = now or datetime.now(UTC)
    return Headroom(_room(headers, "requests", now) or _room(headers, "", now), _room(headers, "tokens", now))


def _room(headers: Mapping[str, str], kind: str, now: datetime) -> Room | None:
    for shape in ("x-ratelimit-{what}-{kind}", "anthropic-ratelimit-{kind}-{what}") if kind else ("x-ratelimit-{what}",):
        left = _number(headers.get(shape.format(what="remaining", kind=kind)))
        seconds = _span(headers.get(shape.format(what="reset", kind=kind)), now)
        if left is not None and seconds is not None:
            return Room(left, seconds, _number(headers.get(shape.format(what="limit", kind=kind))))
    return None


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if 0 <= value < float("inf") else None


def _span(text: str | None, now: datetime) -> float | None:
    """Seconds from `now`: of `20ms`, `6m0s`, `12.5`, a Unix time in seconds or milliseconds, or an ISO 8601 time."""
    if not text:
        return None
    value = _number(text)
    if value is not None:
        at = value / 1000 if value >= _EPOCH_MS else value
        return max(0.0, at - now.timestamp()) if at >= _EPOCH_S else at
    parts = _SPAN.findall(text)
    if parts and "".join(map("".join, parts)) == text:
        return sum(float(number) * _SECONDS[unit] for number, unit in parts)
    try:
        at_time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return max(0.0, (at_time.replace(tzinfo=at_time.tzinfo or UTC) - now).total_seconds())
