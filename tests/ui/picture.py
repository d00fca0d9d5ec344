"""Draws docs/lineage.png anew: `python -m tests.ui.picture`. A small dataset is built with the test server and shown by `gland ui`."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from pathlib import Path

from playwright.sync_api import FloatRect, Page, expect

from tests.server import ModelServer
from tests.ui.browser import choose_on_graph, chromium, new_page, open_lineage
from tests.ui.interface import GLAND, ROOT, running, write_project

PICTURE = ROOT / "docs" / "lineage.png"
MARGIN = 10  # pixels around the graph


def draw(page: Page, url: str, path: Path) -> None:
    """The lineage from top to bottom, cropped to the graph."""
    open_lineage(page, url)
    choose_on_graph(page, "vertical")
    page.reload()  # which makes it fit
    expect(page.locator("foreignObject").get_by_text("dataset", exact=True).last).to_be_visible()
    page.mouse.move(5, 5)
    page.wait_for_timeout(2_000)  # until the graph has come to rest
    page.screenshot(path=path, clip=graph(page))


def graph(page: Page) -> FloatRect:
    """The rectangle that all nodes and groups stand in, with a margin."""
    boxes = [box for node in page.locator("foreignObject").all() if (box := node.bounding_box())]
    left, top = min(box["x"] for box in boxes), min(box["y"] for box in boxes)
    right, bottom = max(box["x"] + box["width"] for box in boxes), max(box["y"] + box["height"] for box in boxes)
    return {"x": left - MARGIN, "y": top - MARGIN, "width": right - left + 2 * MARGIN, "height": bottom - top + 2 * MARGIN}


def main() -> None:
    """Build, show, draw."""
    server = ModelServer().start()
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        taxonomy = write_project(Path(folder) / "project", server)
        build = [*GLAND, "--taxonomy", str(taxonomy), "build", "--yes"]
        subprocess.run(build, cwd=ROOT, env=os.environ | {"TEST_KEY": "x"}, check=True)
        with running(taxonomy) as interface:
            interface.wait_for_ticks("taxonomy_watch", 1)
            with new_page(browser, 1700, 1500) as page:
                draw(page, interface.url, PICTURE)
            interface.stop(signal.SIGINT)
    server.stop()
    print(f"{PICTURE}: {PICTURE.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
