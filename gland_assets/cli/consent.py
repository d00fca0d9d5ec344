"""Asking before a build spends money or much time."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from gland_assets.cli import render
from gland_assets.core.errors import GlandError

if TYPE_CHECKING:
    from gland_assets.io.foresight import Estimate

LONG_S = 15 * 60.0


def weighty(estimate: Estimate) -> str | None:
    """Why a build needs consent, or None: it costs money, may cost money, or takes long."""
    asked = estimate.all
    if not asked.calls:
        return None
    if asked.usd is None:
        return "it costs an unknown amount"
    if asked.usd > 0:
        return f"it costs about {render.money(asked.usd)}"
    if estimate.seconds >= LONG_S:
        return f"it takes about {render.duration(estimate.seconds)}"
    return None


def ask(estimate: Estimate) -> None:
    """Return when the build may go on. Raises GlandError when it may not, or when nobody is there to ask."""
    reason = weighty(estimate)
    if reason is None:
        return
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise GlandError(f"not built: {reason}, and there is no terminal to ask at; `gland build --yes` goes ahead")
    try:
        answer = input("Go on? [y/N] ")
    except EOFError:
        answer = ""
    if answer.strip().lower() not in ("y", "yes"):
        raise GlandError("not built")
