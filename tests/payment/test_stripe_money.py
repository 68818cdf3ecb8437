"""Amounts as Stripe counts them, where that is not as ISO 4217 does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.messages import Money
from payment.stripe_money import Unpayable, from_stripe, to_stripe


@pytest.mark.parametrize(
    ("amount", "currency", "counted"),
    [
        (10_50, "EUR", 10_50),
        (500, "JPY", 500),
        (5_120, "KWD", 5_120),
        (5, "ISK", 500),
        (5, "UGX", 500),
        (7_00, "MGA", 7),
        (10_45, "HUF", 10_45),
    ],
)
def test_an_amount_is_told_in_stripes_minor_units(amount: int, currency: str, counted: int) -> None:
    money = Money(amount=amount, currency=currency)
    assert to_stripe(money) == counted
    assert from_stripe(counted, currency.lower()) == money


@pytest.mark.parametrize(("amount", "currency"), [(5_124, "KWD"), (7_01, "MGA"), (1, "TND")])
def test_what_stripe_has_no_coin_for_is_refused_and_not_rounded(amount: int, currency: str) -> None:
    money = Money(amount=amount, currency=currency)
    with pytest.raises(Unpayable, match=str(money)):
        to_stripe(money)


@given(
    st.integers(0, 10**10),
    st.sampled_from(["EUR", "USD", "JPY", "KRW", "ISK", "UGX", "KWD", "BHD", "MGA", "HUF"]),
)
def test_there_and_back_is_the_same_amount(amount: int, currency: str) -> None:
    money = Money(amount=amount, currency=currency)
    try:
        counted = to_stripe(money)
    except Unpayable:
        assert amount % 10 or currency == "MGA"
        return
    assert from_stripe(counted, currency) == money
