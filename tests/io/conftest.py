"""Fixtures of the gateway's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gland_assets.io import lanes, sending, slots
from tests.io.asking import Bench, Clock


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    for gateway in made.opened:
        gateway.close()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The time that lanes and senders of this process go by."""
    clock = Clock()
    for module in (lanes, slots):
        monkeypatch.setattr(module, "time", clock)
    for module in (lanes, sending):
        monkeypatch.setattr(module, "asyncio", clock)
    return clock
