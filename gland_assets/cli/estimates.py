"""An estimate of what a plan takes, as lines and as JSON."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from rich.table import Table

from gland_assets.cli import render

if TYPE_CHECKING:
    from gland_assets.io.foresight import Estimate, StageEstimate


def in_words(estimate: Estimate) -> str:
    """Calls, tokens, dollars and time in one line."""
    if not estimate.calls and not estimate.reused:
        return "No model is asked."
    if not estimate.calls:
        return f"No new calls; {render.several(estimate.reused, 'reply', 'replies')} from the store."
    said = [f"About {render.several(estimate.calls, 'new call')}"]
    if estimate.reused:
        said.append(f"{estimate.reused:,} from the store")
    said.append(f"{render.tokens(estimate.prompt_tokens + estimate.completion_tokens)} tokens")
    said += [render.money(estimate.usd), render.duration(estimate.seconds)]
    return ", ".join(said) + "."


def by_stage(estimate: Estimate) -> Table:
    """One row a stage and their sum."""
    numbers = ["new calls", "from the store", "tokens in", "tokens out", "cost"]
    table = render.headed(["  stage", *numbers], right=numbers)
    parts: dict[str, StageEstimate | Estimate] = {**estimate.by_stage, "all": estimate}
    for name, part in parts.items():
        spent = (render.tokens(part.prompt_tokens), render.tokens(part.completion_tokens), render.money(part.usd))
        table.add_row(f"  {name}", f"{part.calls:,}", f"{part.reused:,}", *spent)
    return table


def as_json(estimate: StageEstimate | Estimate) -> dict[str, Any]:
    """Calls, tokens and dollars, as `gland plan --json` gives them for all stages and for each."""
    names = ("calls", "reused", "prompt_tokens", "completion_tokens")
    return {**{name: getattr(estimate, name) for name in names}, "usd": number(estimate.usd)}


def number(usd: Decimal | None) -> float | None:
    """Dollars as JSON has them."""
    return None if usd is None else float(usd)
