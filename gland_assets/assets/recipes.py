"""The recipes as external assets: how Dagster knows that exactly one level of one discipline is stale after an edit of taxonomy.toml."""

import dagster as dg
from dagster._core.definitions.data_version import DATA_VERSION_TAG

from gland_assets.assets.partitions import by_discipline
from gland_assets.core.levels import DECLARED, PARTITIONED, UNPARTITIONED

GROUP = "recipes"
OWNERS = ["team:dataset"]
DECIDES = {
    **dict.fromkeys(DECLARED, "the node as it is declared"),
    "signatures": "the settings of [dedup]",
    "contamination": "the benchmark sets of [decontaminate], their rules and what their files hold",
    "duplicates": "the threshold of [dedup], whether across disciplines, and which disciplines there are",
    "dataset": "the declared tree",
}
OTHERWISE = "prompt texts, model and every setting that touches them"


def recipe_key(level: str) -> dg.AssetKey:
    """The asset that stands for the recipe of `level`."""
    return dg.AssetKey([GROUP, level])


recipe_specs = [
    dg.AssetSpec(
        recipe_key(level),
        description=f"What decides the rows of {level}: {DECIDES.get(level, OTHERWISE)}. Its version is reported when it changes.",
        partitions_def=by_discipline if level in PARTITIONED else None,
        group_name=GROUP,
        kinds={"toml"},
        owners=OWNERS,
    )
    for level in (*PARTITIONED, *UNPARTITIONED)
]


def report_recipe(instance: dg.DagsterInstance, level: str, version: str, slug: str | None = None) -> None:
    """Record, without a run, that a recipe now has this version."""
    # Of external assets, Dagster takes a partition's version from observations alone, and a whole asset's from materializations alone.
    event = dg.AssetObservation if slug else dg.AssetMaterialization
    instance.report_runless_asset_event(event(recipe_key(level), partition=slug, tags={DATA_VERSION_TAG: version}))
