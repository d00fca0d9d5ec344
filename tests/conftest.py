"""Fixtures that more than one floor's tests need."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.server import ModelServer

# Set before anything imports litellm: no test needs more network than the loopback interface.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"


def pytest_configure(config: pytest.Config) -> None:
    """Lets pass what a dependency warns of in its own code; every other warning is an error."""
    config.addinivalue_line("filterwarnings", "ignore:Item .* on TypedDict class:UserWarning")


@pytest.fixture(scope="session")
def _running_server() -> Iterator[ModelServer]:
    running = ModelServer().start()
    yield running
    running.stop()


@pytest.fixture
def server(_running_server: ModelServer) -> Iterator[ModelServer]:
    """A local OpenAI-compatible server, forgetful of earlier tests."""
    _running_server.reset()
    yield _running_server
    _running_server.reset()
