"""The most a request can cost is never less than what it costs."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from gland_assets.core.budget import NANOS, Caps, worst_case
from gland_assets.core.cost import FREE, usd
from gland_assets.core.project import Price
from gland_assets.core.requests import Message
from gland_assets.core.structured import schema_in_words
from tests.io.asking import request

DOLLARS = st.decimals(0, 1000, places=4)
PRICES = st.builds(Price, DOLLARS, DOLLARS, st.none() | DOLLARS)
TEXTS = st.text(max_size=200)


@given(TEXTS, TEXTS, PRICES, st.integers(1, 4096), st.data())
def test_no_reply_costs_more_than_the_worst_case(system: str, said: str, price: Price, most: int, data: st.DataObject) -> None:
    asked = request(said, messages=(Message("system", system), Message("user", said)))
    asked = replace(asked, settings=replace(asked.settings, max_tokens=most))
    worst = worst_case(asked, price)
    # No tokenizer makes more tokens of a text than it has bytes.
    prompt = data.draw(st.integers(0, len((system + said).encode()) + 2 * 8))
    cached, completion = data.draw(st.integers(0, prompt)), data.draw(st.integers(0, most))
    assert prompt + completion <= worst.tokens
    cost = usd(price, prompt, cached, completion)
    assert cost is not None and cost * NANOS <= worst.nanos + 1


def test_a_schema_counts_also_where_it_is_put_into_words_and_an_unknown_price_costs_no_dollars() -> None:
    schema = {"type": "object", "required": ["names"], "description": "é" * 40}
    plain, held = request(), request(schema=schema)
    assert worst_case(held, FREE).tokens - worst_case(plain, FREE).tokens >= len(f"\n\n{schema_in_words(schema)}".encode())
    assert worst_case(plain, None).nanos == worst_case(plain, FREE).nanos == 0


def test_caps_hold_where_something_is_capped() -> None:
    assert not Caps()
    assert Caps(tokens=0) and not Caps(tokens=0).dollars
    assert Caps(usd=Decimal(0)).dollars and Caps(build_usd=Decimal(0)).dollars
