"""The price list: what a SKU costs from now on, or from a day to come."""

from __future__ import annotations

from datetime import datetime

from bus.messages import Event, Money, NotFound, Refused
from catalog.item import Item, PriceCalledOff, PriceChanged
from catalog.prices import KEPT, Dated, price_at

AHEAD = KEPT // 2
"""Prices of one SKU in one currency that may be waiting for their day."""


def change_price(
    item: Item, sku: str, price: Money, now: datetime, starts: datetime | None = None, why: str = ""
) -> list[Event]:
    """Sell it at another price, from now on or from a moment to come; what is ordered already keeps
    the price it had.

    Refused with `too_many_prices`. A moment that has passed is now.
    """
    at = max(starts or now, now)
    if at > now:
        waiting = [dated.starts for dated in item.prices.get(price.currency, ())]
        ahead = {when for when in waiting if when is not None and when > now} - {at}
        if len(ahead) >= AHEAD:
            raise Refused(
                "too_many_prices",
                f"{AHEAD} prices of {sku} wait for their day already: call one of them off",
                sku=sku,
            )
        if Dated(price, at) in item.prices.get(price.currency, ()):
            return []
    elif price_at(item.prices, price.currency, now) == price:
        return []
    return [PriceChanged(sku=sku, price=price, starts=at, reason=why)]


def call_off_price(
    item: Item, sku: str, currency: str, starts: datetime, now: datetime, why: str = ""
) -> list[Event]:
    """A price that was to start then does not; refused with `unknown_price` and `price_started`."""
    if all(dated.starts != starts for dated in item.prices.get(currency, ())):
        raise NotFound("unknown_price", f"no price of {sku} in {currency} starts at {starts}")
    if starts <= now:
        raise Refused(
            "price_started", f"the price of {sku} has held since {starts}: set another one"
        )
    return [PriceCalledOff(sku=sku, currency=currency, starts=starts, reason=why)]
