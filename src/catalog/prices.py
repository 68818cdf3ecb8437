"""What things cost: in which currency, from when on; and prices as people write them, `10.50`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from bus.messages import Money, Refused

MAX_PRICE = 1_000_000_000
"""Minor units a piece may cost: the largest order there can be is then still an exact integer."""

KEPT = 50
"""Prices of one SKU in one currency that are known at once; what has long been over is history."""


@dataclass(frozen=True, slots=True)
class Dated:
    """A price from a moment on; `None`: since ever."""

    price: Money
    starts: datetime | None = None


Timeline = tuple[Dated, ...]
"""Prices in one currency, by when they start."""

Prices = Mapping[str, Timeline]
"""A SKU's prices by currency (ISO 4217)."""


def price_at(prices: Prices, currency: str, at: datetime) -> Money | None:
    """What it costs in a currency at a moment; `None` when it has no price in it then."""
    for dated in reversed(prices.get(currency, ())):
        if dated.starts is None or dated.starts <= at:
            return dated.price
    return None


def standing(prices: Prices, at: datetime) -> tuple[Dated, ...]:
    """The prices that hold at a moment and those that are to come, currency by currency."""
    kept: list[Dated] = []
    for currency in sorted(prices):
        timeline = prices[currency]
        started = sum(dated.starts is None or dated.starts <= at for dated in timeline)
        kept += timeline[max(started - 1, 0) :]
    return tuple(kept)


def with_price(prices: Prices, price: Money, starts: datetime | None) -> Prices:
    """The prices with one more. One that starts at no moment takes the place of all there were."""
    timeline = prices.get(price.currency, ())
    if starts is None:
        after: Timeline = (Dated(price),)
    else:
        others = [dated for dated in timeline if dated.starts != starts]
        after = tuple(sorted([*others, Dated(price, starts)], key=when))[-KEPT:]
    return {**prices, price.currency: after}


def without_price(prices: Prices, currency: str, starts: datetime) -> Prices:
    """The prices without one that was to start then."""
    left = tuple(dated for dated in prices.get(currency, ()) if dated.starts != starts)
    return {**prices, currency: left}


def when(dated: Dated) -> float:
    """By what prices are put in order, in seconds."""
    return float("-inf") if dated.starts is None else dated.starts.timestamp()


def price_of(text: str, currency: str) -> Money:
    """Read a price in major units, `10.5`; refused with `invalid_price`."""
    try:
        price = Money.parse(text, currency)
    except ValueError as error:
        raise Refused("invalid_price", str(error)) from None
    check_price(price)
    return price


def check_price(price: Money) -> None:
    """Refuse what no piece may cost."""
    if price.amount > MAX_PRICE:
        most = Money(amount=MAX_PRICE, currency=price.currency)
        raise Refused("invalid_price", f"{price} is more than a piece may cost, which is {most}")
