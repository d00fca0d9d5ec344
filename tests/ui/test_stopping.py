"""The end of `gland ui`: whatever it was asked with, and whatever was going on, no process of it is left."""

from __future__ import annotations

import signal
import time
from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.server import ModelServer
from tests.ui.browser import materialize, new_page, open_lineage
from tests.ui.interface import running, write_project


def test_ctrl_c_ends_every_process(tmp_path: Path, server: ModelServer, browser: Browser) -> None:
    with running(write_project(tmp_path / "project", server)) as interface:
        with new_page(browser) as page:
            page.goto(interface.url)
            expect(page.get_by_text("Lineage", exact=True)).to_be_visible()
        assert len(interface.processes()) >= 3

        assert interface.stop(signal.SIGINT) == 0

        assert interface.processes() == []
        assert "Ended." in interface.said.read_text()


def test_sigterm_ends_every_process_with_a_run_under_way(tmp_path: Path, server: ModelServer, browser: Browser) -> None:
    server.state.latency = 30.0
    with running(write_project(tmp_path / "project", server)) as interface:
        with new_page(browser) as page:
            open_lineage(page, interface.url)
            materialize(page, "Materialize all", "logic")
            give_up = time.monotonic() + 60
            while not server.count:
                assert time.monotonic() < give_up, "the run asks for nothing"
                time.sleep(0.2)

            assert interface.stop(signal.SIGTERM) == 0

        assert interface.processes() == []
