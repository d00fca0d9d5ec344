"""Near duplicates: signatures by discipline, then which question is kept over all of them."""

import dagster as dg

from gland_assets.assets.describe import PREVIEW_ROWS, described, materialized, told_duplicates
from gland_assets.assets.partitions import by_discipline
from gland_assets.assets.provenance import parents, shared_tags
from gland_assets.core.errors import WarehouseBusy
from gland_assets.io.builder import Builder
from gland_assets.io.minhash import compute_duplicates, full_buckets, update_index
from gland_assets.io.partitions import ALL
from gland_assets.io.references import sign_references
from gland_assets.io.signing import sign_questions


@dg.asset(
    partitions_def=by_discipline,
    deps=parents("signatures"),
    **described("signatures", "cleaning", {"python", "parquet"}),
)
def signatures(context: dg.AssetExecutionContext, build: dg.ResourceParam[Builder]) -> dg.MaterializeResult:
    """Text hash, MinHash signature and band keys of every question of the discipline."""
    slug = context.partition_key
    outcome = build.compute("signatures", slug, lambda: sign_questions(build.partitions, slug, build.project.dedup))
    return materialized(context, outcome, build.partitions.rows("questions", slug, PREVIEW_ROWS))


@dg.asset(
    deps=parents("duplicates"),
    check_specs=[
        dg.AssetCheckSpec(
            "kept_stand", asset="duplicates", description="Every dropped question names a kept one, which is not dropped itself."
        ),
    ],
    **described("duplicates", "cleaning", {"python", "duckdb"}),
)
def duplicates(context: dg.AssetExecutionContext, build: dg.ResourceParam[Builder]) -> dg.MaterializeResult:
    """Exact and near duplicates within and across disciplines, and which question is kept; leaves minhash.duckdb."""
    sign_references(build.project, build.partitions)
    meta = compute_duplicates(build.project, build.partitions, build.build_id)
    try:
        update_index(build.project, build.warehouse)
        index, full = "up to date", f"{len(full_buckets(build.project, build.warehouse)):,}"
    except WarehouseBusy as busy:  # somebody is reading it; what is kept does not depend on it
        index, full = f"put off: {busy}", "not known"
    rows = build.partitions.rows("duplicates", ALL)
    dropped = {row["question_id"] for row in rows}
    lost = [row for row in rows if row["kept_id"] in dropped]
    return dg.MaterializeResult(
        data_version=dg.DataVersion(meta.content_hash),
        tags=shared_tags(build.project, "duplicates", meta.fingerprint),
        metadata={**told_duplicates(rows), "index": index, "buckets_not_all_looked_at": full, "threshold": build.project.dedup.threshold},
        check_results=[dg.AssetCheckResult(passed=not lost, check_name="kept_stand", metadata={"dropped": len(rows), "lost": len(lost)})],
    )
