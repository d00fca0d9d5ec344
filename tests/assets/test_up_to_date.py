"""The `up_to_date` check: it warns of what an edit has left behind, names the disciplines, and is recorded only when it changes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from gland_assets.assets.up_to_date import NAME, report_up_to_date, up_to_date
from gland_assets.core.hashing import canonical
from gland_assets.core.levels import PARTITIONED, UPSTREAM
from gland_assets.core.project import Project
from gland_assets.core.recipes import fingerprint, recipe
from gland_assets.core.state import PartitionMeta
from gland_assets.io.partitions import Partitions
from gland_assets.io.project import load_project
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


@dg.asset
def syllabi() -> None:
    """Stands for the level in a run."""


def test_what_is_made_afterwards_makes_it_told_again(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    """Dagster shows a check from before the latest materialization as not evaluated."""
    project = small_project()
    make(project, tmp_path, "logic")
    report_up_to_date(instance, project, tmp_path)

    dg.materialize([syllabi], instance=instance)

    assert report_up_to_date(instance, project, tmp_path) == ["syllabi"]


def test_the_check_can_be_run_by_hand(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    taxonomy = tmp_path / "taxonomy.toml"
    taxonomy.write_text('[dataset]\nname = "t"\n[[field]]\nname = "F"\n[[field.subfield]]\nname = "S"\ndisciplines = ["Logic"]\n')
    make(load_project(taxonomy), tmp_path / "warehouse", "logic")

    job = dg.Definitions(
        assets=[dg.AssetSpec(level) for level in PARTITIONED], asset_checks=[up_to_date(taxonomy, tmp_path / "warehouse")]
    ).resolve_implicit_global_asset_job_def()
    assert job.execute_in_process(instance=instance).success

    assert outcome(instance, "answers") == (True, {"fresh": 1, "stale": 0, "waiting": 0, "missing": 0})
    assert report_up_to_date(instance, load_project(taxonomy), tmp_path / "warehouse") == []
