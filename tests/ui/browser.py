"""A headless Chromium, and the moves a person makes in Dagster's pages. Debian's browser: no download, no sandbox to set up."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

SWITCHES = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
SEEN_MS = 60_000  # until something must be on the page
MADE_MS = 150_000  # until a run must have succeeded


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser over a fresh profile. Fails with how to install it when there is none."""
    executable = shutil.which("chromium")
    assert executable, "apt-get install chromium"
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=executable, headless=True, args=SWITCHES) as browser:
        expect.set_options(timeout=SEEN_MS)
        yield browser


@contextmanager
def new_page(browser: Browser, width: int = 1600, height: int = 1000, scale: float = 1) -> Iterator[Page]:
    """A page that remembers nothing of earlier ones."""
    with browser.new_context(viewport={"width": width, "height": height}, device_scale_factor=scale) as context:
        context.set_default_timeout(SEEN_MS)
        yield context.new_page()


def open_lineage(page: Page, url: str) -> None:
    """The lineage of all assets, its groups expanded."""
    page.goto(f"{url}/asset-groups")
    expect(page.get_by_role("button", name="Materialize all")).to_be_enabled()
    expect(page.get_by_text("instructions").last).to_be_visible()
    choose_on_graph(page, "Expand all groups")


def choose_on_graph(page: Page, choice: str) -> None:
    """A choice of the graph's menu, opened with a right click where no asset stands."""
    size = page.viewport_size
    assert size
    page.mouse.click(size["width"] * 0.65, size["height"] - 60, button="right")
    page.get_by_role("menuitem", name=choice).click()


def materialize(page: Page, button: str, partition: str) -> str:
    """Click `button` on an open page, choose one partition in the dialog, launch, and follow to the run's page. Returns the run's id."""
    page.get_by_role("button", name=button).first.click()
    dialog = page.locator(".dagster-dialog")
    dialog.get_by_text("Select a partition").click()
    page.get_by_role("menuitem", name=partition).first.click()
    dialog.get_by_text("Launch runs to").click()  # which closes the list
    dialog.get_by_role("button", name="Launch 1 run").click()
    page.get_by_text("View", exact=True).first.click()
    return run_id(page)


def launch_job(page: Page, url: str, job: str) -> str:
    """Launch a job from its launchpad, come from the list of jobs. Returns the run's id, whose page is then open."""
    page.goto(f"{url}/jobs")
    page.get_by_text(job).first.click()
    page.get_by_role("tab", name="Launchpad").click()
    page.get_by_role("button", name="Launch run").click()
    return run_id(page)


def run_id(page: Page) -> str:
    """The id of the run whose page opens."""
    page.wait_for_url(re.compile(r"/runs/[0-9a-f-]{36}"))
    return page.url.split("/runs/")[1][:36]


def see_success(page: Page) -> None:
    """Wait until the open run's page says that it succeeded, and that nothing in it failed."""
    ended = page.get_by_text(re.compile("^(Success|Failure|Canceled)$")).first
    expect(ended).to_be_visible(timeout=MADE_MS)
    expect(ended).to_have_text("Success")


def open_partition(page: Page, url: str, asset: str, partition: str) -> None:
    """An asset's partitions, one of them chosen by a click."""
    page.goto(f"{url}/assets/{asset}?view=partitions")
    partition_row(page, partition).click()
    expect(page.get_by_text("Latest materialization")).to_be_visible()


def partition_row(page: Page, partition: str) -> Locator:
    """The partition in the list on an asset's page."""
    return page.get_by_text(partition, exact=True).first


def check_row(page: Page, check: str) -> Locator:
    """A check in the list on an asset's page, with what came of it."""
    return page.locator("div").filter(has_text=re.compile(rf"^({check})+(Succeeded|Failed)$")).first


def open_sensor(page: Page, url: str, sensor: str) -> None:
    """A sensor's page, come from the list of what is automated."""
    page.goto(f"{url}/automation")
    page.get_by_text(sensor).first.click()
    expect(page.get_by_text("Latest tick")).to_be_visible()
