"""The assets through Dagster's own APIs: runs, data versions, checks, metadata, and what the graph says of itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import dagster as dg
import pytest

from gland_assets.assets.definitions import definitions_for
from gland_assets.assets.instance import QUIET, open_instance
from gland_assets.assets.partitions import PARTITIONS_NAME, sync_partitions
from gland_assets.assets.records import Records
from gland_assets.assets.reporting import report
from gland_assets.core.levels import DECLARED, GENERATED, PARTITIONED, UNPARTITIONED
from gland_assets.core.tables import TABLES
from gland_assets.io.partitions import Partitions
from gland_assets.io.project import load_project
from tests.cli.running import declare
from tests.server import ModelServer
from tests.test_build import SERVED

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path, server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SMALL_KEY", "key-of-the-test")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "unused"))
    return declare(tmp_path / "project", head=SERVED.format(url=server.url, pairs=4, parallel=8))


@pytest.fixture
def instance(folder: Path) -> Iterator[dg.DagsterInstance]:
    with open_instance(folder / "warehouse") as opened:
        sync_partitions(opened, load_project(folder / "taxonomy.toml"))
        yield opened


def materialize(folder: Path, instance: dg.DagsterInstance, slug: str, *levels: str) -> dg.ExecuteInProcessResult:
    job = definitions_for(folder / "taxonomy.toml").resolve_implicit_global_asset_job_def()
    chosen = [dg.AssetKey(level) for level in levels or (*PARTITIONED, *UNPARTITIONED)]
    return job.execute_in_process(run_config=QUIET, instance=instance, partition_key=slug, asset_selection=chosen)


def versions(result: dg.ExecuteInProcessResult) -> dict[str, str]:
    return {
        event.materialization.asset_key.path[-1]: (event.materialization.tags or {})["dagster/data_version"]
        for event in result.get_asset_materialization_events()
    }


def test_one_run_of_one_discipline_ends_with_its_rows_published(folder: Path, instance: dg.DagsterInstance, server: ModelServer) -> None:
    for kind in ("429", "500"):
        server.fail(kind, match='"temperature": 0.7', retry_after=0.0)
    result = materialize(folder, instance, "logic")
    assert result.success
    made = {event.materialization.asset_key.path[-1]: event.materialization for event in result.get_asset_materialization_events()}
    assert made.keys() == {*PARTITIONED, *UNPARTITIONED}
    partitions = Partitions(folder / "warehouse")
    for level in PARTITIONED:
        meta = partitions.meta(level, "logic")
        assert meta is not None
        assert versions(result)[level] == meta.content_hash
        assert made[level].partition == "logic"
        assert made[level].metadata["dagster/partition_row_count"].value == meta.rows
        assert (meta.rows > 0) == str(made[level].metadata["preview"].value).startswith("|") == (level != "contamination")
    assert made["answers"].metadata["calls"].value == 4
    assert float(str(made["answers"].metadata["usd"].value)) > 0
    told = {name: made["answers"].metadata[name].value for name in ("reused", "rejected", "retries", "rate_limited", "answered_by")}
    assert told == {"reused": 0, "rejected": 0, "retries": 2, "rate_limited": 1, "answered_by": "large 4"}
    assert made["dataset"].metadata["calls"].value == server.answered
    metas = [meta for level in GENERATED if (meta := partitions.meta(level, "logic"))]
    assert made["dataset"].metadata["usd"].value == float(sum(Decimal(meta.usd or 0) for meta in metas))
    assert made["dataset"].metadata["dagster/row_count"].value == 4
    checks = {(c.asset_key.path[-1], c.check_name): c.passed for c in result.get_asset_check_evaluations()}
    assert {asset for asset, _ in checks} >= {"subjects", "syllabi", "questions", "answers", "duplicates", "dataset"}
    assert all(checks.values()), checks


def test_a_second_run_returns_at_once_with_the_same_versions_and_asks_nobody(
    folder: Path, instance: dg.DagsterInstance, server: ModelServer
) -> None:
    first = versions(materialize(folder, instance, "logic"))
    files = {path: path.stat().st_mtime_ns for path in (folder / "warehouse").glob("*/logic.parquet")}
    server.reset()
    assert versions(materialize(folder, instance, "logic")) == first
    assert server.count == 0
    assert files == {path: path.stat().st_mtime_ns for path in (folder / "warehouse").glob("*/logic.parquet")}


def test_a_level_whose_upstream_is_missing_says_what_to_make_first(folder: Path, instance: dg.DagsterInstance) -> None:
    with pytest.raises(Exception, match="subjects"):
        materialize(folder, instance, "logic", "syllabi")


def test_a_check_fails_when_what_it_holds_is_broken(folder: Path, instance: dg.DagsterInstance) -> None:
    materialize(folder, instance, "logic")
    partitions = Partitions(folder / "warehouse")
    meta = partitions.meta("answers", "logic")
    assert meta is not None
    rows = partitions.rows("answers", "logic")
    rows[0]["text"] = " "
    rows[1]["question_id"] = "0" * 32
    partitions.write("answers", "logic", rows, meta)
    result = materialize(folder, instance, "logic", "answers")
    failed = {check.check_name for check in result.get_asset_check_evaluations() if not check.passed}
    assert failed == {"no_empty_answer", "answers_match_questions"}


def test_what_repeats_a_benchmark_shows_in_checks_and_metadata(folder: Path, instance: dg.DagsterInstance) -> None:
    materialize(folder, instance, "logic")
    asked = Partitions(folder / "warehouse").rows("questions", "logic")[0]["text"]
    (folder / "ours.jsonl").write_text(json.dumps({"question": asked}) + "\n")
    taxonomy = folder / "taxonomy.toml"
    taxonomy.write_text(f'[decontaminate.ours]\npath = "ours.jsonl"\ncolumns = ["question"]\n{taxonomy.read_text()}')
    result = materialize(folder, instance, "logic", "contamination", "duplicates", "dataset")
    made = {event.materialization.asset_key.path[-1]: event.materialization for event in result.get_asset_materialization_events()}
    assert made["contamination"].metadata["repeats/ours"].value == "1 items, in 1 pairs"
    assert made["dataset"].metadata["repeats/ours"].value == "1 of 1 items (100.0%), in 1 pairs"
    assert made["dataset"].metadata["dagster/row_count"].value == 3
    checks = {check.check_name: check for check in result.get_asset_check_evaluations()}
    assert checks["no_leaks_published"].passed
    assert not checks["benchmarks_hardly_repeated"].passed
    assert checks["benchmarks_hardly_repeated"].severity == dg.AssetCheckSeverity.WARN


def test_the_graph_is_that_of_the_levels_with_tables_and_columns(folder: Path) -> None:
    graph = definitions_for(folder / "taxonomy.toml").resolve_asset_graph()
    names = {"/".join(key.path) for key in graph.get_all_asset_keys()}
    assert names == {*PARTITIONED, *UNPARTITIONED, *(f"recipes/{level}" for level in (*PARTITIONED, *UNPARTITIONED))}
    for level in (*DECLARED, *GENERATED, "signatures", "contamination", "duplicates"):
        node = graph.get(dg.AssetKey(level))
        assert node.metadata["dagster/table_name"] == level
        columns = [column.name for column in node.metadata["dagster/column_schema"].columns]
        assert columns == [column.name for column in TABLES[level].columns]
        assert node.owners and node.description and node.group_name != "default"
    for level in PARTITIONED:
        assert isinstance(graph.get(dg.AssetKey(level)).partitions_def, dg.DynamicPartitionsDefinition)
    for level in (*PARTITIONED, *UNPARTITIONED):
        assert dg.AssetKey(["recipes", level]) in graph.get(dg.AssetKey(level)).parent_keys


def test_partitions_follow_the_taxonomy_both_ways(folder: Path, instance: dg.DagsterInstance) -> None:
    assert set(instance.get_dynamic_partitions(PARTITIONS_NAME)) == {"logic", "optics", "music"}
    taxonomy = folder / "taxonomy.toml"
    taxonomy.write_text(taxonomy.read_text().replace('["Logic", "Optics"]', '["Logic", "Set theory"]'))
    assert sync_partitions(instance, load_project(taxonomy)) == (["set-theory"], ["optics"])
    assert set(instance.get_dynamic_partitions(PARTITIONS_NAME)) == {"logic", "set-theory", "music"}


def test_a_recipe_is_reported_once_it_is_not_what_was_used_and_again_when_it_changes(folder: Path, instance: dg.DagsterInstance) -> None:
    taxonomy, warehouse = folder / "taxonomy.toml", folder / "warehouse"
    assert report(Records(instance), load_project(taxonomy), warehouse).recipes == len(UNPARTITIONED)
    materialize(folder, instance, "music")
    assert report(Records(instance), load_project(taxonomy), warehouse).recipes == 0
    for temperature in (0.1, 0.2):
        taxonomy.write_text(taxonomy.read_text().split("  stage.")[0] + f"  stage.answers.temperature = {temperature}\n")
        assert report(Records(instance), load_project(taxonomy), warehouse).recipes == 1
        observed = instance.fetch_observations(dg.AssetKey(["recipes", "answers"]), limit=1).records[0].asset_observation
        assert observed is not None and observed.partition == "music"
    assert report(Records(instance), load_project(taxonomy), warehouse).recipes == 0


def test_the_root_definitions_load_in_dagster() -> None:
    from definitions import defs

    dg.Definitions.validate_loadable(defs)
    assert defs.resolve_job_def("bring_changed_up_to_date").name == "bring_changed_up_to_date"
    assert load_project(ROOT / "taxonomy.toml").name
