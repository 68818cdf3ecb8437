"""Prices are read exactly, to the minor unit of their currency."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.messages import Money, Refused
from catalog.prices import MAX_PRICE, price_of


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("10.5", "EUR", 1050),
        ("10.50", "EUR", 1050),
        (" 10 ", "EUR", 1000),
        ("0.07", "EUR", 7),
        ("10.500", "EUR", 1050),
        ("1050", "JPY", 1050),
        ("1.234", "KWD", 1234),
        ("0", "EUR", 0),
    ],
)
def test_a_price_is_read_in_its_currency(text: str, currency: str, minor: int) -> None:
    assert price_of(text, currency) == Money(amount=minor, currency=currency)


@pytest.mark.parametrize(
    ("text", "currency"),
    [
        ("10.505", "EUR"),
        ("10.5", "JPY"),
        ("1.2345", "KWD"),
        ("-1", "EUR"),
        ("1e3", "EUR"),
        ("1,50", "EUR"),
        ("€5", "EUR"),
        ("", "EUR"),
        ("NaN", "EUR"),
        ("Infinity", "EUR"),
        ("٣", "EUR"),
        ("9" * 4000, "EUR"),
        ("10000000.01", "EUR"),
    ],
)
def test_what_is_no_price_is_refused(text: str, currency: str) -> None:
    with pytest.raises(Refused) as refused:
        price_of(text, currency)
    assert refused.value.code == "invalid_price"


@given(st.integers(0, MAX_PRICE), st.sampled_from(("EUR", "JPY", "KWD", "CLF")))
def test_a_price_in_words_is_read_back(minor: int, currency: str) -> None:
    price = Money(amount=minor, currency=currency)
    assert price_of(str(price).removesuffix(f" {currency}"), currency) == price


@given(st.decimals(0, 1000, places=2))
def test_no_cent_is_lost(price: Decimal) -> None:
    assert price_of(str(price), "EUR").amount == price * 100
