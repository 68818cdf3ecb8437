"""What ordering does with an order when told to: load, decide, append."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

from bus.context import Context
from bus.dispatch import Bus
from bus.envelope import Envelope
from bus.messages import Done, now
from bus.streams import Decided
from ordering import cancelling, return_rules, rules, shipment_rules
from ordering import commands as steps
from ordering.contract import (
    CancelOrder,
    Means,
    OrderDocument,
    PayOrder,
)
from ordering.order import Order
from ordering.rules import Events, known
from ordering.views import ORDERS, entry_of, may_see, orders, present


def of_delivery(
    alone: Callable[[Order, datetime], Events], shared: Callable[[Order, str, datetime], Events]
) -> Callable[[Order, Any], Events]:
    """The rule of a step of an order's one delivery, or of that of one of its shipments."""

    def rule(order: Order, step: steps.DeliveryStep) -> Events:
        return shared(order, step.delivery_id, now()) if order.shipments else alone(order, now())

    return rule


STEPS: Mapping[type[Any], Callable[[Order, Any], Events]] = {
    steps.RequestPayment: lambda order, step: rules.request_payment(
        order, now(), step.warehouse_id, step.parts
    ),
    steps.RejectOrder: lambda order, step: rules.reject(order, step.reason, now(), step.skus),
    steps.ConfirmOrder: lambda order, step: rules.confirm(order, now()),
    steps.DeclinePayment: lambda order, step: rules.decline(
        order, step.attempt, step.reason, now()
    ),
    steps.RequireAction: lambda order, step: rules.require_action(
        order, step.attempt, step.action, now()
    ),
    steps.ExpireOrder: lambda order, step: rules.expire(order, now()),
    steps.ArrangeDelivery: lambda order, step: (
        shipment_rules.arrange_delivery(order, step.delivery_id, step.slot, now())
        if order.shipments
        else rules.arrange_delivery(order, step.slot, now())
    ),
    steps.ChangeSlot: lambda order, step: shipment_rules.change_slot(
        order, step.delivery_id, step.slot, now()
    ),
    steps.ShipOrder: of_delivery(rules.ship, shipment_rules.ship),
    steps.TakePayment: lambda order, step: shipment_rules.take_payment(order, step.amount, now()),
    steps.DeliverOrder: of_delivery(rules.deliver, shipment_rules.deliver),
    steps.TakeBack: of_delivery(cancelling.take_back, shipment_rules.take_back),
    steps.CallOffDelivery: of_delivery(
        cancelling.call_off_delivery, shipment_rules.call_off_delivery
    ),
    steps.ReturnMoney: lambda order, step: cancelling.return_money(
        order, step.amount or order.total.zero(), now()
    ),
    steps.AbandonOrder: lambda order, step: cancelling.abandon(order, step.reason, now()),
    steps.SettleReturn: lambda order, step: return_rules.settle(
        order, step.return_id, step.amount, now()
    ),
    steps.MovePickup: lambda order, step: return_rules.move_pickup(
        order, step.return_id, step.status, step.window, now()
    ),
}
"""The steps of an order's life, and the rule that decides each."""


class Handlers:
    """The commands about orders that have been placed."""

    def __init__(self, bus: Bus, home: Context) -> None:
        self._bus = bus
        self._home = home

    async def pay(self, command: PayOrder, envelope: Envelope[PayOrder]) -> Done[OrderDocument]:
        """Another attempt to pay."""
        means = Means(method=command.method, token=command.token, use_credit=command.use_credit)
        decided = await decide(
            self._home, command.order_id, lambda order: rules.pay(order, means, now()), envelope
        )
        return done(decided, command.order_id)

    async def cancel(
        self, command: CancelOrder, envelope: Envelope[CancelOrder]
    ) -> Done[OrderDocument]:
        """Call it off."""
        decided = await decide(
            self._home,
            command.order_id,
            lambda order: cancelling.cancel(order, "cancelled_by_buyer", now(), command.reason),
            envelope,
        )
        return done(decided, command.order_id)

    async def book_delivery(
        self, command: steps.BookDelivery, envelope: Envelope[steps.BookDelivery]
    ) -> None:
        """Have the goods brought to where the order says; no second event here tells the address.

        That holds for an order that was called off meanwhile, too: then delivery hears that next.
        """
        found = await self._home.streams.load(orders(command.order_id))
        order = known(found.state, command.order_id)
        for number, wanted in enumerate(shipment_rules.bookings(order)):
            await self._bus.deliver(envelope.leads_to(wanted, wanted.type_name, number))

    def step(self, rule: Callable[[Order, Any], Events]) -> Callable[..., Awaitable[None]]:
        """The handler of a step. A step of an order that isn't ours to know changes nothing."""

        async def handle(command: steps.Step, envelope: Envelope[Any]) -> None:
            await self._home.streams.decide(
                orders(command.order_id),
                lambda order: [] if order is None else rule(order, command),
                envelope,
            )

        return handle


async def decide(
    home: Context, order_id: str, rule: Callable[[Order], Events], envelope: Envelope[Any]
) -> Decided[Order]:
    """Decide on the asker's own order; whoever reads it next, on whichever replica, sees what was
    decided."""

    def decision(found: Order | None) -> Events:
        order = known(found, order_id)
        if not may_see(envelope.principal, order.client):
            known(None, order_id)
        return rule(order)

    heard = home.feed.head
    decided: Decided[Order] = await home.streams.decide(orders(order_id), decision, envelope)
    order = known(decided.state, order_id)
    if not decided.repeated:  # else it is as it was then
        right_to = max(heard, decided.commit.position if decided.commit else 0)
        await home.cache.put(ORDERS.cache_key(order_id), entry_of(order, decided.version, right_to))
    return decided


def done(decided: Decided[Order], order_id: str) -> Done[OrderDocument]:
    """How the order stands after a decision."""
    return Done(
        answer=present(known(decided.state, order_id), decided.version),
        position=decided.commit.position if decided.commit else 0,
        repeated=decided.repeated,
    )
