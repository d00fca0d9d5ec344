"""Caps on what is spent, and the most that one request can cost. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

from gland_assets.core.cost import MILLION
from gland_assets.core.project import Price
from gland_assets.core.requests import Request
from gland_assets.core.structured import schema_in_words

TURN_TOKENS = 16  # what a provider's template may put around one message
NANOS = 1_000_000_000  # of a dollar


@dataclass(frozen=True, slots=True)
class Caps:
    """What may be spent, each None where nothing is capped."""

    usd: Decimal | None = None  # by all builds of the project
    tokens: int | None = None  # by all builds of the project
    build_usd: Decimal | None = None  # by this build

    @property
    def dollars(self) -> bool:
        """Whether dollars are capped, so that every price must be known."""
        return self.usd is not None or self.build_usd is not None

    def __bool__(self) -> bool:
        return self.dollars or self.tokens is not None


@dataclass(frozen=True, slots=True)
class Worst:
    """The most that a request can take: no tokenizer makes more tokens than a text has bytes."""

    nanos: int  # billionths of a dollar, rounded up
    tokens: int


def worst_case(request: Request, price: Price | None) -> Worst:
    """The most that a reply to `request` can take at `price`; no dollars where the price is unknown."""
    said = sum(len(message.content.encode("utf-8", "replace")) + TURN_TOKENS for message in request.messages)
    # Some deployments are given the schema in words, the others as JSON, which is shorter.
    prompt = said + (len(schema_in_words(request.schema).encode()) + TURN_TOKENS if request.schema else 0)
    completion = request.settings.max_tokens
    if price is None:
        return Worst(0, prompt + completion)
    dearest = max(price.input, price.cached_input or Decimal(0))
    nanos = (dearest * prompt + price.output * completion) * NANOS / MILLION
    return Worst(int(nanos.to_integral_value(ROUND_CEILING)), prompt + completion)
