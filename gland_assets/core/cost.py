"""What replies cost, in exact dollars, and how many tokens a text will be. Pure: price tables are handed in."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from gland_assets.core.project import Price

NANO = Decimal("0.000000001")
"""The smallest amount kept: nine places, as the published tables hold."""

FREE = Price(Decimal(0), Decimal(0))
"""The price of what runs on the user's own machine."""

MILLION = Decimal(1_000_000)

DENSE_RANGES = ((0x3040, 0x30FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xAC00, 0xD7AF), (0xF900, 0xFAFF))
LATIN_RANGES = ((0x0000, 0x024F), (0x2000, 0x206F))
"""First and last code points of what takes a token a character, and of what takes one for four."""

DENSE, LATIN = (re.compile(f"[{''.join(f'{chr(a)}-{chr(b)}' for a, b in ranges)}]") for ranges in (DENSE_RANGES, LATIN_RANGES))


def usd(price: Price | None, prompt_tokens: int, cached_tokens: int, completion_tokens: int) -> Decimal | None:
    """Dollars of one reply, rounded to nine places; None when the price is unknown.

    `cached_tokens` are those of the prompt's tokens the provider had in its cache: they are part of `prompt_tokens`, at their own price.
    """
    if price is None:
        return None
    cached = min(cached_tokens, prompt_tokens)
    at_cached = price.input if price.cached_input is None else price.cached_input
    total = price.input * (prompt_tokens - cached) + at_cached * cached + price.output * completion_tokens
    return (total / MILLION).quantize(NANO, rounding=ROUND_HALF_EVEN)


def to_nanos(dollars: Decimal) -> int:
    """Dollars as billionths of a dollar."""
    return int(dollars.scaleb(9))


def from_nanos(nanos: int) -> Decimal:
    """Billionths of a dollar as dollars."""
    return Decimal(nanos).scaleb(-9)


def price_from_table(table: Mapping[str, Mapping[str, Any]], names: Iterable[str]) -> Price | None:
    """The price of the first of `names` that `table` (litellm's, dollars per token) knows; None when it knows none.

    A name `provider/model` also matches the entry `model`, when that entry says it belongs to `provider`.
    """
    for name in names:
        provider, _, bare = name.partition("/")
        entry = table.get(name)
        if entry is None and bare and str(table.get(bare, {}).get("litellm_provider", "")).startswith(provider):
            entry = table.get(bare)
        if entry is None or entry.get("input_cost_per_token") is None or entry.get("output_cost_per_token") is None:
            continue
        cached = entry.get("cache_read_input_token_cost")
        return Price(
            _per_million(entry["input_cost_per_token"]),
            _per_million(entry["output_cost_per_token"]),
            None if cached is None else _per_million(cached),
        )
    return None


def _per_million(per_token: float | int | str) -> Decimal:
    # str() first: Decimal(2.5e-06) would carry the binary error along.
    return (Decimal(str(per_token)) * MILLION).normalize()


def estimate_tokens(text: str) -> int:
    """About how many tokens `text` is, without a tokenizer, rounded up; 0 for an empty text.

    Latin script and code: 4 characters a token. Chinese, Japanese and Korean: 1. Every other script: 2. Real tokenizers differ by a third
    either way, so this serves plans and budgets, never the bill.
    """
    if text.isascii():
        return math.ceil(len(text) / 4)
    dense = len(DENSE.findall(text))
    latin = len(LATIN.findall(text))
    return math.ceil(latin / 4 + dense + (len(text) - dense - latin) / 2)
