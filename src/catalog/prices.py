"""Prices as people write them, `10.50`, and as money is kept, 1050 minor units: exactly."""

from __future__ import annotations

import re
from decimal import Decimal

from bus.messages import Money, Refused, places_of

MAX_PRICE = 1_000_000_000
"""Minor units a piece may cost: the largest order there can be is then still an exact integer."""

_PLAIN = re.compile(r"[0-9]{1,15}(\.[0-9]{1,15})?")


def price_of(text: str, currency: str) -> Money:
    """Read a price in major units, `10.5`; refused with `invalid_price`."""
    plain = text.strip()
    if not _PLAIN.fullmatch(plain):
        raise Refused(
            "invalid_price",
            f"{text[:40]!r} is no price: write a plain decimal number, such as 10.50",
        )
    places = places_of(currency)
    minor = Decimal(plain).scaleb(places)
    if minor != minor.to_integral_value():
        raise Refused(
            "invalid_price", f"{plain} is no price in {currency}, which has {places} decimal places"
        )
    if minor > MAX_PRICE:
        most = Money(amount=MAX_PRICE, currency=currency)
        raise Refused("invalid_price", f"{plain} is more than a piece may cost, which is {most}")
    return Money(amount=int(minor), currency=currency)
