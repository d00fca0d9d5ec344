"""How a level shows itself in Dagster: its description, columns, owners, kinds, and the metadata of what was made."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from gland_assets.core.checks import CHECKS, CheckOutcome
from gland_assets.core.levels import RECIPE_VERSION
from gland_assets.core.tables import TABLES
from gland_assets.io.builder import Outcome

OWNERS = ["team:dataset"]
PREVIEW_ROWS = 5
PREVIEW_CHARS = 160


def table_metadata(name: str) -> dict[str, Any]:
    """Table name and column schema of the published table that an asset stands for."""
    columns = [dg.TableColumn(column.name, column.type, description=column.meaning) for column in TABLES[name].columns]
    return {"dagster/table_name": name, "dagster/column_schema": dg.TableSchema(columns=columns)}


def described(name: str, group: str, kinds: set[str], automation: dg.AutomationCondition | None = None) -> dict[str, Any]:
    """The arguments that every asset of ours takes."""
    return {
        "group_name": group,
        "kinds": kinds,
        "owners": OWNERS,
        "code_version": RECIPE_VERSION[name],
        "metadata": table_metadata(name) if name in TABLES else {},
        "automation_condition": automation,
    }


def check_specs(name: str) -> list[dg.AssetCheckSpec]:
    """The checks that materializing `name` evaluates."""
    return [dg.AssetCheckSpec(check, asset=name, description=meaning) for check, meaning in CHECKS[name].items()]


def check_result(outcome: CheckOutcome) -> dg.AssetCheckResult:
    """A check's outcome as Dagster takes it."""
    severity = dg.AssetCheckSeverity.ERROR if outcome.error else dg.AssetCheckSeverity.WARN
    return dg.AssetCheckResult(passed=outcome.passed, check_name=outcome.name, severity=severity, metadata=outcome.seen)


def materialized(outcome: Outcome, rows: Sequence[Mapping[str, Any]], checks: Sequence[CheckOutcome] = ()) -> dg.MaterializeResult:
    """The result of bringing one partition up to date: its content hash as data version, what it holds and what it cost."""
    meta = outcome.meta
    return dg.MaterializeResult(
        asset_key=meta.asset,
        data_version=dg.DataVersion(meta.content_hash),
        metadata={
            "dagster/partition_row_count": meta.rows,
            "failed_rows": meta.failed,
            "made_now": outcome.made,
            "calls": meta.calls,
            "reused": meta.reused,
            "prompt_tokens": meta.prompt_tokens,
            "completion_tokens": meta.completion_tokens,
            "usd": dg.MetadataValue.float(float(meta.usd)) if meta.usd is not None else dg.MetadataValue.text("unknown price"),
            "fingerprint": meta.fingerprint,
            "made_at": dg.MetadataValue.timestamp(meta.written_at) if meta.written_at else dg.MetadataValue.text("unknown"),
            "preview": dg.MetadataValue.md(preview(rows)),
        },
        check_results=[check_result(check) for check in checks],
    )


def preview(rows: Sequence[Mapping[str, Any]]) -> str:
    """The first rows as a Markdown table: plain columns only, long text cut."""
    shown = [{k: v for k, v in row.items() if isinstance(v, str | int | float) and not _address(k)} for row in rows[:PREVIEW_ROWS]]
    if not shown or not shown[0]:
        return "No rows."
    names = list(dict.fromkeys(name for row in shown for name in row))
    lines = ["| " + " | ".join(names) + " |", "|" + " --- |" * len(names)]
    lines += ["| " + " | ".join(_cell(row.get(name, "")) for name in names) + " |" for row in shown]
    return "\n".join(lines)


def _address(name: str) -> bool:
    return name in ("request_key", "discipline") or name.endswith("_id")


def _cell(value: Any) -> str:
    text = " ".join(str(value).split()).replace("|", "\\|")
    return text if len(text) <= PREVIEW_CHARS else text[: PREVIEW_CHARS - 1] + "…"
