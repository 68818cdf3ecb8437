"""What ordering does about returns when told to: each is decided on its order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bus.context import Context
from bus.dispatch import Bus
from bus.envelope import Envelope
from bus.messages import Done, now
from delivery.contract import Packed, SchedulePickup
from ordering import commands as steps
from ordering import return_rules, return_views
from ordering.contract import RequestReturn, ReturnDocument
from ordering.handlers import decide
from ordering.order import Order
from ordering.return_rules import Terms, find, order_id_of, unknown
from ordering.returns import Return
from ordering.rules import Events, known
from ordering.views import orders


class ReturnHandlers:
    """The commands about returns; `terms` are the shop's."""

    def __init__(self, bus: Bus, home: Context, terms: Terms) -> None:
        self._bus = bus
        self._home = home
        self._terms = terms

    async def request(
        self, command: RequestReturn, envelope: Envelope[RequestReturn]
    ) -> Done[ReturnDocument]:
        """The buyer wants to send something back; the answer is the return as requested."""

        def rule(order: Order) -> Events:
            return return_rules.request(
                order, command.items, command.reason, self._terms, now(), command.pickup
            )

        decided = await decide(self._home, command.order_id, rule, envelope)
        return return_views.as_requested(decided)

    async def approve(
        self, command: steps.ApproveReturn, envelope: Envelope[steps.ApproveReturn]
    ) -> Done[ReturnDocument]:
        """A person lets the buyer send it."""
        by = str(envelope.principal)
        return await self._decide(
            command.return_id, lambda _, found: return_rules.approve(found, by, now()), envelope
        )

    async def reject(
        self, command: steps.RejectReturn, envelope: Envelope[steps.RejectReturn]
    ) -> Done[ReturnDocument]:
        """A person does not, or not any more."""
        return await self._decide(
            command.return_id,
            lambda _, found: return_rules.reject(found, command.reason, now()),
            envelope,
        )

    async def receive(
        self, command: steps.ReceiveReturn, envelope: Envelope[steps.ReceiveReturn]
    ) -> Done[ReturnDocument]:
        """The goods are back."""
        return await self._decide(
            command.return_id,
            lambda order, found: return_rules.receive(order, found, command.write_off, now()),
            envelope,
        )

    async def book_pickup(
        self, command: steps.BookPickup, envelope: Envelope[steps.BookPickup]
    ) -> None:
        """Have the goods fetched where the order was brought to; no event here tells the
        address."""
        state = (await self._home.streams.load(orders(command.order_id))).state
        order = known(state, command.order_id)
        found = find(order, command.return_id)
        if found is None or found.pickup is None:
            raise unknown(command.return_id)
        wanted = SchedulePickup(
            delivery_id=found.pickup.delivery_id,
            reference=order.order_id,
            recipient=order.buyer_id,
            warehouse_id=order.warehouse_id,
            origin=order.destination,
            window=found.pickup.window,
            items=tuple(Packed(sku=item.sku, quantity=item.quantity) for item in found.items),
        )
        await self._bus.deliver(envelope.leads_to(wanted, wanted.type_name, 0))

    async def _decide(
        self, return_id: str, rule: Callable[[Order, Return], Events], envelope: Envelope[Any]
    ) -> Done[ReturnDocument]:
        def on_order(order: Order) -> Events:
            found = find(order, return_id)
            if found is None:
                raise unknown(return_id)
            return rule(order, found)

        order_id = order_id_of(return_id)
        if (await self._home.streams.load(orders(order_id))).state is None:
            raise unknown(return_id)  # whoever named the return knows nothing of its order
        decided = await decide(self._home, order_id, on_order, envelope)
        return return_views.done(decided, return_id)
