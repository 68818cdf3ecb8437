"""The price list: what a SKU costs from now on, or from a day to come."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bus.messages import Event, Money, NotFound, Refused
from catalog.item import Item, PriceCalledOff, PriceChanged
from catalog.prices import KEPT, Dated, check_price, price_at

AHEAD = KEPT // 2
"""Prices of one SKU in one currency that may be waiting for their day."""

FAR = timedelta(days=3653)
"""How far ahead a price may start."""


def change_price(
    item: Item, sku: str, price: Money, now: datetime, starts: datetime | None = None, why: str = ""
) -> list[Event]:
    """Sell it at another price, from now on or from a moment to come; what is ordered already keeps
    the price it had.

    Refused with `invalid_price`, `too_far_ahead` and `too_many_prices`. A moment that has passed is
    now.
    """
    check_price(price)
    if starts is not None and starts > now:
        return price_ahead(item, sku, price, now, starts, why)
    if price_at(item.prices, price.currency, now) == price:
        return []
    return [PriceChanged(sku=sku, price=price, starts=now, reason=why)]


def price_ahead(
    item: Item, sku: str, price: Money, now: datetime, starts: datetime, why: str
) -> list[Event]:
    """Sell it at another price from a moment to come; it takes the place of one that was to start
    then."""
    if starts - now > FAR:
        raise Refused(
            "too_far_ahead",
            f"a price of {sku} cannot start on {starts.date()}, more than ten years ahead: "
            "name an earlier day",
        )
    at = in_log(starts)
    timeline = item.prices.get(price.currency, ())
    if Dated(price, at) in timeline:
        return []
    moments = {dated.starts for dated in timeline if dated.starts is not None} - {at}
    if sum(moment > now for moment in moments) >= AHEAD:
        raise Refused(
            "too_many_prices",
            f"{AHEAD} prices of {sku} in {price.currency} wait for their day already: "
            "call one of them off",
            sku=sku,
        )
    return [PriceChanged(sku=sku, price=price, starts=at, reason=why)]


def call_off_price(
    item: Item, sku: str, currency: str, starts: datetime, now: datetime, why: str = ""
) -> list[Event]:
    """A price that was to start then does not; refused with `unknown_price` and `price_started`."""
    known = {dated.starts for dated in item.prices.get(currency, ())}
    at = starts.replace(microsecond=starts.microsecond // 1000 * 1000)
    if at not in known:
        raise NotFound(
            "unknown_price",
            f"no price of {sku} in {currency} starts at {starts.isoformat()}: see "
            f"`shop catalog prices {sku}`",
        )
    if at <= now:
        raise Refused(
            "price_started",
            f"the price of {sku} in {currency} has held since {starts.isoformat()}: "
            "set another one",
        )
    return [PriceCalledOff(sku=sku, currency=currency, starts=in_log(starts), reason=why)]


def in_log(moment: datetime) -> datetime:
    """A moment as the log keeps it: in UTC, in whole milliseconds."""
    utc = moment.astimezone(UTC)
    return utc.replace(microsecond=utc.microsecond // 1000 * 1000)
