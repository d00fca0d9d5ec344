"""Questions of a discipline, each from sampled sessions and key concepts of one syllabus, and an answer to each."""

import dagster as dg

from gland_assets.assets.describe import check_specs, described, materialized
from gland_assets.assets.partitions import by_discipline
from gland_assets.assets.provenance import parents
from gland_assets.core.checks import check_answers, check_questions
from gland_assets.core.instructions import make_answers, make_questions
from gland_assets.core.records import to_row
from gland_assets.io.builder import Builder


@dg.asset(
    partitions_def=by_discipline,
    deps=parents("questions"),
    check_specs=check_specs("questions"),
    **described("questions", "instructions", {"litellm", "parquet"}),
)
def questions(context: dg.AssetExecutionContext, build: dg.ResourceParam[Builder]) -> dg.MaterializeResult:
    """Questions of one discipline, each asked from one or two sampled sessions and their key concepts."""
    slug = context.partition_key
    listed, taught = build.subjects(slug), build.syllabi(slug)
    outcome = build.generate("questions", slug, lambda making: make_questions(making, listed, taught))
    rows = build.questions(slug)
    checks = check_questions(taught, rows, build.discipline(slug).settings.pairs)
    return materialized(context, outcome, [to_row(row) for row in rows], checks)


@dg.asset(
    partitions_def=by_discipline,
    deps=parents("answers"),
    check_specs=check_specs("answers"),
    **described("answers", "instructions", {"litellm", "parquet"}),
)
def answers(context: dg.AssetExecutionContext, build: dg.ResourceParam[Builder]) -> dg.MaterializeResult:
    """One answer to every question of the discipline."""
    slug = context.partition_key
    asked = build.questions(slug)
    outcome = build.generate("answers", slug, lambda making: make_answers(making, asked))
    rows = build.answers(slug)
    return materialized(context, outcome, [to_row(row) for row in rows], check_answers(asked, rows))
