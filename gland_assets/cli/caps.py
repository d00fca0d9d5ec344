"""What the caps on spending leave, in words."""

from __future__ import annotations

from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from gland_assets.cli import render

if TYPE_CHECKING:
    from gland_assets.core.project import Project
    from gland_assets.io.foresight import Estimate


def in_words(project: Project, warehouse: Path, estimate: Estimate, build_usd: Decimal | None = None) -> list[str]:
    """A line for each cap: how much of it is spent, and whether what is estimated passes it."""
    lines = []
    if build_usd is not None:
        more = estimate.all.usd is None or estimate.all.usd > build_usd
        lines.append(f"This build may spend {render.money(build_usd)}{_ends(more)}.")
    caps = project.budget
    if caps.usd is None and caps.tokens is None:
        return lines
    from gland_assets.io.ledger import Ledger

    with closing(Ledger(warehouse)) as ledger:
        usd, tokens = ledger.paid()
    if caps.usd is not None:
        more = estimate.all.usd is None or usd + estimate.all.usd > caps.usd
        lines.append(f"{render.money(usd)} of the budget of {render.money(caps.usd)} are spent{_ends(more)}.")
    if caps.tokens is not None:
        more = tokens + estimate.all.prompt_tokens + estimate.all.completion_tokens > caps.tokens
        lines.append(f"{render.tokens(tokens)} of the budget of {render.tokens(caps.tokens)} tokens are spent{_ends(more)}.")
    return lines


def _ends(more: bool) -> str:
    return "; it will stop before it is done" if more else ""
