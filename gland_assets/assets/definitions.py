"""Everything Dagster loads for one taxonomy file."""

import os
from pathlib import Path

import dagster as dg

from gland_assets.assets.automation import keep_up_to_date
from gland_assets.assets.cleaning import contamination, duplicates, signatures
from gland_assets.assets.curriculum import subjects, syllabi
from gland_assets.assets.declared import taxonomy as declared
from gland_assets.assets.instructions import answers, questions
from gland_assets.assets.jobs import changed_disciplines, free_levels
from gland_assets.assets.publishing import dataset
from gland_assets.assets.recipes import recipe_specs
from gland_assets.assets.resources import builder_resource, published_file
from gland_assets.assets.sensors import taxonomy_watch
from gland_assets.assets.up_to_date import up_to_date
from gland_assets.io.builder import Builder

LEVELS = [declared, subjects, syllabi, questions, answers, signatures, contamination, duplicates, dataset]


def definitions_for(taxonomy: Path | str, warehouse: Path | str | None = None, builder: Builder | None = None) -> dg.Definitions:
    """The assets, checks, sensors and jobs of the project in `taxonomy`; the warehouse is GLAND_WAREHOUSE or stands beside the file.

    A build brings its own `builder`; a run launched from Dagster opens one for itself.
    The taxonomy itself is read when something runs, so the web interface opens, and says what is wrong, even while it does not parse.
    """
    source = Path(taxonomy).resolve()
    folder = Path(warehouse or os.environ.get("GLAND_WAREHOUSE") or source.parent / "warehouse").resolve()
    every_level = dg.define_asset_job(
        "every_level", selection=dg.AssetSelection.assets(*LEVELS), description="All levels of one discipline, and what follows from it."
    )
    paid, free = changed_disciplines(source, folder), free_levels(source, folder)
    return dg.Definitions(
        assets=[*recipe_specs, *LEVELS],
        asset_checks=[] if builder else [up_to_date(source, folder)],  # a build would evaluate them anew for every discipline
        jobs=[every_level, paid, free],
        sensors=[taxonomy_watch(source, folder), keep_up_to_date(source, folder, paid, free)],
        resources={"build": builder_resource(source, folder, builder), "gland_duckdb": published_file(folder)},
        executor=dg.in_process_executor,
    )
