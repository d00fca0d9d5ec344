"""One browser and one web interface for all tests of a module; what takes a run is made once, by whoever asks for it first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Page

from tests.server import ModelServer
from tests.ui.browser import chromium, launch_job, materialize, new_page, open_lineage, see_success
from tests.ui.interface import Interface, running, write_project

JOB = "bring_changed_up_to_date"


@pytest.fixture(scope="session")
def model() -> Iterator[ModelServer]:
    """The test server, for as long as the interface runs."""
    server = ModelServer().start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with new_page(browser) as opened:
        yield opened


@pytest.fixture(scope="module")
def interface(tmp_path_factory: pytest.TempPathFactory, model: ModelServer) -> Iterator[Interface]:
    with running(write_project(tmp_path_factory.mktemp("ui") / "project", model)) as started:
        yield started


@dataclass(frozen=True, slots=True)
class Made:
    """What stood once a run had succeeded."""

    rows: dict[str, int]  # discipline -> rows of the dataset, as selected from gland.duckdb
    asked: frozenset[str]  # disciplines the model was asked about since the step before
    runs: int  # that Dagster's automation launched so far


@pytest.fixture(scope="module")
def logic_made(interface: Interface, browser: Browser, model: ModelServer) -> Made:
    """`logic` materialized at all levels from the lineage, in one click."""
    model.reset()
    with new_page(browser) as page:
        open_lineage(page, interface.url)
        materialize(page, "Materialize all", "logic")
        see_success(page)
    return made(interface, model)


@pytest.fixture(scope="module")
def all_made(logic_made: Made, interface: Interface, browser: Browser, model: ModelServer) -> Made:
    """The two other disciplines made by the one-click job."""
    return made_by_the_job(interface, browser, model)


@pytest.fixture(scope="module")
def edited(all_made: Made, interface: Interface) -> None:
    """The taxonomy with more pairs of one discipline, and with a discipline that is new."""
    interface.edit('disciplines = ["Cooking"]', 'disciplines = [{ name = "Cooking", pairs = 6 }, "Baking"]')


@pytest.fixture(scope="module")
def changed_made(edited: None, interface: Interface, browser: Browser, model: ModelServer) -> Made:
    """That edit brought up to date by the job."""
    return made_by_the_job(interface, browser, model)


def made_by_the_job(interface: Interface, browser: Browser, model: ModelServer) -> Made:
    model.reset()
    with new_page(browser) as page:
        launch_job(page, interface.url, JOB)
        see_success(page)
    return made(interface, model)


def made(interface: Interface, model: ModelServer) -> Made:
    said = [" ".join(message["content"] for message in entry["body"]["messages"]) for entry in model.log]
    asked = frozenset(slug for slug in ("logic", "algebra", "cooking", "baking") if any(slug.title() in text for text in said))
    rows = interface.select("select discipline, count(*) from dataset group by all")
    return Made(dict(rows), asked, len(interface.automatic_runs()))
