"""All that is known of a buyer, to be given to them; and how it is erased for good.

What is personal is sealed wherever it is kept, under a key of the buyer's own. Who is to be erased
gets a new key first. When nobody can be sealing with the old one any more, it is looked once more
whether an order is open, and only then is the old key deleted: so no order loses its address.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any

from bus import parked
from bus.dispatch import Bus
from bus.keyring import TRUSTED_FOR
from bus.messages import NotFound, Query, now
from bus.platform import Platform
from bus.tasks import in_thread
from bus.writer import PATIENCE
from delivery.contract import GetDelivery
from ordering.commands import CheckForgettable, ForgetBuyer
from ordering.contract import GetHistory, GetReturns, ListOrders, ReturnList
from payment.balance_commands import GetLedger
from payment.contract import GetBalance
from payment.queries import GetPayment

LAST_SEAL = TRUSTED_FOR + PATIENCE
"""Seconds after which nothing comes to the log that was sealed with a key of before."""

PAGE = 100


class Nobody(NotFound):
    """Nothing is known of this buyer."""

    def __init__(self, buyer_id: str) -> None:
        super().__init__(
            "unknown_buyer",
            f"nothing is known of a buyer {buyer_id}: check the id, as it stands in their orders",
        )


async def exported(platform: Platform, buyer_id: str) -> dict[str, Any]:
    """Everything about a buyer up to now, as JSON has it. Raises `Nobody`."""
    bus = platform.bus
    orders = [await _order(bus, order) async for order in _orders(platform, buyer_id)]
    ledger = await bus.ask(GetLedger(buyer_id=buyer_id))
    if not orders and not ledger:
        raise Nobody(buyer_id)
    balance = await bus.ask(GetBalance(buyer_id=buyer_id))
    return {
        "buyer_id": buyer_id,
        "exported_at": now().isoformat(),
        "orders": orders,
        "store_credit": {
            "balance": balance.model_dump(mode="json"),
            "entries": [entry.model_dump(mode="json", exclude_none=True) for entry in ledger],
        },
    }


async def erase(platform: Platform, buyer_id: str, wait: float = LAST_SEAL) -> Sequence[str]:
    """Have nobody ever read again what is personal about a buyer; the ids of their orders, whose
    totals and history stay, as does store credit. Raises `Nobody`, and `Refused` with
    `orders_open`.

    May be done again, wherever it was broken off.
    """
    bus = platform.bus
    await bus.ask(CheckForgettable(buyer_id=buyer_id))
    sealed = await platform.keyring.renew(buyer_id)
    if not sealed and not await bus.ask(GetLedger(buyer_id=buyer_id)):
        raise Nobody(buyer_id)
    await asyncio.sleep(wait)
    orders = await bus.ask(CheckForgettable(buyer_id=buyer_id))
    await platform.keyring.delete_old(buyer_id)
    await bus.send(ForgetBuyer(buyer_id=buyer_id))
    await _forget_parked(platform, buyer_id)
    return orders


async def _forget_parked(platform: Platform, buyer_id: str) -> None:
    """Take out what errors have said of whatever happened to a buyer."""
    ids = {buyer_id}
    async for order in _orders(platform, buyer_id):
        returns = await platform.bus.ask(GetReturns(order_id=order["order_id"]))
        ids |= {order["order_id"], order["payment_id"], *_deliveries(order, returns)}
    for context in platform.contexts.values():
        await in_thread(partial(parked.forget, context.database, ids))


async def _orders(platform: Platform, buyer_id: str) -> AsyncIterator[dict[str, Any]]:
    """A buyer's orders, the newest first: all there are by now."""
    head = await platform.contexts["ordering"].log.head()
    query = ListOrders(buyer_id=buyer_id, limit=PAGE, min_position=head)
    while True:
        page = await platform.bus.ask(query)
        for row in page.data:
            order = json.loads(row)
            yield order
            query = query.model_copy(update={"starting_after": order["order_id"]})
        if not page.has_more:
            return


async def _order(bus: Bus, order: dict[str, Any]) -> dict[str, Any]:
    """An order with all that happened to it, came of it and was paid for it."""
    id = order["order_id"]
    history = await bus.ask(GetHistory(order_id=id))
    returns = await bus.ask(GetReturns(order_id=id))
    payment = await _found(bus, GetPayment(payment_id=order["payment_id"]))
    ids = _deliveries(order, returns)
    deliveries = [await _found(bus, GetDelivery(delivery_id=id)) for id in ids]
    return {
        "order": order,
        "history": [happening.model_dump(mode="json") for happening in history],
        "returns": [each.model_dump(mode="json", exclude_none=True) for each in returns.data],
        "payment": payment and payment.model_dump(mode="json", exclude_none=True),
        "deliveries": [json.loads(each.body) for each in deliveries if each is not None],
    }


def _deliveries(order: dict[str, Any], returns: ReturnList) -> list[str]:
    """The ids of all deliveries to the buyer's door, and from there."""
    brought = [each["delivery_id"] for each in order.get("shipments", [order])]
    fetched = [each.pickup.delivery_id for each in returns.data if each.pickup is not None]
    return brought + fetched


async def _found(bus: Bus, query: Query[Any]) -> Any:
    """The answer; `None` where the order never came so far that there is anything."""
    try:
        return await bus.ask(query)
    except NotFound:
        return None
