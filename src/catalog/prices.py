"""Prices as people write them, `10.50`, and as money is kept, 1050 minor units: exactly."""

from __future__ import annotations

from bus.messages import Money, Refused

MAX_PRICE = 1_000_000_000
"""Minor units a piece may cost: the largest order there can be is then still an exact integer."""


def price_of(text: str, currency: str) -> Money:
    """Read a price in major units, `10.5`; refused with `invalid_price`."""
    try:
        price = Money.parse(text, currency)
    except ValueError as error:
        raise Refused("invalid_price", str(error)) from None
    if price.amount > MAX_PRICE:
        most = Money(amount=MAX_PRICE, currency=currency)
        raise Refused("invalid_price", f"{price} is more than a piece may cost, which is {most}")
    return price
