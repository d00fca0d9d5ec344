"""One-click jobs of the web interface."""

from collections.abc import Callable
from pathlib import Path

import dagster as dg

from gland_assets.assets.build import run_build
from gland_assets.assets.describe import told_count
from gland_assets.assets.lost import process_tag
from gland_assets.core.errors import GlandError
from gland_assets.core.plan import Plan, make_plan
from gland_assets.core.progress import Count, Counted, DisciplineDone, Event, LevelDone, Published
from gland_assets.io.partitions import Partitions
from gland_assets.io.project import load_project

CHANGED = (
    "Does what `gland build` does: makes exactly what is out of date, that is what an edit has changed and what has not been made yet, "
    "and publishes it. `gland plan` says beforehand what that is and what it costs."
)
FREE = "Brings up to date what asks no model, from what stands: signatures, contamination, near duplicates and the published dataset."


def changed_disciplines(taxonomy: Path, warehouse: Path) -> dg.JobDefinition:
    """A job that does what `gland build` does: only what is out of date is made, then published.

    One build and not one queued run a discipline: starting each of those costs about 5 CPU seconds.
    """
    return _job("bring_changed_up_to_date", CHANGED, taxonomy, warehouse, lambda plan: plan)


def free_levels(taxonomy: Path, warehouse: Path) -> dg.JobDefinition:
    """A job that does as much of a build as costs nothing."""
    return _job("bring_free_levels_up_to_date", FREE, taxonomy, warehouse, Plan.free)


def _job(name: str, meaning: str, taxonomy: Path, warehouse: Path, part: Callable[[Plan], Plan]) -> dg.JobDefinition:
    @dg.op(name=f"build_to_{name}")
    def build(context: dg.OpExecutionContext) -> None:
        """Build what the plan says, and tell in the run's log how it goes."""
        context.instance.add_run_tags(context.run_id, process_tag())
        try:
            project = load_project(taxonomy)
            plan = part(make_plan(project, Partitions(warehouse).metas()))
            counted = Count()
            result = run_build(project, warehouse, plan, on_event=lambda event: _tell(context, event, counted))
        except GlandError as fault:
            raise dg.Failure(str(fault), allow_retries=False) from None
        context.add_output_metadata(told_count(counted) | {"disciplines": len(result.disciplines), "build": result.build_id})
        context.log.info(f"{len(result.disciplines)} disciplines brought up to date: {', '.join(result.disciplines) or 'none had changed'}")

    @dg.job(name=name, description=meaning)
    def job() -> None:
        build()

    return job


def _tell(context: dg.OpExecutionContext, event: Event, counted: Count) -> None:
    """Say in the run's log what the build tells; what happened to requests is summed in `counted`."""
    match event:
        case Counted():
            counted.add(event.whole)
        case LevelDone(made=True):
            failed = f", {event.failed} failed" if event.failed else ""
            context.log.info(f"{event.asset} of {event.discipline}: {event.rows} rows{failed}")
        case DisciplineDone(error=str()):
            context.log.error(f"{event.discipline}: {event.error}")
        case Published(busy=None):
            context.log.info(f"published: {event.rows} rows in the dataset")
        case Published():
            context.log.warning(str(event.busy))
