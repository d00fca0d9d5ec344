"""Requests, replies and projects for the gateway's tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from gland_assets.core.project import Deployment, Price, Project, StageSettings
from gland_assets.core.requests import Message, Reply, Request
from gland_assets.io.sending import Waits
from tests.projects import small_project

NOON = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
PRICE = Price(Decimal("2.5"), Decimal(10))
QUICK = Waits(retries=3, refusals=3, first=0.001, longest=0.002, obeyed=0.05)


def request(text: str = "What is a lemma?", models: tuple[str, ...] = ("main",), seed: int = 1, **changed: Any) -> Request:
    """A request of stage answers for discipline logic."""
    asked = Request(
        "answers", "logic", f"row of {text}", (Message("user", text),), "hash of a prompt", StageSettings(models, 0.7, 0.95, 200), seed
    )
    return replace(asked, **changed)


def reply(key: str = "key", text: str = "A lemma is a small theorem.", **changed: Any) -> Reply:
    """A paid reply."""
    paid = Reply(key, text, "stop", "main", "model-a", 12, 4, 9, Decimal("0.000123456"), 0.25, 1, "build-1", NOON)
    return replace(paid, **changed)


def deployment(url: str | tuple[str, ...], name: str = "main", **changed: Any) -> Deployment:
    """A deployment that speaks OpenAI's protocol at `url`, priced."""
    bases = (url,) if isinstance(url, str) else url
    return replace(Deployment(name, f"openai/{name}-model", api_base=bases, timeout=20.0, price=PRICE), **changed)


def project_of(*deployments: Deployment) -> Project:
    """A small project with just these deployments."""
    named: Mapping[str, Deployment] = {each.name: each for each in deployments}
    return replace(small_project(), deployments=named, path=Path("taxonomy.toml"))
