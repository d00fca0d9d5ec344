"""What the caps on spending leave, in words: before a build, and while it runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing, suppress
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from gland_assets.cli import render
from gland_assets.core.errors import WarehouseError
from gland_assets.core.progress import Count

LOOK_S = 5.0  # between two looks at what other builds spend of the project's caps

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
    usd, tokens = _paid(warehouse)
    if caps.usd is not None:
        more = estimate.all.usd is None or usd + estimate.all.usd > caps.usd
        lines.append(f"{render.money(usd)} of the budget of {render.money(caps.usd)} are spent{_ends(more)}.")
    if caps.tokens is not None:
        more = tokens + estimate.all.prompt_tokens + estimate.all.completion_tokens > caps.tokens
        lines.append(f"{render.tokens(tokens)} of the budget of {render.tokens(caps.tokens)} tokens are spent{_ends(more)}.")
    return lines


class Used:
    """How much of each cap is spent while a build runs: what it spends itself, and, every few seconds, what others do."""

    def __init__(
        self, project: Project, warehouse: Path, build_usd: Decimal | None = None, now: Callable[[], float] = time.monotonic
    ) -> None:  # fmt: skip
        self._caps, self._build_usd, self._warehouse, self._now = project.budget, build_usd, warehouse, now
        self._shared = self._caps.usd is not None or self._caps.tokens is not None
        self._before = self._latest = _paid(warehouse) if self._shared else (Decimal(0), 0)
        self._looked_at = now()

    def look(self) -> None:
        """Read what all builds have spent, when it is time to."""
        if self._shared and self._now() - self._looked_at >= LOOK_S:
            self._looked_at = self._now()
            with suppress(WarehouseError):  # the build itself will tell
                self._latest = _paid(self._warehouse)

    def in_short(self, here: Count) -> str:
        """`$0.21 of $5.00 (--budget)` for each cap, when this build has spent `here`; empty where nothing is capped."""
        said = []
        if self._build_usd is not None:
            said.append(f"{render.money(here.usd)} of {render.money(self._build_usd)} (--budget)")
        usd, tokens = self._before[0] + here.usd, self._before[1] + here.tokens
        if self._caps.usd is not None:
            said.append(f"{render.money(max(usd, self._latest[0]))} of {render.money(self._caps.usd)} ([budget] usd)")
        if self._caps.tokens is not None:
            spent = render.tokens(max(tokens, self._latest[1]))
            said.append(f"{spent} of {render.tokens(self._caps.tokens)} ([budget] tokens)")
        return ", ".join(said)


def _paid(warehouse: Path) -> tuple[Decimal, int]:
    from gland_assets.io.ledger import Ledger

    with closing(Ledger(warehouse)) as ledger:
        return ledger.paid()


def _ends(more: bool) -> str:
    return "; it will stop before it is done" if more else ""
