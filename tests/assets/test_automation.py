"""What Dagster's automation asks for by itself: each free level once, after what it is made from, and then nothing more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from gland_assets.assets import definitions_for
from gland_assets.assets.partitions import sync_partitions
from gland_assets.core.levels import PARTITIONED
from gland_assets.io.project import load_project

TAXONOMY = """
[dataset]
name = "automated"

[[field]]
name = "Formal sciences"
  [[field.subfield]]
  name = "Reasoning"
  disciplines = ["Logic", "Algebra"]
"""
FREE = dg.AssetSelection.assets("signatures", "duplicates", "dataset")


class Ticks:
    """The automation sensor's ticks over an instance of its own."""

    def __init__(self, taxonomy: Path, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        sync_partitions(instance, load_project(taxonomy))
        self._definitions = definitions_for(taxonomy, taxonomy.parent / "warehouse")
        self._last = dg.evaluate_automation_conditions(self._definitions, instance, FREE)

    def tick(self) -> dict[str, set[str | None]]:
        """Level -> partitions that this tick asks for."""
        self._last = dg.evaluate_automation_conditions(self._definitions, self.instance, FREE, cursor=self._last.cursor)
        asked = {
            key.path[-1]: set(self._last.get_requested_partitions(key)) for key in FREE.resolve(self._definitions.resolve_asset_graph())
        }
        return {level: partitions for level, partitions in asked.items() if partitions}

    def made(self, level: str, partition: str | None = None) -> None:
        self.instance.report_runless_asset_event(dg.AssetMaterialization(level, partition=partition))


@pytest.fixture
def ticks(tmp_path: Path) -> Iterator[Ticks]:
    taxonomy = tmp_path / "taxonomy.toml"
    taxonomy.write_text(TAXONOMY)
    with dg.DagsterInstance.ephemeral() as instance:
        yield Ticks(taxonomy, instance)


def test_nothing_is_asked_for_while_nothing_is_made(ticks: Ticks) -> None:
    assert ticks.tick() == {}


def test_a_levels_followers_are_asked_for_once_each_and_in_order(ticks: Ticks) -> None:
    for level in PARTITIONED:
        if level != "signatures":
            ticks.made(level, "logic")

    assert ticks.tick() == {"signatures": {"logic"}}
    ticks.made("signatures", "logic")
    assert ticks.tick() == {}  # what is not partitioned waits for things to settle
    assert ticks.tick() == {"duplicates": {None}, "dataset": {None}}  # in one run
    ticks.made("duplicates")
    ticks.made("dataset")
    assert [ticks.tick() for _ in range(3)] == [{}, {}, {}]


def test_a_discipline_made_with_all_that_follows_asks_for_nothing(ticks: Ticks) -> None:
    for level in PARTITIONED:
        ticks.made(level, "algebra")
    ticks.made("duplicates")
    ticks.made("dataset")

    assert [ticks.tick() for _ in range(2)] == [{}, {}]


def test_new_answers_alone_lead_to_publication_and_nothing_else(ticks: Ticks) -> None:
    for level in (*PARTITIONED, "answers"):
        ticks.made(level, "logic")
    ticks.made("duplicates")
    ticks.made("dataset")
    ticks.tick()

    ticks.made("answers", "logic")

    assert [ticks.tick() for _ in range(2)] == [{}, {"duplicates": {None}, "dataset": {None}}]


def test_a_build_that_goes_on_is_left_to_publish_by_itself(ticks: Ticks) -> None:
    for slug in ("logic", "algebra"):
        for level in PARTITIONED:
            ticks.made(level, slug)
        assert ticks.tick() == {}
    ticks.made("duplicates")
    ticks.made("dataset")

    assert [ticks.tick() for _ in range(3)] == [{}, {}, {}]
