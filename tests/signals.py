"""Pytest plugin: whatever tests start can be ended by Ctrl-C and SIGTERM, however the run was started, and no test takes that away.

Loaded by pyproject.toml for every run, and so by every worker of pytest-xdist.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

ENDING = (signal.SIGINT, signal.SIGTERM)


def pytest_configure() -> None:
    """Hear both signals in this process: what is ignored in it is ignored in all that it starts.

    The shell of a script ignores Ctrl-C for what it starts in the background. And Dagster, once it has run something in the main thread,
    leaves SIGTERM to whatever stands for Ctrl-C.
    """
    for number in ENDING:
        signal.signal(number, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _ending_signals_are_left_alone() -> Iterator[None]:
    """Fail the test that leaves one of them to anything else, and hear both again."""
    yield
    left = {number.name: signal.signal(number, signal.default_int_handler) for number in ENDING}
    changed = {name: handler for name, handler in left.items() if handler != signal.default_int_handler}
    assert not changed, f"the test leaves signals to others: {changed}"
