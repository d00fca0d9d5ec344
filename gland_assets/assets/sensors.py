"""What watches: edits of taxonomy.toml, and what they leave behind."""

from pathlib import Path

import dagster as dg

from gland_assets.assets.lost import end_lost_runs
from gland_assets.assets.partitions import sync_partitions
from gland_assets.assets.records import Recorded, Records
from gland_assets.assets.reporting import BATCH, report
from gland_assets.assets.up_to_date import report_up_to_date
from gland_assets.core.errors import GlandError
from gland_assets.io.project import load_project

SECONDS = 15  # between two looks at taxonomy.toml


def taxonomy_watch(taxonomy: Path, warehouse: Path) -> dg.SensorDefinition:
    """A sensor that keeps what Dagster shows in step with the taxonomy file: partitions, recipe versions, and what an edit left behind."""

    read: dict[int, Recorded] = {}

    @dg.sensor(
        name="taxonomy_watch",
        minimum_interval_seconds=SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Notices disciplines that come or go in the taxonomy, changed recipes, and what they leave behind. Makes nothing.",
    )
    def watch(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        """One look at the file, at what stands, and at the runs."""
        end_lost_runs(context.instance)
        try:
            project = load_project(taxonomy)
        except GlandError as fault:
            return dg.SkipReason(f"{taxonomy.name} is not usable as it stands: {fault}")
        added, removed = sync_partitions(context.instance, project)
        reported = report(Records(context.instance, read), project, warehouse, limit=BATCH)
        report_up_to_date(context.instance, project, warehouse)
        said = f"disciplines: {len(added)} added, {len(removed)} removed; recipes: {reported.recipes} changed"
        if reported.partitions:
            said += f"; partitions made elsewhere: {len(reported.partitions)} told"
        return dg.SkipReason(said if reported.all else f"{said}; more to come")

    return watch
