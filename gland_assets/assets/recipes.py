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
from gland_assets.io.durable import write_text

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
    known = _reported(record)
    now = {f"{level}/{slug}": version for (level, slug), version in recipe_hashes(project).items()}
    changed = {name: version for name, version in now.items() if known.get(name) != version}
    for name, version in changed.items():
        level, slug = name.split("/")
        observed = dg.AssetObservation(dg.AssetKey(["recipes", level]), partition=slug, tags={DATA_VERSION_TAG: version})
        instance.report_runless_asset_event(observed)
    if changed or known.keys() - now.keys():
        write_text(record, json.dumps(now, indent=0, sort_keys=True))
    return len(changed)


def _reported(record: Path) -> dict[str, str]:
    """What was last reported; nothing when the file is gone or damaged, and then all of it is reported once more."""
    try:
        known = json.loads(record.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}
