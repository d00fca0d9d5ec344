"""One browser and one web interface for all tests of a module; what takes a run is made once, by whoever asks for it first."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.server import ModelServer
from tests.ui.browser import chromium, launch_job, materialize, open_lineage, see_success
from tests.ui.interface import Interface, running, write_project


@pytest.fixture(scope="session")
def model() -> Iterator[ModelServer]:
    """The test server, for as long as the interface runs."""
    server = ModelServer().start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserContext]:
    with chromium(tmp_path_factory.mktemp("profile")) as context:
        yield context


@pytest.fixture
def page(browser: BrowserContext) -> Iterator[Page]:
    opened = browser.new_page()
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def interface(tmp_path_factory: pytest.TempPathFactory, model: ModelServer) -> Iterator[Interface]:
    with running(write_project(tmp_path_factory.mktemp("ui") / "project", model)) as started:
        yield started


@pytest.fixture(scope="module")
def logic_made(interface: Interface, browser: BrowserContext) -> str:
    """`logic` materialized at all levels from the lineage, in one click. The run's id."""
    page = browser.new_page()
    open_lineage(page, interface.url)
    run = materialize(page, "Materialize all", "logic")
    see_success(page)
    page.close()
    return run


@pytest.fixture(scope="module")
def all_made(interface: Interface, browser: BrowserContext, logic_made: str) -> str:
    """The other disciplines made by the one-click job. The run's id."""
    page = browser.new_page()
    run = launch_job(page, interface.url, "bring_changed_up_to_date")
    see_success(page)
    page.close()
    return run
