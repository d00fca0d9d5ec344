"""`gland ui` in a browser: every level and partition is seen, one click makes a discipline, one click brings changes up to date."""

from __future__ import annotations

import re
from collections import Counter

import dagster as dg
from playwright.sync_api import Page, expect

from gland_assets.core.levels import DECLARED, GENERATED, PARTITIONED, UNPARTITIONED
from tests.server import ModelServer
from tests.ui.browser import launch_job, open_lineage, open_partition, partition_row, see_success
from tests.ui.interface import Interface

BY_DISCIPLINE = "select discipline, count(*) from dataset group by all order by all"
FREE_LEVELS = "dagster/sensor_name"


def disciplines_asked(model: ModelServer) -> Counter[str]:
    """Requests the server got, by the discipline they name."""
    bodies = [" ".join(message["content"] for message in entry["body"]["messages"]) for entry in model.log]
    return Counter(name for body in bodies for name in ("Logic", "Algebra", "Cooking", "Set theory") if name in body)


def test_the_lineage_shows_every_level(interface: Interface, page: Page) -> None:
    open_lineage(page, interface.url)

    for asset in (*DECLARED, *GENERATED, "signatures", *UNPARTITIONED):
        expect(page.locator(f"a[href*='{asset}'], foreignObject").get_by_text(asset, exact=True).first).to_be_visible()
    for recipe in GENERATED:  # beside the asset of the same name
        assert page.locator("foreignObject").get_by_text(recipe, exact=True).count() == 2


def test_an_asset_shows_each_discipline_as_a_partition(interface: Interface, page: Page) -> None:
    page.goto(f"{interface.url}/assets/questions?view=partitions")

    for slug in ("logic", "algebra", "cooking"):
        expect(partition_row(page, slug)).to_be_visible()


def test_one_click_makes_a_discipline_with_rows_to_select(interface: Interface, logic_made: str) -> None:
    assert interface.select(BY_DISCIPLINE) == [("logic", 4)]
    assert interface.select("select distinct discipline from subjects") == [("logic",)]
