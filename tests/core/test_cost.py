"""Dollars are exact, unknown prices stay unknown, and token estimates are stated ones."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gland_assets.core.cost import FREE, estimate_tokens, price_from_table, usd
from gland_assets.core.project import Price

TOKENS = st.integers(0, 10_000_000)
DOLLARS = st.decimals(0, 100, places=4)

TABLE = {
    "gpt-4o": {
        "input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05, "cache_read_input_token_cost": 1.25e-06, 
        "litellm_provider": "openai",
    },
    "azure/gpt-4o": {"input_cost_per_token": 3e-06, "output_cost_per_token": 1.2e-05, "litellm_provider": "azure"},
    "claude-x": {"input_cost_per_token": 1e-06, "output_cost_per_token": 5e-06, "litellm_provider": "anthropic"},
    "whisper": {"input_cost_per_second": 0.0001, "litellm_provider": "openai"},
}  # fmt: skip


@given(DOLLARS, DOLLARS, TOKENS, TOKENS)
def test_the_cost_is_the_price_times_the_tokens(input_price: Decimal, output_price: Decimal, prompt: int, completion: int) -> None:
    cost = usd(Price(input_price, output_price), prompt, 0, completion)
    assert cost is not None
    exact = (input_price * prompt + output_price * completion) / 1_000_000
    assert abs(cost - exact) <= Decimal("0.0000000005")
    assert cost.as_tuple().exponent == -9


@given(st.lists(st.tuples(TOKENS, TOKENS), max_size=20))
def test_costs_of_whole_prices_add_up(calls: list[tuple[int, int]]) -> None:
    price = Price(Decimal(2), Decimal(10))
    costs = [usd(price, prompt, 0, completion) for prompt, completion in calls]
    assert sum((cost for cost in costs if cost is not None), Decimal(0)) == usd(
        price, sum(p for p, _ in calls), 0, sum(c for _, c in calls)
    )


@given(TOKENS, TOKENS, TOKENS)
def test_an_unknown_price_gives_no_cost_and_a_free_one_gives_nothing(prompt: int, cached: int, completion: int) -> None:
    assert usd(None, prompt, cached, completion) is None
    assert usd(FREE, prompt, cached, completion) == 0


@given(TOKENS, TOKENS)
def test_cached_tokens_are_part_of_the_prompt(prompt: int, cached: int) -> None:
    plain, cheaper = Price(Decimal(2), Decimal(10)), Price(Decimal(2), Decimal(10), Decimal(1))
    whole, half = usd(plain, prompt, cached, 0), usd(cheaper, prompt, cached, 0)
    assert whole == usd(plain, prompt, 0, 0)
    assert whole is not None
    assert half is not None
    assert half <= whole


@pytest.mark.parametrize(
    ("names", "price"),
    [
        (("gpt-4o",), Price(Decimal("2.5"), Decimal(10), Decimal("1.25"))),
        (("openai/gpt-4o",), Price(Decimal("2.5"), Decimal(10), Decimal("1.25"))),
        (("azure/gpt-4o",), Price(Decimal(3), Decimal(12))),
        (("azure/prod-4o-eu", "gpt-4o"), Price(Decimal("2.5"), Decimal(10), Decimal("1.25"))),
        (("anthropic/claude-x",), Price(Decimal(1), Decimal(5))),
        (("hosted_vllm/gpt-4o",), None),  # another's model of the same name
        (("whisper",), None),
        (("unheard-of",), None),
        ((), None),
    ],
)
def test_prices_come_from_the_table_by_name_and_provider(names: tuple[str, ...], price: Price | None) -> None:
    assert price_from_table(TABLE, names) == price


@given(st.text(max_size=200), st.text(max_size=200))
def test_a_longer_text_is_never_fewer_tokens(text: str, more: str) -> None:
    assert estimate_tokens(text) <= estimate_tokens(text + more) <= estimate_tokens(text) + estimate_tokens(more)
    assert (estimate_tokens(text) == 0) == (text == "")


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("", 0), ("word" * 10, 10), ("naïve café", 3), ("光合作用", 4), ("фотосинтез", 5), ("光 and light", 4)],
)
def test_estimates_by_script(text: str, tokens: int) -> None:
    assert estimate_tokens(text) == tokens
