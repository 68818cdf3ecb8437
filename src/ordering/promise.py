"""What a quote promises: its prices and the cost of its way, to one client, for one basket at one
door, for a time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bus.messages import Model, Money, NotFound, Refused, derived_id
from ordering.commands import AgreedItem
from ordering.contract import Item, PlaceOrder, QuoteBasket
from ordering.pricing import Priced
from ordering.returns import pieces


class Promise(Model):
    """What the shop is held to by a `basket`, told by its digest: what a piece of each SKU costs,
    in the alphabetical order of the SKUs and in minor units of the way's currency, and the way."""

    client: str
    basket: str
    prices: tuple[int, ...]
    way_costs: Money
    expires_at: datetime


def promised(priced: Priced, basket: QuoteBasket, client: str, expires_at: datetime) -> Promise:
    """What a quote promises to a client."""
    prices = {item.sku: item.unit_price.amount for item in priced.items}
    return Promise(
        client=client,
        basket=digest(basket),
        prices=tuple(prices[sku] for sku in sorted(prices)),
        way_costs=priced.way.cost,
        expires_at=expires_at,
    )


def digest(basket: QuoteBasket | PlaceOrder) -> str:
    """What tells a basket for a door from all others; in which lines its pieces stand does not
    matter."""
    wanted = sorted(pieces(basket.items).items())
    return derived_id("basket", wanted, basket.destination.model_dump_json())


def check_promise(promise: Promise, order: PlaceOrder, client: str, now: datetime) -> None:
    """Refuse an order that the quote which it names is not for: with `unknown_quote` another
    client's, with `quote_expired` one that comes too late, with `quote_mismatch` another basket or
    destination."""
    if promise.client != client:
        raise NotFound("unknown_quote", "this is no quote of yours: ask for a fresh one")
    if now >= promise.expires_at:
        raise Refused(
            "quote_expired",
            f"the quote was good until {promise.expires_at.isoformat()}, and that is over:"
            " show the buyer a fresh one",
        )
    if promise.basket != digest(order):
        raise Refused(
            "quote_mismatch",
            "the quote is for other items or another destination than the order:"
            " order what was quoted, or ask for a fresh one",
        )


def at_promised_prices(promise: Promise, items: Sequence[Item]) -> tuple[AgreedItem, ...]:
    """The lines of the basket that was quoted, at the prices that were quoted."""
    prices = dict(zip(sorted({item.sku for item in items}), promise.prices, strict=True))
    currency = promise.way_costs.currency
    return tuple(
        AgreedItem(
            sku=item.sku,
            quantity=item.quantity,
            unit_price=Money(amount=prices[item.sku], currency=currency),
        )
        for item in items
    )
