"""The `up_to_date` check: it warns of what an edit has left behind, names the disciplines, and is recorded only when it changes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from gland_assets.assets.up_to_date import NAME, report_up_to_date
from gland_assets.core.hashing import canonical
from gland_assets.core.levels import PARTITIONED, UPSTREAM
from gland_assets.core.project import Project
from gland_assets.core.recipes import fingerprint, recipe
from gland_assets.core.state import PartitionMeta
from gland_assets.io.partitions import Partitions
from tests.projects import small_project, with_settings


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as opened:
        yield opened


def make(project: Project, warehouse: Path, slug: str) -> None:
    """Every partition of one discipline, without rows, as a build would leave it."""
    partitions = Partitions(warehouse)
    for level in PARTITIONED:
        made_by = recipe(project, level, project.discipline(slug))
        upstream = {name: f"content of {name}" for name in UPSTREAM[level]}
        print_ = fingerprint(made_by, upstream)
        partitions.write(level, slug, [], PartitionMeta(level, slug, print_, f"content of {level}", canonical(made_by), upstream))


def outcome(instance: dg.DagsterInstance, level: str) -> tuple[bool, dict[str, object]]:
    key = dg.AssetCheckKey(dg.AssetKey(level), NAME)
    evaluation = instance.event_log_storage.get_latest_asset_check_execution_by_key([key])[key].evaluation
    assert evaluation is not None
    return evaluation.passed, {name: entry.value for name, entry in evaluation.metadata.items()}


def test_what_is_missing_does_not_count_as_left_behind(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    project = small_project()
    make(project, tmp_path, "logic")

    assert report_up_to_date(instance, project, tmp_path) == list(PARTITIONED)
    assert outcome(instance, "answers") == (True, {"fresh": 1, "stale": 0, "waiting": 0, "missing": 2})


def test_an_edit_is_told_at_the_levels_it_touches_and_nowhere_else(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    project = small_project()
    for slug in ("logic", "algebra", "cooking"):
        make(project, tmp_path, slug)
    report_up_to_date(instance, project, tmp_path)

    edited = with_settings(project, "algebra", pairs=9)

    assert report_up_to_date(instance, edited, tmp_path) == ["questions", "answers", "signatures"]
    assert outcome(instance, "questions") == (False, {"fresh": 2, "stale": 1, "waiting": 0, "missing": 0, "disciplines": "algebra"})
    assert outcome(instance, "answers") == (False, {"fresh": 2, "stale": 0, "waiting": 1, "missing": 0, "disciplines": "algebra"})
    assert outcome(instance, "syllabi")[0]


def test_nothing_is_recorded_twice_and_taking_the_edit_back_is(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    project = small_project()
    make(project, tmp_path, "logic")
    edited = with_settings(project, "logic", seed=1)
    report_up_to_date(instance, edited, tmp_path)

    assert report_up_to_date(instance, edited, tmp_path) == []
    assert report_up_to_date(instance, project, tmp_path) == ["subjects", "syllabi", "questions", "answers", "signatures"]
    assert all(outcome(instance, level)[0] for level in PARTITIONED)
