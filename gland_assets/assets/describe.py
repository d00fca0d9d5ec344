"""How a level shows itself in Dagster: its description, columns, owners, kinds, and the metadata of what was made."""

import re
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import dagster as dg

from gland_assets.assets.partitions import by_discipline
from gland_assets.assets.provenance import tags_of
from gland_assets.assets.recipes import OWNERS
from gland_assets.core.audit import histogram
from gland_assets.core.checks import CHECKS, CheckOutcome
from gland_assets.core.levels import RECIPE_VERSION
from gland_assets.core.progress import Count
from gland_assets.core.state import PartitionMeta
from gland_assets.core.tables import DATASET, TABLES
from gland_assets.io.builder import Outcome

PREVIEW_ROWS = 5
PAIRS = 10  # of disciplines, those with the most duplicates between them
PREVIEW_CHARS = 160  # of a cell
INLINE_CHARS = 999  # of the whole: a longer table hides behind a link
TOLD_ELSEWHERE = ("discipline", "request_key", "position", "sample_index", "made_at", "failure")

DESCRIBED = {**TABLES, DATASET.name: DATASET}


def table_metadata(name: str) -> dict[str, Any]:
    """Table name and column schema of the published table that an asset stands for."""
    columns = [dg.TableColumn(column.name, column.type, description=column.meaning) for column in DESCRIBED[name].columns]
    return {"dagster/table_name": name, "dagster/column_schema": dg.TableSchema(columns=columns)}


def described(name: str, group: str, kinds: set[str]) -> dict[str, Any]:
    """The arguments that every asset of ours takes."""
    return {
        "group_name": group,
        "kinds": kinds,
        "owners": OWNERS,
        "code_version": RECIPE_VERSION[name],
        "metadata": table_metadata(name),
    }


def check_specs(name: str) -> list[dg.AssetCheckSpec]:
    """The checks that materializing a partition of `name` evaluates, each with an outcome for every discipline."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)  # Dagster calls partitioned checks a preview
        return [
            dg.AssetCheckSpec(check, asset=name, description=meaning, partitions_def=by_discipline)
            for check, meaning in CHECKS[name].items()
        ]


def check_result(outcome: CheckOutcome) -> dg.AssetCheckResult:
    """A check's outcome as Dagster takes it."""
    severity = dg.AssetCheckSeverity.ERROR if outcome.error else dg.AssetCheckSeverity.WARN
    seen = {name: value for name, value in outcome.seen.items() if value != ""}
    return dg.AssetCheckResult(passed=outcome.passed, check_name=outcome.name, severity=severity, metadata=seen)


def materialized(
    context: dg.AssetExecutionContext, outcome: Outcome, rows: Sequence[Mapping[str, Any]], checks: Sequence[CheckOutcome] = (),
    more: Mapping[str, Any] | None = None,
) -> dg.MaterializeResult:  # fmt: skip
    """The result of bringing one partition up to date: its content hash as data version, what it holds and what it cost."""
    meta = outcome.meta
    return dg.MaterializeResult(
        asset_key=meta.asset,
        data_version=dg.DataVersion(meta.content_hash),
        tags=tags_of(context.instance, meta),
        metadata={**told(meta, rows, outcome.made), **(more or {})},
        check_results=[check_result(check) for check in checks],
    )


def told(meta: PartitionMeta, rows: Sequence[Mapping[str, Any]], made_now: bool) -> dict[str, Any]:
    """The metadata of one partition: what it holds, from what, what it cost, and its first `rows`."""
    return {
        "dagster/partition_row_count": meta.rows,
        "failed_rows": meta.failed,
        "made_now": made_now,
        "calls": meta.calls,
        "reused": meta.reused,
        "rejected": meta.rejected,
        "retries": meta.retries,
        "rate_limited": meta.limited,
        "answered_by": ", ".join(f"{name} {count:,}" for name, count in sorted(meta.answered.items())) or "nobody",
        "prompt_tokens": meta.prompt_tokens,
        "completion_tokens": meta.completion_tokens,
        "usd": dollars(meta.usd),
        "fingerprint": meta.fingerprint,
        "made_at": dg.MetadataValue.timestamp(meta.written_at) if meta.written_at else dg.MetadataValue.text("unknown"),
        "preview": dg.MetadataValue.md(preview(rows)),
    }


def told_count(count: Count) -> dict[str, Any]:
    """The metadata of a whole build: what became of its requests, and what they cost."""
    return {
        "calls": count.calls,
        "reused": count.reused,
        "rejected": count.rejected,
        "retries": count.limited + count.retried,
        "rate_limited": count.limited,
        "tokens": count.tokens,
        "usd": dollars(None if count.unpriced else count.usd),
    }


def dollars(usd: Decimal | str | None) -> dg.MetadataValue[Any]:
    """An amount as metadata; None is an unknown price."""
    return dg.MetadataValue.text("unknown price") if usd is None else dg.MetadataValue.float(float(usd))


def told_duplicates(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The metadata of `duplicates`: how many questions were dropped, as what, how alike, and between which disciplines."""
    steps = histogram(row["jaccard"] for row in rows)
    between = Counter((row["discipline"], row["kept_discipline"]) for row in rows)
    return {
        "dagster/row_count": len(rows),
        "exact": sum(row["kind"] == "exact" for row in rows),
        "near": sum(row["kind"] == "near" for row in rows),
        "across_disciplines": sum(row["discipline"] != row["kept_discipline"] for row in rows),
        "similarities": dg.MetadataValue.md(
            preview([{"from": f"{step:.2f}", "dropped": f"{many:,}"} for step, many in steps.items()], len(steps))
        ),
        "between_disciplines": dg.MetadataValue.md(
            preview(
                [{"dropped of": one, "kept of": other, "questions": f"{many:,}"} for (one, other), many in between.most_common(PAIRS)],
                PAIRS,
            )
        ),
    }


def told_leaks(rows: Sequence[Mapping[str, Any]], looked_for: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The metadata of `contamination`: by benchmark set looked for, how many of its items are repeated, and by how many pairs."""
    found: dict[str, tuple[set[str], set[str]]] = {each["benchmark"]: (set(), set()) for each in looked_for}
    for row in rows:
        items, pairs = found[row["benchmark"]]
        items.add(row["item_id"])
        pairs.add(row["question_id"])
    return {f"repeats/{name}": f"{len(items):,} items, in {len(pairs):,} pairs" for name, (items, pairs) in sorted(found.items())}


def told_sets(rows: Sequence[tuple[Any, ...]]) -> dict[str, Any]:
    """The metadata of `dataset` about benchmarks: by set and split, how many of its items are repeated, and by how many pairs."""
    return {
        f"repeats/{benchmark}{f' {split}' if split else ''}": f"{repeated:,} of {items:,} items ({share:.1%}), in {pairs:,} pairs"
        for benchmark, split, _, items, repeated, pairs, share, _ in rows
    }


def preview(rows: Sequence[Mapping[str, Any]], most: int = PREVIEW_ROWS) -> str:
    """The first rows as a Markdown table: what a person reads, long text cut; of nested rows their names; of a failed row its cause."""
    shown = [{name: text for name, value in row.items() if (text := _text(name, value))} for row in rows[:most]]
    for cells, row in zip(shown, rows, strict=False):
        if failure := row.get("failure"):
            cells["failed"] = f"{failure['cause']}: {failure['detail']}"
    names = list(dict.fromkeys(name for cells in shown for name in cells))
    if not names:
        return "No rows."
    lines = ["| " + " | ".join(names) + " |", "|" + " --- |" * len(names)]
    lines += ["| " + " | ".join(_cell(cells.get(name, "")) for name in names) + " |" for cells in shown]
    while len(lines) > 3 and sum(map(len, lines)) + len(lines) > INLINE_CHARS:
        lines.pop()
    return "\n".join(lines)


def _text(name: str, value: Any) -> str:
    """A value as a reader would want it; empty for addresses and numbers by the hundred."""
    if name in TOLD_ELSEWHERE or name.endswith("_id"):
        return ""
    if isinstance(value, list):
        parts = [part if isinstance(part, str) else part.get("title", "") for part in value if isinstance(part, str | Mapping)]
        return "; ".join(part for part in parts if part)
    return str(value) if isinstance(value, str | int | float) else ""


def _cell(value: str) -> str:
    text = " ".join(value.split())
    text = text if len(text) <= PREVIEW_CHARS else text[: PREVIEW_CHARS - 1] + "…"
    # What a model wrote is shown as written: no markup of it comes to life here.
    return re.sub(r"([\\`*_\[\]<>|~#])", r"\\\1", text)
