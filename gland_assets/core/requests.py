"""A request to a model, its reply, and the seam through which every model call passes. Pure: the gateway stands behind `Ask`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol, TypeVar

from gland_assets.core.hashing import derive_seed, digest
from gland_assets.core.project import StageSettings

T = TypeVar("T")

PASSING = frozenset({"rate_limited", "timeout", "connection", "unreachable", "provider_error"})
"""Causes of a failure that says nothing about the request: no provider answered. Such rows are asked for again by the next build."""


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: str  # system, user or assistant
    content: str


@dataclass(frozen=True, slots=True)
class Request:
    """Everything that shapes one reply, and what names it when it fails."""

    stage: str
    discipline: str  # slug
    row: str  # id of the row it is for, as failure rows name it
    messages: tuple[Message, ...]
    prompt_hash: str  # of the prompt file's text
    settings: StageSettings
    seed: int
    sample: int = 0  # index among requests that are alike in all else
    schema: Mapping[str, Any] | None = None  # JSON schema the reply must fit
    avoid: frozenset[str] = frozenset()  # deployments to be asked last; no part of the key, for the reply may be anyone's

    def retry(self, attempt: int) -> Request:
        """The same request with the seed of its `attempt`-th try; try 0 is the request itself."""
        return replace(self, seed=derive_seed(self.seed, "try", attempt)) if attempt else self


def request_key(request: Request, identity: str) -> str:
    """Address of a request to the model `identity`: all that shapes the reply, nothing that does not (route, key, limits)."""
    settings = request.settings
    return digest(
        "request", identity, [[m.role, m.content] for m in request.messages],
        [settings.temperature, settings.top_p, settings.max_tokens], request.schema, request.seed, request.sample,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reply:
    """One stored response. Paid for once, whoever reuses it later."""

    request_key: str
    text: str
    finish_reason: str
    deployment: str
    model: str
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    usd: Decimal | None  # None: the price is unknown
    latency_s: float
    attempts: int  # calls to providers until this one answered
    build_id: str  # that paid it
    sent_at: datetime  # UTC
    reused: bool = False  # answered from the store in this build


class Rejected(Exception):
    """A reply that must not be used. `cause` is one of the declared names, `detail` says what was seen."""

    def __init__(self, cause: str, detail: str) -> None:
        self.cause, self.detail = cause, detail
        super().__init__(f"{cause}: {detail}")


class RequestFailed(Exception):
    """No try gave a usable reply. Becomes a failure row; the rest of the discipline goes on.

    `rejected` says that replies came, and none could be used; else no reply came.
    """

    def __init__(self, request: Request, request_key: str, cause: str, detail: str, attempts: int, rejected: bool) -> None:
        self.request, self.request_key = request, request_key
        self.cause, self.detail, self.attempts, self.rejected = cause, detail, attempts, rejected
        super().__init__(f"{request.stage} {request.row}: {cause}: {detail}")


class Ask(Protocol):
    """`await ask(request, accept)`: the accepted value and the reply it was read from.

    `accept` turns a reply into a value or raises Rejected; after a rejected reply the request is asked again as core/chain.py says.
    Raises RequestFailed when all tries are used up, Stopped when the build is stopping.
    """

    async def __call__(self, request: Request, accept: Callable[[Reply], T]) -> tuple[T, Reply]:
        """See the class."""
        ...
