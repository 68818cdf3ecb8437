"""Amounts as Stripe counts them: its minor units are not always those of ISO 4217
(docs.stripe.com/currencies, "Minor units" and "Special cases")."""

from __future__ import annotations

from bus.messages import Money, places_of

WHOLE = "BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF"
"""Counted in whole units. ISK and UGX are not among them: they are sent with two decimals still,
which are 00."""

THOUSANDTHS = "BHD JOD KWD OMR TND"
"""Counted in thousandths, of which the last digit must be 0."""


class Unpayable(ValueError):
    """Stripe cannot move exactly this amount. It is not rounded: the buyer agreed to another."""


def to_stripe(money: Money) -> int:
    """An amount in Stripe's minor units; raises `Unpayable`."""
    more, fewer = _shift(money.currency)
    amount, rest = divmod(money.amount * more, fewer)
    if rest or (money.currency in THOUSANDTHS.split() and amount % 10):
        raise Unpayable(f"Stripe cannot move {money}: it knows no such small coin of it")
    return amount


def from_stripe(amount: int, currency: str) -> Money:
    """An amount that Stripe tells, in minor units of ISO 4217; `currency` in any case."""
    currency = currency.upper()
    more, fewer = _shift(currency)
    return Money(amount=amount * fewer // more, currency=currency)


def _shift(currency: str) -> tuple[int, int]:
    """How many of Stripe's minor units make how many of ISO's; one of them is 1."""
    places = 0 if currency in WHOLE.split() else 3 if currency in THOUSANDTHS.split() else 2
    ours = places_of(currency)
    return int(10 ** max(places - ours, 0)), int(10 ** max(ours - places, 0))
