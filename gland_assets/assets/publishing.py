"""Publish: everything that is kept, as tables in gland.duckdb."""

from pathlib import Path

import dagster as dg
from dagster_duckdb import DuckDBResource

from gland_assets.assets.describe import described, dollars, told_sets
from gland_assets.assets.provenance import parents, shared_tags
from gland_assets.core.plan import dataset_fingerprint
from gland_assets.io.builder import Builder
from gland_assets.io.database import opened_to_read
from gland_assets.io.live import write_live
from gland_assets.io.sql import query
from gland_assets.io.warehouse import publish

CHECKS = {
    "ids_unique": "No question stands twice over all disciplines.",
    "no_leaks_published": "No kept pair repeats an item of a declared benchmark set.",
    "benchmarks_hardly_repeated": "Of no benchmark set are more than 2 % of the items repeated; those pairs are dropped in any case.",
    "ancestry_complete": "Every row of the dataset leads up to its subject, discipline, subfield and field.",
}

WARNINGS = ("benchmarks_hardly_repeated",)


@dg.asset(
    deps=parents("dataset"),
    check_specs=[dg.AssetCheckSpec(name, asset="dataset", description=meaning) for name, meaning in CHECKS.items()],
    **described("dataset", "published", {"duckdb"}),
)
def dataset(context: dg.AssetExecutionContext, build: dg.ResourceParam[Builder], gland_duckdb: DuckDBResource) -> dg.MaterializeResult:
    """The published tables in gland.duckdb, and the `dataset` view over them: one row a kept pair with its whole ancestry."""
    ledger = build.gateway.ledger
    ledger.sync()
    spent = ledger.spent()
    write_live(build.project, build.warehouse)
    published = publish(build.project, build.warehouse, gland_duckdb)
    with opened_to_read(Path(gland_duckdb.database)) as connection:
        seen = {name: int(connection.execute(query(f"checks/{name}")).fetchall()[0][0]) for name in CHECKS}
        leaked = told_sets(connection.execute("from contamination_sets where discipline is null order by all").fetchall())
        rows = int(connection.execute("select count(*) from dataset").fetchall()[0][0])
    stands = dataset_fingerprint(build.project, build.partitions.metas())
    return dg.MaterializeResult(
        data_version=dg.DataVersion(stands),
        tags=shared_tags(build.project, "dataset", stands),
        metadata={
            "dagster/row_count": rows,
            "calls": spent.calls,
            "usd": dollars(None if spent.unpriced else spent.usd),
            "path": dg.MetadataValue.path(gland_duckdb.database),
            **leaked,
            **{f"rows/{table}": count for table, count in published.rows.items()},
        },
        check_results=[_checked(name, count) for name, count in seen.items()],
    )


def _checked(name: str, count: int) -> dg.AssetCheckResult:
    severity = dg.AssetCheckSeverity.WARN if name in WARNINGS else dg.AssetCheckSeverity.ERROR
    return dg.AssetCheckResult(passed=not count, check_name=name, severity=severity, metadata={"rows": count})
