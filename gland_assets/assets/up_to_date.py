"""The `up_to_date` check of every level: which of its partitions an edit has left behind.

Dagster's pages show that for a selected partition alone; a check shows on the lineage.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationTargetMaterializationData as Target
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecord

from gland_assets.assets.whole import whole_levels
from gland_assets.core.levels import PARTITIONED, UNPARTITIONED
from gland_assets.core.plan import Plan, make_plan
from gland_assets.core.project import Project
from gland_assets.io.partitions import Partitions
from gland_assets.io.project import load_project

NAME = "up_to_date"
MEANING = (
    "What stands was made from its recipe, and from what lies above it, as they are now. "
    "Bring it there with the job `bring_changed_up_to_date`. What has not been made yet does not count."
)
LEVELS = (*PARTITIONED, *UNPARTITIONED)
SHOWN = 20  # disciplines named in the metadata


def up_to_date(taxonomy: Path, warehouse: Path) -> dg.AssetChecksDefinition:
    """The check of every level, as one step that runs after whatever was made."""
    specs = [dg.AssetCheckSpec(NAME, asset=level, description=MEANING) for level in LEVELS]

    @dg.multi_asset_check(name=NAME, specs=specs, can_subset=True)
    def check(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        """Compare every partition with what it would be made from now."""
        asked = {key.asset_key.to_user_string() for key in context.selected_asset_check_keys}
        for level, seen in _seen(load_project(taxonomy), warehouse).items():
            if level in asked:
                yield dg.AssetCheckResult(
                    passed=_passes(seen), asset_key=level, check_name=NAME, severity=dg.AssetCheckSeverity.WARN, metadata=seen
                )

    return check


def report_up_to_date(instance: dg.DagsterInstance, project: Project, warehouse: Path) -> list[str]:
    """Record the check's outcome, without a run, for each level where it differs from what was last recorded, or is older than what was
    made since: Dagster disregards a check that is not of the latest materialization. Returns those levels."""
    keys = {level: dg.AssetCheckKey(dg.AssetKey(level), NAME) for level in LEVELS}
    recorded = instance.event_log_storage.get_latest_asset_check_execution_by_key(list(keys.values()))
    made = {
        record.asset_entry.asset_key: record.asset_entry.last_materialization_record
        for record in instance.get_asset_records([key.asset_key for key in keys.values()])
    }
    told = []
    for level, seen in _seen(project, warehouse).items():
        key = keys[level]
        latest = made.get(key.asset_key)
        if not _holds(instance, recorded.get(key), seen, latest):
            instance.report_runless_asset_event(_evaluation(level, seen, latest))
            told.append(level)
    return told


def _holds(
    instance: dg.DagsterInstance, record: AssetCheckExecutionRecord | None, seen: Mapping[str, Any], made: dg.EventLogRecord | None
) -> bool:
    """Whether the recorded check still says what is so, or is being evaluated just now."""
    if record is None:
        return False
    evaluation = record.evaluation
    if not isinstance(evaluation, dg.AssetCheckEvaluation):  # planned
        run = instance.get_run_by_id(record.run_id)
        return run is not None and not run.is_finished
    target = evaluation.target_materialization_data
    current = made is None or made.run_id == record.run_id or (target is not None and target.storage_id == made.storage_id)
    return current and {name: entry.value for name, entry in evaluation.metadata.items()} == seen


def _evaluation(level: str, seen: Mapping[str, Any], made: dg.EventLogRecord | None) -> dg.AssetCheckEvaluation:
    entries: dict[str, dg.MetadataValue[Any]] = {
        name: dg.MetadataValue.int(value) if isinstance(value, int) else dg.MetadataValue.text(value) for name, value in seen.items()
    }
    # Named by its number: without it Dagster goes by times, and its SQLite keeps those of checks to the second.
    target = made and Target(storage_id=made.storage_id, run_id=made.run_id, timestamp=made.timestamp)
    return dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey(level), check_name=NAME, passed=_passes(seen), severity=dg.AssetCheckSeverity.WARN, metadata=entries,
        target_materialization_data=target,
    )  # fmt: skip


def _seen(project: Project, warehouse: Path) -> dict[str, dict[str, Any]]:
    """By level: how many partitions are in each state, and which disciplines are behind. A level that cannot be looked at is left out."""
    metas = Partitions(warehouse).metas()
    plan = make_plan(project, metas)
    seen = {level: _partitions_seen(plan, level) for level in PARTITIONED}
    for level, whole in whole_levels(project, warehouse, metas).items():
        seen[level] = _counted([whole.state]) | _named(whole.disciplines)
    return seen


def _partitions_seen(plan: Plan, level: str) -> dict[str, Any]:
    states = {part.discipline: part.state for part in plan.partitions if part.asset == level and part.state != "orphan"}
    return _counted(states.values()) | _named([slug for slug, state in states.items() if state in ("stale", "waiting")])


def _counted(states: Collection[str]) -> dict[str, Any]:
    return {state: sum(each == state for each in states) for state in ("fresh", "stale", "waiting", "missing")}


def _named(behind: Sequence[str]) -> dict[str, str]:
    rest = f" and {len(behind) - SHOWN} more" if len(behind) > SHOWN else ""
    return {"disciplines": ", ".join(behind[:SHOWN]) + rest} if behind else {}


def _passes(seen: Mapping[str, Any]) -> bool:
    return not seen["stale"] and not seen["waiting"]
