"""The external recipes: how Dagster knows that exactly one level of one discipline is stale after an edit of taxonomy.toml."""

import json
from pathlib import Path

import dagster as dg
from dagster._core.definitions.data_version import DATA_VERSION_TAG

from gland_assets.assets.describe import OWNERS
from gland_assets.assets.partitions import by_discipline
from gland_assets.core.levels import GENERATED
from gland_assets.core.plan import recipe_hashes
from gland_assets.core.project import Project

REPORTED = "recipes.json"  # beside Dagster's records, and gone with them: what was last reported to them

recipe_specs = [
    dg.AssetSpec(
        ["recipes", level],
        description=f"What decides how {level} are made: prompt texts, model and every setting that touches them. Observed, not made.",
        partitions_def=by_discipline,
        group_name="recipes",
        kinds={"toml"},
        owners=OWNERS,
    )
    for level in GENERATED
]


def report_recipes(instance: dg.DagsterInstance, project: Project, home: Path) -> int:
    """Record an observation for each recipe that has changed since the last report. Returns how many were recorded."""
    record = home / REPORTED
    try:
        known = json.loads(record.read_text())
    except (FileNotFoundError, ValueError):
        known = {}
    now = {f"{level}/{slug}": version for (level, slug), version in recipe_hashes(project).items()}
    changed = {name: version for name, version in now.items() if known.get(name) != version}
    for name, version in changed.items():
        level, slug = name.split("/")
        observed = dg.AssetObservation(dg.AssetKey(["recipes", level]), partition=slug, tags={DATA_VERSION_TAG: version})
        instance.report_runless_asset_event(observed)
    if changed or known.keys() - now.keys():
        partial = record.with_suffix(".tmp")
        partial.write_text(json.dumps(now, indent=0, sort_keys=True))
        partial.replace(record)
    return len(changed)
