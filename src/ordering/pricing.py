"""What a basket costs: the lines, the goods, the delivery, the total."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from bus.messages import MAX_INTEGER, Money, Refused
from catalog.contract import Offer, Offers
from delivery.contract import DeliveryQuote
from delivery.contract import Slot as Window
from ordering.commands import AgreedItem
from ordering.contract import Item, PricedItem, Quote, QuotedItem, Slot
from payment.contract import Balance


class Priced(NamedTuple):
    """A basket at today's prices: its lines, what the goods cost, and how they get there."""

    items: tuple[PricedItem, ...]
    goods: Money
    way: DeliveryQuote

    @property
    def total(self) -> Money:
        """The goods and their delivery."""
        return self.goods + self.way.cost


def price_items(items: Sequence[Item], offers: Sequence[Offer]) -> tuple[PricedItem, ...]:
    """The lines at today's prices, or at those agreed on. Refused with `unknown_sku`,
    `wrong_currency` or `total_too_large`."""
    by_sku = {offer.sku: offer for offer in offers}
    unknown = sorted({item.sku for item in items} - by_sku.keys())
    if unknown:
        raise Refused(
            "unknown_sku",
            f"these SKUs are not for sale here: {', '.join(unknown)}; look them up in the catalog",
            skus=unknown,
        )
    prices = [price(item, by_sku[item.sku]) for item in items]
    check_countable(sum(x.amount * item.quantity for x, item in zip(prices, items, strict=True)))
    return tuple(
        PricedItem(
            sku=item.sku,
            name=by_sku[item.sku].product_name,
            quantity=item.quantity,
            unit_price=each,
            line_total=each.times(item.quantity),
        )
        for item, each in zip(items, prices, strict=True)
    )


def price(item: Item, offer: Offer) -> Money:
    """What a piece costs: as it is offered, unless another price was agreed on. Refused with
    `wrong_currency`."""
    if not isinstance(item, AgreedItem):
        return offer.price
    agreed = item.unit_price
    if agreed.currency != offer.price.currency:
        raise Refused(
            "wrong_currency",
            f"{agreed} was agreed on for a piece of {item.sku}, but the shop sells in"
            f" {offer.price.currency}: set SHOP_CURRENCY={agreed.currency}",
        )
    return agreed


def in_stock(items: Sequence[Item], offers: Sequence[Offer]) -> tuple[bool, ...]:
    """For each line, whether there is enough for all lines of its SKU together."""
    wanted: Counter[str] = Counter()
    for item in items:
        wanted[item.sku] += item.quantity
    enough = {o.sku: o.backorder or wanted[o.sku] <= o.available for o in offers}
    return tuple(enough[item.sku] for item in items)


def must_be_shared(found: Offers, way: DeliveryQuote) -> bool:
    """Whether no single warehouse from which a road leads there has everything."""
    return found.stocked is not None and set(found.stocked).isdisjoint(way.warehouses)


def first_of_all(way: DeliveryQuote) -> tuple[str, ...]:
    """All warehouses from which a road leads there, the one that was quoted before the others."""
    return (way.warehouse_id, *(id for id in way.warehouses if id != way.warehouse_id))


def weigh(items: Sequence[Item], offers: Sequence[Offer]) -> tuple[int, int]:
    """What the basket weighs in grams, but for so many pieces of which nobody knows."""
    each = {offer.sku: offer.weight_g for offer in offers}
    known = ((item.quantity, each.get(item.sku)) for item in items)
    weights = [(quantity, grams) for quantity, grams in known]
    return (
        sum(quantity * grams for quantity, grams in weights if grams is not None),
        sum(quantity for quantity, grams in weights if grams is None),
    )


def product_cost(items: Sequence[PricedItem]) -> Money:
    """The sum of the lines."""
    total = items[0].line_total
    for item in items[1:]:
        total = total + item.line_total
    return total


def with_delivery(items: tuple[PricedItem, ...], goods: Money, way: DeliveryQuote) -> Priced:
    """The whole basket; refused with `total_too_large`."""
    check_countable(goods.amount + way.cost.amount)
    return Priced(items, goods, way)


def quote(priced: Priced, available: Sequence[bool], quote_id: str, expires_at: datetime) -> Quote:
    """What the buyer is told."""
    way = priced.way
    return Quote(
        quote_id=quote_id,
        items=tuple(
            QuotedItem(
                sku=item.sku,
                name=item.name,
                quantity=item.quantity,
                unit_price=item.unit_price,
                line_total=item.line_total,
                available=enough,
            )
            for item, enough in zip(priced.items, available, strict=True)
        ),
        product_cost=priced.goods,
        delivery_cost=way.cost,
        total=priced.total,
        distance_m=way.distance_m,
        duration_s=way.duration_s,
        warehouse_id=way.warehouse_id,
        slots=tuple(map(slot_of, way.slots)),
        expires_at=expires_at,
    )


def slot_of(slot: Window) -> Slot:
    """A slot as ordering speaks of it."""
    return Slot.model_validate(slot.model_dump())


def check_countable(amount: int) -> None:
    """Refuse with `total_too_large` what is beyond the integers that JSON keeps exactly."""
    if amount > MAX_INTEGER:
        raise Refused("total_too_large", "the basket costs more than can be counted: order less")


def check_total(total: Money, expected: Money | None) -> None:
    """Refuse with `total_changed` when the buyer was told another total."""
    if expected is not None and expected != total:
        raise Refused(
            "total_changed",
            f"the total is {total} by now, not {expected}: show the buyer a new quote",
            total=total.model_dump(),
        )


def check_payable(total: Money) -> None:
    """Refuse with `nothing_to_pay` what costs nothing: no gateway sets nothing aside."""
    if not total.amount:
        raise Refused("nothing_to_pay", "the order costs nothing: order something that is for sale")


def check_credit(total: Money, balance: Balance) -> None:
    """Refuse with `insufficient_credit` what the buyer's store credit cannot pay.

    It spares a vain order, and no more: payment sets the credit aside, or declines.
    """
    if balance.available.amount < total.amount:
        raise Refused(
            "insufficient_credit",
            f"the total is {total}, and the store credit that can be spent {balance.available}:"
            " pay the rest by card",
            available=balance.available.model_dump(),
        )
