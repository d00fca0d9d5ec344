"""`gland ui` in a browser: every level and partition is seen, one click makes a discipline, one click brings changes up to date."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from gland_assets.core.checks import CHECKS
from gland_assets.core.levels import PARTITIONED, UNPARTITIONED
from gland_assets.core.tables import TABLES
from tests.ui.browser import check_row, open_lineage, open_partition, open_sensor, partition_row
from tests.ui.conftest import Made
from tests.ui.interface import Interface


def test_the_lineage_shows_every_level(interface: Interface, page: Page) -> None:
    open_lineage(page, interface.url)

    drawn = page.locator("foreignObject")
    for asset in (*PARTITIONED, *UNPARTITIONED):  # beside its recipe, which has the same name
        expect(drawn.get_by_text(asset, exact=True)).to_have_count(2)
        expect(drawn.get_by_text(asset, exact=True).last).to_be_visible()


def test_an_asset_shows_each_discipline_as_a_partition(interface: Interface, page: Page) -> None:
    page.goto(f"{interface.url}/assets/questions?view=partitions")

    for slug in ("logic", "algebra", "cooking"):
        expect(partition_row(page, slug)).to_be_visible()


def test_one_click_makes_a_discipline_with_rows_to_select_and_no_other(logic_made: Made) -> None:
    assert logic_made.rows == {"logic": 4}
    assert logic_made.asked == {"logic"}


def test_a_partition_tells_what_it_holds_and_what_it_cost(interface: Interface, logic_made: Made, page: Page) -> None:
    open_partition(page, interface.url, "questions", "logic")

    expect(page.get_by_text("Materialized", exact=True)).to_be_visible()
    for name, value in {"dagster/partition_row_count": "4", "failed_rows": "0", "calls": "4"}.items():
        expect(page.get_by_role("row", name=name)).to_contain_text(value)
    tokens, usd = page.get_by_role("row", name="prompt_tokens"), page.get_by_role("row", name="usd")
    assert int(tokens.inner_text().split()[1]) > 0
    assert float(usd.inner_text().split()[1]) > 0
    preview = page.get_by_role("row", name="preview").get_by_role("table")
    expect(preview).to_contain_text("strategy")
    shown = preview.inner_text()
    assert any(question[:60] in shown for (question,) in interface.select("select text from questions where discipline = 'logic'"))


def test_an_asset_shows_its_columns_and_checks(interface: Interface, logic_made: Made, page: Page) -> None:
    page.goto(f"{interface.url}/assets/questions")
    for column in TABLES["questions"].columns:
        expect(page.get_by_role("row", name=column.meaning)).to_contain_text(column.name)

    page.get_by_role("tab", name="Checks").click()
    for check in (*CHECKS["questions"], "up_to_date"):
        expect(check_row(page, check)).to_contain_text("Succeeded")


def test_the_job_makes_what_is_missing_and_asks_for_nothing_else(all_made: Made) -> None:
    assert all_made.rows == {"logic": 4, "algebra": 4, "cooking": 4}
    assert all_made.asked == {"algebra", "cooking"}


def test_an_edit_shows_without_a_restart(interface: Interface, edited: None, page: Page) -> None:
    interface.wait_for_ticks("taxonomy_watch", 1)

    page.goto(f"{interface.url}/assets/questions?view=partitions")
    expect(partition_row(page, "baking")).to_be_visible()
    page.goto(f"{interface.url}/assets/questions?view=checks&checkDetail=up_to_date")
    expect(check_row(page, "up_to_date")).to_contain_text("Failed")
    expect(page.get_by_role("row", name="disciplines")).to_contain_text("cooking")
    page.set_viewport_size({"width": 2560, "height": 1600})  # of which all neighbours are drawn in full
    page.goto(f"{interface.url}/assets/answers?view=lineage")
    for passed in ("5 / 6 Passed", "3 / 4 Passed"):  # questions, and answers below
        expect(page.get_by_text(passed)).to_be_visible()
    open_partition(page, interface.url, "questions", "cooking")
    expect(page.get_by_text("Unsynced")).to_be_visible()


def test_the_job_brings_just_the_changed_disciplines_up_to_date(changed_made: Made) -> None:
    assert changed_made.rows == {"logic": 4, "algebra": 4, "cooking": 6, "baking": 4}
    assert changed_made.asked == {"cooking", "baking"}


def test_an_unusable_taxonomy_is_told_by_the_sensor_and_breaks_no_page(interface: Interface, changed_made: Made, page: Page) -> None:
    sound = interface.taxonomy.read_text()
    interface.taxonomy.write_text(sound + "pairs = = 3\n")
    try:
        interface.wait_for_ticks("taxonomy_watch", 1)
        open_lineage(page, interface.url)
        expect(page.locator("foreignObject").get_by_text("dataset", exact=True).last).to_be_visible()
        open_sensor(page, interface.url, "taxonomy_watch")
        page.get_by_text("0 runs requested").first.hover()
        expect(page.get_by_text(f"taxonomy.toml:{len(sound.splitlines()) + 1}: the file: not TOML").first).to_be_visible()
    finally:
        interface.taxonomy.write_text(sound)


def test_automation_comes_to_rest(interface: Interface, changed_made: Made) -> None:
    """A look that falls between two levels of a build may launch a run, which finds everything made; once all stands, none follows."""
    interface.wait_for_ticks("keep_up_to_date", 2)
    launched = len(interface.automatic_runs())
    interface.wait_for_ticks("keep_up_to_date", 2)

    assert len(interface.automatic_runs()) == launched <= 4
