"""Counting what was asked, paid for, reused and refused. Pure; the gateway adds to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from gland_assets.core.requests import Reply


@dataclass(slots=True)
class Tally:
    """Sums over a stretch of work. Tokens and dollars are those paid for; what was reused cost nothing again."""

    calls: int = 0  # replies paid for
    reused: int = 0  # replies answered from the store, or by an identical request in flight
    rejected: int = 0  # replies, paid or reused, that must not be used
    retries: int = 0  # calls to providers that brought no reply and were made again
    limited: int = 0  # of those, the ones answered with 429
    failures: int = 0  # requests that no try answered
    prompt_tokens: int = 0
    completion_tokens: int = 0
    known_usd: Decimal = Decimal(0)  # of the calls whose price is known
    unpriced: int = 0  # calls whose price is unknown
    deployments: dict[str, int] = field(default_factory=dict)  # replies, paid or reused, by who gave them
    stages: dict[str, Tally] = field(default_factory=dict)

    @property
    def usd(self) -> Decimal | None:
        """Dollars of all calls; None when the price of any is unknown."""
        return None if self.unpriced else self.known_usd

    def at(self, stage: str) -> tuple[Tally, Tally]:
        """This tally and its part for `stage`: what is counted goes into both."""
        return self, self.stages.setdefault(stage, Tally())

    def add_reply(self, reply: Reply) -> None:
        """Counts one reply, paid or reused."""
        self.deployments[reply.deployment] = self.deployments.get(reply.deployment, 0) + 1
        if reply.reused:
            self.reused += 1
            return
        self.calls += 1
        self.prompt_tokens += reply.prompt_tokens
        self.completion_tokens += reply.completion_tokens
        if reply.usd is None:
            self.unpriced += 1
        else:
            self.known_usd += reply.usd

    def add_retry(self, limited: bool) -> None:
        """Counts one call that brought no reply and is made again."""
        self.retries += 1
        self.limited += limited
