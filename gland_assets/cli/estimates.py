"""An estimate of what a plan takes, as lines and as JSON."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from rich.table import Table

from gland_assets.cli import render

if TYPE_CHECKING:
    from gland_assets.io.foresight import Estimate


def in_words(estimate: Estimate) -> str:
    """Calls, tokens, dollars and time in one line."""
    if not estimate.calls:
        return f"No new calls; {render.several(estimate.reused, 'reply', 'replies')} from the store."
    said = [f"About {render.several(estimate.calls, 'new call')}"]
    if estimate.reused:
        said.append(f"{estimate.reused:,} from the store")
    said.append(f"{render.tokens(estimate.prompt_tokens + estimate.completion_tokens)} tokens")
    said.append("price unknown" if estimate.usd is None else f"{render.money(estimate.usd)}")
    if estimate.seconds is not None:
        said.append(render.duration(estimate.seconds))
    return ", ".join(said) + "."


def by_stage(estimate: Estimate) -> Table:
    """One row a stage and their sum."""
    numbers = ["new calls", "from the store", "tokens in", "tokens out", "dollars"]
    table = render.headed(["  stage", *numbers], right=numbers)
    for name, part in [*estimate.by_stage.items(), ("all", estimate)]:
        cost = "unknown" if part.usd is None else render.money(part.usd)
        table.add_row(
            f"  {name}", f"{part.calls:,}", f"{part.reused:,}", render.tokens(part.prompt_tokens), render.tokens(part.completion_tokens), cost
        )
    return table


def as_json(estimate: Estimate) -> dict[str, Any]:
    """The `requests` object of `gland plan --json`."""
    return {
        "calls": estimate.calls, "reused": estimate.reused, "prompt_tokens": estimate.prompt_tokens,
        "completion_tokens": estimate.completion_tokens, "usd": number(estimate.usd), "seconds": estimate.seconds, "basis": estimate.basis,
    }  # fmt: skip


def number(usd: Decimal | None) -> float | None:
    """Dollars as JSON has them."""
    return None if usd is None else float(usd)
