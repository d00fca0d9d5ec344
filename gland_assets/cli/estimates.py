"""An estimate of what a plan takes, as lines and as JSON."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from rich.table import Table

from gland_assets.cli import render

if TYPE_CHECKING:
    from gland_assets.io.foresight import Estimate, Portion


def in_words(estimate: Estimate) -> str:
    """Calls, tokens, dollars and time in one line."""
    portion = estimate.all
    if not portion.calls and not portion.reused:
        return "No model is asked."
    if not portion.calls:
        return f"No new calls; {render.several(portion.reused, 'reply', 'replies')} from the store."
    said = [f"About {render.several(portion.calls, 'new call')}"]
    if portion.reused:
        said.append(f"{portion.reused:,} from the store")
    said.append(f"{render.tokens(portion.prompt_tokens + portion.completion_tokens)} tokens")
    said += [render.money(portion.usd), render.duration(estimate.seconds)]
    return ", ".join(said) + "."


def of_disciplines(portion: Portion) -> str:
    """Calls, tokens each way and dollars of some disciplines in one line; empty when no model is asked and no reply read."""
    if not portion.calls:
        return f"no new calls, {portion.reused:,} from the store" if portion.reused else ""
    tokens = f"{render.tokens(portion.prompt_tokens)} tokens in, {render.tokens(portion.completion_tokens)} out"
    return f"{render.several(portion.calls, 'new call')}, {portion.reused:,} from the store, {tokens}, {render.money(portion.usd)}"


def by_stage(estimate: Estimate) -> Table:
    """One row a stage and their sum."""
    numbers = ["new calls", "from the store", "tokens in", "tokens out", "cost"]
    table = render.headed(["  stage", *numbers], right=numbers)
    for name, part in {**estimate.by_stage, "all": estimate.all}.items():
        spent = (render.tokens(part.prompt_tokens), render.tokens(part.completion_tokens), render.money(part.usd))
        table.add_row(f"  {name}", f"{part.calls:,}", f"{part.reused:,}", *spent)
    return table


def as_json(portion: Portion) -> dict[str, Any]:
    """Calls, tokens and dollars, as `gland plan --json` gives them for all of a plan and for each part."""
    names = ("calls", "reused", "prompt_tokens", "completion_tokens")
    return {**{name: getattr(portion, name) for name in names}, "usd": number(portion.usd)}


def number(usd: Decimal | None) -> float | None:
    """Dollars as JSON has them."""
    return None if usd is None else float(usd)
