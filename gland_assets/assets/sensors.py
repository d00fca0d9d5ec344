"""What watches: edits of taxonomy.toml, and levels that cost nothing to bring up to date."""

from pathlib import Path

import dagster as dg

from gland_assets.assets.instance import dagster_home
from gland_assets.assets.lost import end_lost_runs
from gland_assets.assets.partitions import sync_partitions
from gland_assets.assets.recipes import report_recipes
from gland_assets.assets.up_to_date import report_up_to_date
from gland_assets.core.errors import GlandError
from gland_assets.io.project import load_project

SECONDS = 15  # between two looks at taxonomy.toml


def taxonomy_watch(taxonomy: Path, warehouse: Path) -> dg.SensorDefinition:
    """A sensor that keeps what Dagster shows in step with the taxonomy file: partitions, recipe versions, and what an edit left behind."""

    @dg.sensor(
        name="taxonomy_watch",
        minimum_interval_seconds=SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Notices disciplines that come or go in the taxonomy, changed recipes, and what they leave behind. Makes nothing.",
    )
    def watch(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        """One look at the file, and at the runs."""
        end_lost_runs(context.instance)
        try:
            project = load_project(taxonomy)
        except GlandError as fault:
            return dg.SkipReason(f"{taxonomy.name} is not usable as it stands: {fault}")
        added, removed = sync_partitions(context.instance, project)
        changed = report_recipes(context.instance, project, dagster_home(warehouse))
        report_up_to_date(context.instance, project, warehouse)
        return dg.SkipReason(f"{len(added)} disciplines added, {len(removed)} removed, {changed} recipes changed")

    return watch


def free_levels() -> dg.AutomationConditionSensorDefinition:
    """The sensor that brings up to date what costs nothing; on from the start. What costs money is left to the user."""
    return dg.AutomationConditionSensorDefinition(
        "free_levels",
        target=dg.AssetSelection.assets("signatures", "duplicates", "dataset"),
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=SECONDS,
        description="Keeps signatures, duplicates and the published dataset in step with the questions and answers; asks no model.",
    )
