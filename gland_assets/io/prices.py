"""What a deployment's tokens cost: as the project says, else as the table in litellm's package says. litellm itself is not imported."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from gland_assets.core.cost import FREE, price_from_table
from gland_assets.core.project import Deployment, Price

TABLE = "model_prices_and_context_window_backup.json"
OWN_MACHINE = ("ollama/", "ollama_chat/", "llamafile/", "lm_studio/")
"""Providers that run on the user's own machine: no price a token. A declared price wins even there."""


def price_of(deployment: Deployment) -> Price | None:
    """Dollars per million tokens; None when neither the project nor litellm's table knows."""
    if deployment.price is not None:
        return deployment.price
    names = [name for name in (deployment.route, deployment.model) if name]
    if deployment.local or names[0].startswith(OWN_MACHINE):
        return FREE
    return price_from_table(price_table(), names)


@cache
def price_table() -> Mapping[str, Mapping[str, Any]]:
    """litellm's own table, dollars per token; empty when it is not where it was."""
    found = find_spec("litellm")
    for folder in (found.submodule_search_locations or ()) if found else ():
        path = Path(folder) / TABLE
        if path.is_file():
            table: dict[str, dict[str, Any]] = json.loads(path.read_bytes())
            return table
    return {}
