"""The declared levels: partition d holds the node on d's path, so a field's edit reaches just the disciplines below it."""

from collections.abc import Iterator

import dagster as dg

from gland_assets.assets.describe import described, materialized
from gland_assets.assets.partitions import by_discipline
from gland_assets.assets.provenance import parents
from gland_assets.core.levels import DECLARED
from gland_assets.core.recipes import declared_rows
from gland_assets.io.builder import Builder

MEANING = {
    "fields": "The field each discipline stands under, as declared in taxonomy.toml.",
    "subfields": "The subfield each discipline stands under, as declared in taxonomy.toml.",
    "disciplines": "The disciplines declared in taxonomy.toml; each one is a partition of every level below.",
}


def _spec(level: str) -> dg.AssetSpec:
    about = described(level, "taxonomy", {"toml", "parquet"})
    return dg.AssetSpec(level, deps=parents(level), description=MEANING[level], **about)


@dg.multi_asset(name="taxonomy", specs=[_spec(level) for level in DECLARED], partitions_def=by_discipline, can_subset=True)
def taxonomy(context: dg.AssetExecutionContext, build: dg.ResourceParam[Builder]) -> Iterator[dg.MaterializeResult]:
    """Read the declared path of one discipline: field, subfield, discipline."""
    rows = declared_rows(build.project, context.partition_key)
    wanted = {key.path[-1] for key in context.selected_asset_keys}
    for level, outcome in build.declare(context.partition_key, wanted).items():
        yield materialized(context, outcome, [rows[level]])
