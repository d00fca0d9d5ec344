"""Requests, replies, projects and gateways for the gateway's tests, and a clock for what waits."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from gland_assets.core.budget import Caps
from gland_assets.core.project import Deployment, Price, Project, StageSettings
from gland_assets.core.requests import Message, Reply, Request, RequestFailed
from gland_assets.io.gateway import Gateway
from gland_assets.io.ledger import Ledger
from gland_assets.io.sending import Waits
from gland_assets.io.store import ResponseStore
from tests.projects import small_project

NOON = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
PRICE = Price(Decimal("2.5"), Decimal(10))
NO_CAPS = Caps()
SCHEMA = {
    "type": "object", "required": ["names"], "additionalProperties": False,
    "properties": {"names": {"type": "array", "minItems": 2, "items": {"type": "string"}}},
}  # fmt: skip
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


class Bench:
    """Gateways over one warehouse, one after the other, as builds follow each other."""

    def __init__(self, warehouse: Path) -> None:
        self.warehouse = warehouse
        self.opened: list[Gateway] = []
        self.events: list[Any] = []

    def gateway(
        self, *deployments: Deployment, waits: Waits = QUICK, store: Path | None = None, caps: Caps = NO_CAPS, **how: Any
    ) -> Gateway:
        """A gateway of a build of its own."""
        ledger = Ledger(self.warehouse)
        build_id = ledger.start_build("0.1.0", "taxonomy")
        responses = ResponseStore(store or self.warehouse / "responses.sqlite")
        made = Gateway(project_of(*deployments), responses, ledger, build_id, caps, on_event=self.events.append, waits=waits, **how)
        self.opened.append(made)
        return made

    def requests(self) -> list[dict[str, Any]]:
        """The ledger's rows."""
        with sqlite3.connect(self.warehouse / "ledger.sqlite") as connection:
            connection.row_factory = sqlite3.Row
            rows = [dict(row) for row in connection.execute("select * from requests order by number")]
        connection.close()
        return rows


def text_of(reply: Reply) -> str:
    return reply.text


def ask(gateway: Gateway, *asked: Request, accept: Callable[[Reply], Any] = text_of) -> list[Any]:
    """Results, or the errors in their place, of requests asked at once in an event loop of their own."""

    async def all_at_once() -> list[Any]:
        return list(await asyncio.gather(*(gateway.ask(one, accept) for one in asked), return_exceptions=True))

    return asyncio.run(all_at_once())


def failure(outcome: Any) -> RequestFailed:
    assert isinstance(outcome, RequestFailed)
    return outcome


class Clock:
    """A time that passes while somebody sleeps, and when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.noted: list[float] = []  # when calls were made

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        wakes_at = self.now + seconds
        await asyncio.sleep(0)  # others begin to sleep meanwhile
        self.now = max(self.now, wakes_at)

    @asynccontextmanager
    async def note(self, name: str, asked: Request) -> AsyncIterator[None]:
        self.noted.append(self.now)
        yield
