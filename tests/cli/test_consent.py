"""Asking before money or much time is spent."""

from __future__ import annotations

import builtins
import sys
from decimal import Decimal

import pytest

from gland_assets.cli import consent
from gland_assets.core.errors import GlandError
from gland_assets.io.foresight import Estimate, Portion


def estimate(calls: int = 10, usd: Decimal | None = Decimal(0), seconds: float = 5.0) -> Estimate:
    return Estimate({("logic", "answers"): Portion(calls, 0, 100, 100, usd)}, seconds)


@pytest.mark.parametrize(
    ("what", "word"),
    [(estimate(), None), (estimate(0, Decimal(0), 9999.0), None),
     (estimate(usd=Decimal("0.01")), "costs about $0.01"),
     (estimate(usd=None), "unknown"), (estimate(seconds=consent.LONG_S), "takes about 15 min"),
     (estimate(seconds=consent.LONG_S - 1), None)],
)  # fmt: skip
def test_what_needs_consent(what: Estimate, word: str | None) -> None:
    reason = consent.weighty(what)
    assert reason is None if word is None else reason is not None and word in reason


def answer(monkeypatch: pytest.MonkeyPatch, said: str | None) -> None:
    def read(_: str) -> str:
        if said is None:
            raise EOFError
        return said

    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr(builtins, "input", read)


@pytest.mark.parametrize("said", ["y", "Y", " yes "])
def test_yes_goes_on(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, said)
    consent.ask(estimate(usd=Decimal(1)))


@pytest.mark.parametrize("said", ["", "n", "no", "what?", None])
def test_anything_else_does_not(said: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, said)
    with pytest.raises(GlandError, match="not built"):
        consent.ask(estimate(usd=Decimal(1)))


def test_without_a_terminal_nobody_is_asked_and_the_way_on_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False)
    with pytest.raises(GlandError, match="--yes"):
        consent.ask(estimate(usd=Decimal(1)))
    consent.ask(estimate())
