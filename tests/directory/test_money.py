"""Amounts as people and programs write them, to one decimal string."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastagi.directory.money import money


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("-12.50", "-12.50"),
        ("0.00", "0.00"),
        ("-0.00", "0.00"),
        ("-0", "0.00"),
        ("0", "0.00"),
        ("007", "7.00"),
        ("-12,5", "-12.50"),
        ("−12.5", "-12.50"),
        ("+3", "3.00"),
        ("1 200", "1200.00"),
        ("1\u00a0234\u202f567,5", "1234567.50"),
        ("1'200.05", "1200.05"),
        ("100.", "100.00"),
        ("12.345", "12.345"),
        ("12.34500", "12.345"),
        ("1000000", "1000000.00"),
    ],
)
def test_an_amount(text: str, amount: str) -> None:
    assert money(text) == amount


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "-",
        "free",
        "1e5",
        "NaN",
        "Infinity",
        "1,200.50",
        "12.50 RUB",
        "--1",
        "1.2.3",
        "9" * 40,
        ".5",
        "٣",
    ],
)
def test_no_amount(text: str) -> None:
    assert money(text) is None


@given(st.decimals(min_value=-(10**12), max_value=10**12, places=3))
def test_the_value_is_kept_and_one_form_is_final(amount: Decimal) -> None:
    text = money(f"{amount:f}")
    assert text is not None
    assert Decimal(text) == amount
    assert money(text) == text
