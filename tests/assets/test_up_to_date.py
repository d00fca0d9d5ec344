"""The `up_to_date` check: it warns of what an edit has left behind, names the disciplines, and is recorded only when it changes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from gland_assets.assets.up_to_date import LEVELS, NAME, report_up_to_date, up_to_date
from gland_assets.core.hashing import canonical
from gland_assets.core.levels import PARTITIONED, UPSTREAM
from gland_assets.core.project import Project
from gland_assets.core.recipes import fingerprint, recipe
from gland_assets.core.state import PartitionMeta
from gland_assets.io.partitions import Partitions
from gland_assets.io.project import load_project
from tests import rows
from tests.cli.running import declare, gland, store
from tests.io.sessions import session
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

    assert report_up_to_date(instance, project, tmp_path) == list(LEVELS)
    assert outcome(instance, "answers") == (True, {"fresh": 1, "stale": 0, "waiting": 0, "missing": 2})
    assert outcome(instance, "duplicates") == outcome(instance, "dataset") == (True, {"fresh": 0, "stale": 0, "waiting": 0, "missing": 1})


def test_an_edit_is_told_at_the_levels_it_touches_and_nowhere_else(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    project = small_project()
    for slug in ("logic", "algebra", "cooking"):
        make(project, tmp_path, slug)
    report_up_to_date(instance, project, tmp_path)

    edited = with_settings(project, "algebra", pairs=9)

    assert report_up_to_date(instance, edited, tmp_path) == ["questions", "answers", "signatures", "contamination"]
    assert outcome(instance, "questions") == (False, {"fresh": 2, "stale": 1, "waiting": 0, "missing": 0, "disciplines": "algebra"})
    assert outcome(instance, "answers") == (False, {"fresh": 2, "stale": 0, "waiting": 1, "missing": 0, "disciplines": "algebra"})
    assert outcome(instance, "syllabi")[0]


def test_nothing_is_recorded_twice_and_taking_the_edit_back_is(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    project = small_project()
    make(project, tmp_path, "logic")
    edited = with_settings(project, "logic", seed=1)
    report_up_to_date(instance, edited, tmp_path)

    assert report_up_to_date(instance, edited, tmp_path) == []
    assert report_up_to_date(instance, project, tmp_path) == ["subjects", "syllabi", "questions", "answers", "signatures", "contamination"]
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
        assets=[dg.AssetSpec(level) for level in LEVELS], asset_checks=[up_to_date(taxonomy, tmp_path / "warehouse")]
    ).resolve_implicit_global_asset_job_def()
    assert job.execute_in_process(instance=instance).success

    assert outcome(instance, "answers") == (True, {"fresh": 1, "stale": 0, "waiting": 0, "missing": 0})
    assert report_up_to_date(instance, load_project(taxonomy), tmp_path / "warehouse") == []


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """A project with everything made and published."""
    folder = declare(tmp_path / "project")
    store(folder, *(rows.made(slug) for slug in ("logic", "optics", "music")))
    assert gland(folder, "publish").code == 0
    return folder


def told(instance: dg.DagsterInstance, folder: Path) -> list[str]:
    return report_up_to_date(instance, load_project(folder / "taxonomy.toml"), folder / "warehouse")


FRESH = (True, {"fresh": 1, "stale": 0, "waiting": 0, "missing": 0})
STALE = (False, {"fresh": 0, "stale": 1, "waiting": 0, "missing": 0})


def test_duplicates_and_the_dataset_are_up_to_date_while_publishing_would_change_nothing(
    instance: dg.DagsterInstance, published: Path
) -> None:
    told(instance, published)
    assert outcome(instance, "duplicates") == outcome(instance, "dataset") == FRESH

    other = rows.with_question(rows.made("optics"), 0, text="What bends a ray of light?")
    store(published, other)
    assert told(instance, published) == ["duplicates", "dataset"]
    assert outcome(instance, "duplicates") == STALE
    assert outcome(instance, "dataset") == (False, {**STALE[1], "disciplines": "optics"})

    assert gland(published, "publish").code == 0
    assert told(instance, published) == ["duplicates", "dataset"]
    assert outcome(instance, "duplicates") == outcome(instance, "dataset") == FRESH


def test_an_edit_of_the_threshold_leaves_both_behind_and_one_of_the_tree_the_dataset_alone(
    instance: dg.DagsterInstance, published: Path
) -> None:
    told(instance, published)
    taxonomy = published / "taxonomy.toml"
    text = taxonomy.read_text()
    taxonomy.write_text(text.replace("[defaults]", "[dedup]\nthreshold = 0.6\n[defaults]"))
    assert told(instance, published) == ["duplicates", "dataset"]
    assert outcome(instance, "duplicates") == outcome(instance, "dataset") == STALE

    taxonomy.write_text(text.replace('"Arts"', '"Fine arts"\nslug = "arts"'))
    assert told(instance, published) == ["fields", "duplicates"]
    assert outcome(instance, "duplicates") == FRESH
    assert outcome(instance, "dataset") == STALE


def test_while_another_program_holds_the_published_file_the_dataset_is_not_judged(instance: dg.DagsterInstance, published: Path) -> None:
    path = published / "warehouse" / "gland.duckdb"
    with session(path, "create table mine(x int)", reads=False):
        assert told(instance, published) == [level for level in LEVELS if level != "dataset"]
    assert told(instance, published) == ["dataset"]
    assert outcome(instance, "dataset") == FRESH
