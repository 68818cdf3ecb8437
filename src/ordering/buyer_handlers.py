"""What is done when a buyer is to be forgotten: looked whether that may be, and told to every
process."""

from __future__ import annotations

import asyncio
from typing import Any

from bus.context import Context
from bus.envelope import Envelope
from bus.messages import Busy, now
from bus.streams import Kind
from bus.views import Documents
from ordering import buyer as rules
from ordering.commands import CheckForgettable, ForgetBuyer
from ordering.order import Order
from ordering.views import ORDERS

buyers: Kind[int] = Kind("buyer", rules.evolve)

HEARD_WITHIN = 1.0
"""Seconds in which every process hears what has happened: several polls of its feed."""

AT_ONCE = 1000


class BuyerHandlers:
    """The commands about buyers."""

    def __init__(self, home: Context, orders: Documents[Order]) -> None:
        self._home = home
        self._orders = orders

    async def check(
        self, query: CheckForgettable, envelope: Envelope[CheckForgettable]
    ) -> tuple[str, ...]:
        """The ids of a buyer's orders, none of which is open. `Busy` while the lists are behind."""
        head = await self._home.log.head()
        await self._home.await_view(self._orders, head)
        found = await self._all(query.buyer_id)
        still_open = [order.order_id for order in found if rules.is_open(order)]
        rules.check_forgettable(query.buyer_id, still_open)
        return tuple(order.order_id for order in found)

    async def forget(self, command: ForgetBuyer, envelope: Envelope[ForgetBuyer]) -> None:
        """Tell every process; then nobody puts back into the cache what is taken out of it."""
        happened = rules.BuyerForgotten(buyer_id=command.buyer_id, at=now())
        await self._home.streams.decide(buyers(command.buyer_id), lambda _: [happened], envelope)
        await asyncio.sleep(HEARD_WITHIN)
        cached = [ORDERS.cache_key(order.order_id) for order in await self._all(command.buyer_id)]
        if not await self._home.cache.drop(cached):
            raise Busy(
                "Redis is away, and may keep what it knows of the buyer for a day: ask again when"
                " it is back"
            )

    async def _all(self, buyer_id: str) -> list[Order]:
        """All orders of a buyer, of whatever client, the newest first."""
        found: list[Order] = []
        wanted: dict[str, Any] = {"doc.buyer_id": buyer_id}
        while True:
            page = await self._orders.find(wanted, limit=AT_ONCE)
            found += [stored.doc for stored in page]
            if len(page) < AT_ONCE:
                return found
            wanted["first"] = {"$lt": page[-1].first}
