"""What a basket costs: the lines, the goods, the delivery, the total."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from bus.messages import MAX_INTEGER, Money, Refused
from catalog.contract import Offer
from delivery.contract import DeliveryQuote
from ordering.contract import Item, PricedItem, Quote, QuotedItem, Slot

QUOTE_VALID = timedelta(minutes=15)
"""For how long a quote's prices can be expected to hold; they are checked again when ordering."""


def price_items(items: Sequence[Item], offers: Sequence[Offer]) -> tuple[QuotedItem, ...]:
    """The lines at today's prices. Refused with `unknown_sku` or `total_too_large`.

    A line is available when there is enough for all lines of its SKU together.
    """
    by_sku = {offer.sku: offer for offer in offers}
    unknown = sorted({item.sku for item in items} - by_sku.keys())
    if unknown:
        raise Refused(
            "unknown_sku",
            f"these SKUs are not for sale here: {', '.join(unknown)}; look them up in the catalog",
            skus=unknown,
        )
    wanted: Counter[str] = Counter()
    for item in items:
        wanted[item.sku] += item.quantity
    check_countable(sum(by_sku[sku].price.amount * count for sku, count in wanted.items()))
    return tuple(_line(item, by_sku[item.sku], wanted[item.sku]) for item in items)


def _line(item: Item, offer: Offer, wanted: int) -> QuotedItem:
    return QuotedItem(
        sku=item.sku,
        name=offer.product_name,
        quantity=item.quantity,
        unit_price=offer.price,
        line_total=offer.price.times(item.quantity),
        available=wanted <= offer.available,
    )


def product_cost(items: Sequence[PricedItem]) -> Money:
    """The sum of the lines."""
    total = items[0].line_total
    for item in items[1:]:
        total = total + item.line_total
    return total


def quote(items: tuple[QuotedItem, ...], goods: Money, way: DeliveryQuote, now: datetime) -> Quote:
    """The whole quote; refused with `total_too_large`."""
    check_countable(goods.amount + way.cost.amount)
    return Quote(
        items=items,
        product_cost=goods,
        delivery_cost=way.cost,
        total=goods + way.cost,
        distance_m=way.distance_m,
        duration_s=way.duration_s,
        warehouse_id=way.warehouse_id,
        slots=tuple(Slot.model_validate(slot.model_dump()) for slot in way.slots),
        expires_at=now + QUOTE_VALID,
    )


def check_countable(amount: int) -> None:
    """Refuse with `total_too_large` what is beyond the integers that JSON keeps exactly."""
    if amount > MAX_INTEGER:
        raise Refused("total_too_large", "the basket costs more than can be counted: order less")


def check_total(quoted: Quote, expected: Money | None) -> None:
    """Refuse with `total_changed` when the buyer was told another total."""
    if expected is not None and expected != quoted.total:
        raise Refused(
            "total_changed",
            f"the total is {quoted.total} by now, not {expected}: show the buyer a new quote",
            total=quoted.total.model_dump(),
        )


def chosen_slot(quoted: Quote, slot_id: str | None) -> Slot | None:
    """The slot the buyer chose; refused with `unknown_slot` when it is not among those offered."""
    if slot_id is None:
        return None
    for slot in quoted.slots:
        if slot.slot_id == slot_id:
            return slot
    raise Refused("unknown_slot", f"slot {slot_id} is not offered: choose one of a fresh quote")
