"""What a notice says: made from the log, as things stood right after the event, the same however
often it is made."""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar, cast

from bus.context import Context
from bus.memory import Loaded
from bus.messages import Model
from delivery.contract import DeliveryDocument
from delivery.delivery import Delivery, DeliveryEvent
from delivery.handlers import DELIVERY
from delivery.views import document
from ordering import return_views
from ordering.contract import OrderDocument, ReturnDocument
from ordering.order import Order
from ordering.return_rules import find
from ordering.returns import ReturnEvent
from ordering.views import orders, present
from shop.webhooks.news import Told
from shop.webhooks.notices import Notice

S = TypeVar("S")

Shown = OrderDocument | ReturnDocument | DeliveryDocument


class Body(Model):
    """The body of a notice: `data` is what REST shows of the thing. Of two about the same thing,
    the one with the greater `version` came later."""

    type: str
    timestamp: datetime
    version: int
    data: Shown


class Bodies:
    """Makes the bodies of notices, from these contexts' logs."""

    def __init__(self, ordering: Context, delivery: Context) -> None:
        self._ordering = ordering
        self._delivery = delivery
        self._contexts = {context.name: context for context in (ordering, delivery)}

    async def make(self, notice: Notice) -> tuple[bytes, str | None]:
        """The body of a notice, as JSON, and the place in its trace of what it tells of."""
        context = self._contexts[notice.log]
        (commit,) = await context.log.read(notice.position - 1, limit=1)
        event = cast(Told, commit.events[notice.number].event)
        version, data = await self._data(event, notice.position)
        body = Body(type=notice.type, timestamp=commit.at, version=version, data=data)
        return body.model_dump_json(exclude_none=True).encode(), commit.meta.trace

    async def _data(self, event: Told, position: int) -> tuple[int, Shown]:
        if isinstance(event, DeliveryEvent):
            parcel: Loaded[Delivery] = await self._delivery.streams.as_of(
                DELIVERY(event.delivery_id), position
            )
            return parcel.version, document(_there(parcel.state))
        order: Loaded[Order] = await self._ordering.streams.as_of(orders(event.order_id), position)
        if isinstance(event, ReturnEvent):
            back = find(_there(order.state), event.return_id)
            return order.version, return_views.present(_there(back))
        return order.version, present(_there(order.state), order.version)


def _there(found: S | None) -> S:
    """What an event has happened to."""
    if found is None:
        raise ValueError("the log has an event of something that is not in it")
    return found
