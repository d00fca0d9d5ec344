"""Numbers as people read them."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gland_assets.cli import render

AMOUNTS = st.decimals(Decimal("0.000000001"), Decimal("1e9"), places=9)


@given(AMOUNTS)
def test_no_amount_that_is_spent_is_shown_as_nothing(usd: Decimal) -> None:
    shown = Decimal(render.money(usd).removeprefix("$").replace(",", ""))
    assert shown > 0
    assert abs(shown - usd) <= max(usd * Decimal("0.05"), Decimal("0.005"))


@given(AMOUNTS)
def test_an_amount_has_no_exponent(usd: Decimal) -> None:
    assert re.fullmatch(r"\$[\d,]+(\.\d+)?", render.money(usd))


@pytest.mark.parametrize(
    ("usd", "shown"), [(None, "price unknown"), (Decimal(0), "$0"), (Decimal("0.00027"), "$0.00027"), (Decimal("0.0042"), "$0.0042"),
                       (Decimal("0.01"), "$0.01"), (Decimal("1234.5"), "$1,234.50")],
)  # fmt: skip
def test_amounts(usd: Decimal | None, shown: str) -> None:
    assert render.money(usd) == shown


@given(st.integers(0, 10**12))
def test_tokens_are_right_to_a_twentieth(count: int) -> None:
    number, _, unit = render.tokens(count).partition(" ")
    size = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9}[unit]
    assert abs(float(number.replace(",", "")) * size - count) <= 0.05 * max(count, 1)


@given(st.floats(0, 1e8))
def test_durations_are_right_to_a_tenth(seconds: float) -> None:
    sizes = {"s": 1, "min": 60, "h": 3600, "d": 86_400}
    parts = render.duration(seconds).split()
    shown = sum(int(count) * sizes[unit] for count, unit in zip(parts[::2], parts[1::2], strict=True))
    assert abs(shown - seconds) <= max(1.0, 0.1 * seconds)


@given(st.text(max_size=300), st.integers(2, 100))
def test_a_cut_text_is_one_line_and_fits(text: str, most: int) -> None:
    shown = render.cut(text, most)
    assert len(shown) <= most and "\n" not in shown
    assert shown == " ".join(text.split()) or shown.endswith("…")


@given(st.lists(st.text("abc", min_size=1, max_size=4), min_size=1, max_size=40))
def test_names_left_out_are_counted(names: list[str]) -> None:
    shown = render.some(names)
    found = re.search(r" and (\d+) more$", shown)
    listed = shown[: found.start()].split(", ") if found else shown.split(", ")
    assert len(listed) + (int(found[1]) if found else 0) == len(names)
