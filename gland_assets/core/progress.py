"""What a build tells while it runs. Plain values, so that they cross from worker processes to whoever shows them.

A gateway tells of every request. From a worker they come summed, a few times a second: at thousands of requests a second, sending each
would cost more than asking it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

SAMPLED = ("questions", "answers")
"""Stages whose replies are worth showing: one is one row, for a person to read."""

LIMITED = "rate_limited"
"""The cause of a 429."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Something happened to a request: its reply was accepted or rejected, it is asked again after a fault, or it failed."""

    kind: Literal["accepted", "rejected", "retry", "failed"]
    stage: str
    discipline: str
    text: str  # the reply, or what went wrong
    tokens: int = 0  # of prompt and reply
    usd: Decimal | None = None  # None: the price is unknown
    reused: bool = False
    deployment: str = ""  # that gave the reply, or did not answer
    cause: str = ""  # why it is asked again
    seconds: float = 0.0  # that a paid reply took
    instead_of: str = ""  # the deployment it was meant for, when another answered


@dataclass(frozen=True, slots=True)
class Resting:
    """A deployment is asked nothing for so many seconds from now; 0: it is asked again. Without a cause where another process found it."""

    deployment: str
    cause: str
    seconds: float


@dataclass(slots=True)
class Count:
    """Sums over what happened to requests. Calls, tokens, dollars and seconds are those of replies paid for."""

    calls: int = 0  # replies paid for
    reused: int = 0  # replies from the store
    rejected: int = 0  # replies, paid or reused, that must not be used
    accepted: int = 0  # replies that are used
    failed: int = 0  # requests that no try answered
    limited: int = 0  # calls answered with 429 and made again
    retried: int = 0  # calls that brought no reply for another cause and were made again
    moved: int = 0  # requests meant for a deployment that another one answered
    tokens: int = 0
    usd: Decimal = Decimal(0)  # of the calls whose price is known
    unpriced: int = 0  # calls whose price is unknown
    seconds: float = 0.0

    def add(self, other: Count) -> None:
        """Adds other sums."""
        for name in _SUMS:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def add_asked(self, asked: Asked) -> None:
        """Adds what happened to one request."""
        if asked.kind == "retry":
            if asked.cause == LIMITED:
                self.limited += 1
            else:
                self.retried += 1
            return
        if asked.kind == "failed":
            self.failed += 1
            return
        if asked.kind == "accepted":
            self.accepted += 1
        else:
            self.rejected += 1
        if asked.reused:
            self.reused += 1
            return
        self.calls += 1
        self.tokens += asked.tokens
        self.seconds += asked.seconds
        if asked.usd is None:
            self.unpriced += 1
        else:
            self.usd += asked.usd


_SUMS = tuple(Count.__dataclass_fields__)


@dataclass(slots=True)
class Counted:
    """What happened to requests over a moment, by stage, discipline and deployment, and one of the replies as a sample."""

    parts: dict[tuple[str, str, str], Count] = field(default_factory=dict)
    sample: Asked | None = None

    @classmethod
    def of(cls, told: Iterable[Asked]) -> Counted:
        """The sums over `told`."""
        counted = cls()
        for asked in told:
            counted.add(asked)
        return counted

    def add(self, asked: Asked) -> None:
        """Takes one more in."""
        self._part(asked, asked.deployment).add_asked(asked)
        if asked.instead_of and not asked.reused:
            self._part(asked, asked.instead_of).moved += 1
        if self.sample is None and asked.kind == "accepted" and asked.stage in SAMPLED:
            self.sample = asked

    @property
    def whole(self) -> Count:
        """All of it in one."""
        whole = Count()
        for part in self.parts.values():
            whole.add(part)
        return whole

    def _part(self, asked: Asked, deployment: str) -> Count:
        place = (asked.stage, asked.discipline, deployment)
        part = self.parts.get(place)
        if part is None:
            part = self.parts[place] = Count()
        return part


@dataclass(frozen=True, slots=True)
class LevelDone:
    """One partition is up to date."""

    discipline: str
    asset: str
    made: bool
    rows: int
    failed: int


@dataclass(frozen=True, slots=True)
class DisciplineDone:
    """Every level of a discipline was brought up to date, or `error` says why not."""

    discipline: str
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Published:
    """gland.duckdb is up to date, or `busy` says who holds it."""

    rows: int
    busy: str | None = None


Event = Counted | Resting | LevelDone | DisciplineDone | Published
