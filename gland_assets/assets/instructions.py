"""Questions of a discipline, each from sampled sessions and key concepts of one syllabus, and an answer to each."""

import dagster as dg

from gland_assets.assets.describe import PREVIEW_ROWS, check_specs, described, materialized
from gland_assets.assets.partitions import by_discipline
from gland_assets.assets.provenance import parents
from gland_assets.core.checks import check_answers, check_questions
from gland_assets.core.instructions import make_answers, make_questions
from gland_assets.io.builder import Builder


@dg.asset(
    partitions_def=by_discipline,
    deps=parents("questions"),
    check_specs=check_specs("questions"),
    **described("questions", "instructions", {"litellm", "parquet"}),
)
def questions(context: dg.AssetExecutionContext, build: dg.ResourceParam[Builder]) -> dg.MaterializeResult:
    """Questions of one discipline, each asked from one or two sampled sessions and their key concepts; then the imported ones."""
    slug = context.partition_key
    listed, taught = build.subjects(slug), build.syllabi(slug)
    outcome = build.generate("questions", slug, lambda making: make_questions(making, listed, taught))
    checks = check_questions(taught, build.questions(slug), build.discipline(slug).settings.pairs)
    return materialized(context, outcome, build.partitions.rows("questions", slug, PREVIEW_ROWS), checks)


@dg.asset(
    partitions_def=by_discipline,
    deps=parents("answers"),
    check_specs=check_specs("answers"),
    **described("answers", "instructions", {"litellm", "parquet"}),
)
def answers(context: dg.AssetExecutionContext, build: dg.ResourceParam[Builder]) -> dg.MaterializeResult:
    """One answer to every question of the discipline, asked for or imported with it."""
    slug = context.partition_key
    asked = build.to_answer(slug)
    outcome = build.generate("answers", slug, lambda making: make_answers(making, asked))
    checks = check_answers(asked, build.answers(slug))
    return materialized(context, outcome, build.partitions.rows("answers", slug, PREVIEW_ROWS), checks)
