"""Which signals stop a command: those a user means, in whatever way it was started."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from gland_assets.cli.stopping import SIGNALS, Stopping


@pytest.fixture(params=SIGNALS)
def number(request: pytest.FixtureRequest) -> Iterator[signal.Signals]:
    """A signal, whose handler is put back."""
    chosen: signal.Signals = request.param
    before = signal.getsignal(chosen)
    yield chosen
    signal.signal(chosen, before)


@pytest.mark.parametrize("before", [signal.SIG_DFL, signal.SIG_IGN], ids=["heard", "ignored"])
def test_every_signal_stops_and_only_nohup_keeps_one_away(number: signal.Signals, before: signal.Handlers) -> None:
    signal.signal(number, before)
    with Stopping() as stop:
        assert not stop()
        signal.raise_signal(number)
        assert stop() == ((number, before) != (signal.SIGHUP, signal.SIG_IGN))
    assert signal.getsignal(number) == before
