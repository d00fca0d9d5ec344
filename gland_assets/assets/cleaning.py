"""What is dropped: by discipline, what repeats a benchmark, and signatures; then over all of them which question of several is kept."""

import dagster as dg

from gland_assets.assets.describe import PREVIEW_ROWS, check_result, described, materialized, told_duplicates, told_leaks
from gland_assets.assets.partitions import by_discipline
from gland_assets.assets.provenance import parents, shared_tags
from gland_assets.core.errors import WarehouseBusy
from gland_assets.io.auditing import DUPLICATES_CHECKS, check_duplicates
from gland_assets.io.builder import Builder
from gland_assets.io.contamination import find_leaks, looked_for
from gland_assets.io.minhash import NO_KEYS, compute_duplicates, full_buckets, update_index
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
    partitions_def=by_discipline,
    deps=parents("contamination"),
    **described("contamination", "cleaning", {"python", "parquet"}),
)
def contamination(context: dg.AssetExecutionContext, build: dg.ResourceParam[Builder]) -> dg.MaterializeResult:
    """Which questions and answers of the discipline repeat an item of a declared benchmark set, where, and how much of it."""
    slug = context.partition_key
    declared = build.project.decontaminate
    outcome = build.compute("contamination", slug, lambda: find_leaks(build.partitions, slug, declared), lambda: looked_for(declared))
    rows = build.partitions.rows("contamination", slug)
    return materialized(context, outcome, rows, more=told_leaks(rows, outcome.meta.looked_for))


@dg.asset(
    deps=parents("duplicates"),
    check_specs=[dg.AssetCheckSpec(name, asset="duplicates", description=meaning) for name, meaning in DUPLICATES_CHECKS.items()],
    **described("duplicates", "cleaning", {"python", "duckdb"}),
)
def duplicates(context: dg.AssetExecutionContext, build: dg.ResourceParam[Builder]) -> dg.MaterializeResult:
    """Exact and near duplicates within and across disciplines, and which question is kept; leaves minhash.duckdb."""
    sign_references(build.project, build.partitions)
    meta = compute_duplicates(build.project, build.partitions, build.build_id)
    try:
        update_index(build.project, build.warehouse)
        index, full = "up to date", full_buckets(build.project, build.warehouse)
    except WarehouseBusy as busy:  # somebody is reading it; what is kept does not depend on it
        index, full = f"put off: {busy}", NO_KEYS
    rows = build.partitions.rows("duplicates", ALL)
    return dg.MaterializeResult(
        data_version=dg.DataVersion(meta.content_hash),
        tags=shared_tags(build.project, "duplicates", meta.fingerprint),
        metadata={**told_duplicates(rows), "index": index, "threshold": build.project.dedup.threshold},
        check_results=[check_result(outcome) for outcome in check_duplicates(build.project, build.partitions, rows, full)],
    )
