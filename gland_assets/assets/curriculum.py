"""Subjects of a discipline and the syllabus of each subject."""

import dagster as dg

from gland_assets.assets.describe import check_specs, described, materialized
from gland_assets.assets.partitions import by_discipline
from gland_assets.assets.provenance import parents
from gland_assets.core.checks import check_subjects, check_syllabi
from gland_assets.core.curriculum import make_subjects, make_syllabi
from gland_assets.core.records import to_row
from gland_assets.io.builder import Builder


@dg.asset(
    partitions_def=by_discipline,
    deps=parents("subjects"),
    check_specs=check_specs("subjects"),
    **described("subjects", "curriculum", {"litellm", "parquet"}),
)
def subjects(context: dg.AssetExecutionContext, build: dg.ResourceParam[Builder]) -> dg.MaterializeResult:
    """Subjects of one discipline, merged over several sampled queries, each with level and subtopics."""
    slug = context.partition_key
    outcome = build.generate("subjects", slug, make_subjects)
    rows = build.subjects(slug)
    return materialized(context, outcome, [to_row(row) for row in rows], check_subjects(rows))


@dg.asset(
    partitions_def=by_discipline,
    deps=parents("syllabi"),
    check_specs=check_specs("syllabi"),
    **described("syllabi", "curriculum", {"litellm", "parquet"}),
)
def syllabi(context: dg.AssetExecutionContext, build: dg.ResourceParam[Builder]) -> dg.MaterializeResult:
    """One syllabus a subject: class sessions in order, each with its key concepts."""
    slug = context.partition_key
    taught = build.subjects(slug)
    outcome = build.generate("syllabi", slug, lambda making: make_syllabi(making, taught))
    rows = build.syllabi(slug)
    return materialized(context, outcome, [to_row(row) for row in rows], check_syllabi(taught, rows))
