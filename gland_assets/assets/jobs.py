"""One-click jobs of the web interface."""

from pathlib import Path

import dagster as dg

from gland_assets.assets.build import run_build
from gland_assets.assets.lost import process_tag
from gland_assets.core.plan import make_plan
from gland_assets.io.partitions import Partitions
from gland_assets.io.project import load_project

MEANING = (
    "Does what `gland build` does: makes exactly what is out of date, that is what an edit has changed and what has not been made yet, "
    "and publishes it. `gland plan` says beforehand what that is and what it costs."
)


def changed_disciplines(taxonomy: Path, warehouse: Path) -> dg.JobDefinition:
    """A job that does what `gland build` does: only what is out of date is made, then published.

    One build and not one queued run a discipline: starting each of those costs about 5 CPU seconds.
    """

    @dg.op(name="build_changed_disciplines")
    def build_changed(context: dg.OpExecutionContext) -> None:
        """Bring just the changed disciplines up to date."""
        context.instance.add_run_tags(context.run_id, process_tag())
        project = load_project(taxonomy)
        plan = make_plan(project, Partitions(warehouse).metas())
        result = run_build(project, warehouse, plan)
        context.log.info(f"{len(result.disciplines)} disciplines brought up to date: {', '.join(result.disciplines) or 'none had changed'}")
        if result.busy:
            context.log.warning(result.busy)

    @dg.job(name="bring_changed_up_to_date", description=MEANING)
    def bring_changed_up_to_date() -> None:
        build_changed()

    return bring_changed_up_to_date
