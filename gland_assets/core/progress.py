"""What a build tells while it runs. Plain values, so that they cross from worker processes to whoever shows them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal


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


Event = Asked | LevelDone | DisciplineDone | Published
