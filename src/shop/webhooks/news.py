"""What is worth telling, and the type it is told as."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

from bus.messages import Event
from delivery.contract import (
    DeliveryAssigned,
    DeliveryAttemptFailed,
    DeliveryCancelled,
    DeliveryDelivered,
    DeliveryPickedUp,
    DeliveryRescheduled,
    DeliveryReturned,
    DeliveryScheduled,
    Scan,
)
from delivery.delivery import CheckpointRecorded, DeliveryEvent, DeliveryRequested
from ordering.order import (
    ActionRequired,
    CancellationRequested,
    DeliveryArranged,
    DeliveryCalledOff,
    GoodsGone,
    GoodsReturned,
    MoneyReturned,
    OrderCancelled,
    OrderCompleted,
    OrderConfirmed,
    OrderDelivered,
    OrderEvent,
    OrderExpired,
    OrderPlaced,
    OrderRejected,
    OrderRerouted,
    OrderShipped,
    PaymentDeclined,
    PaymentRequested,
    PaymentTaken,
    SlotChanged,
)
from ordering.returns import (
    PickupCalledOff,
    PickupMoved,
    PickupRequested,
    ReturnApproved,
    ReturnReceived,
    ReturnRefunded,
    ReturnRejected,
    ReturnRequested,
)
from ordering.shipments import OrderSplit, ShipmentMoved

Told = OrderEvent | DeliveryEvent
"""What can be told of."""

TOLD: Mapping[type[Event], str] = {
    OrderPlaced: "order.placed",
    OrderRejected: "order.rejected",
    OrderExpired: "order.expired",
    PaymentDeclined: "order.payment_declined",
    ActionRequired: "order.action_required",
    OrderConfirmed: "order.confirmed",
    DeliveryArranged: "order.scheduled",
    OrderShipped: "order.shipped",
    GoodsGone: "order.shipped",
    PaymentTaken: "order.payment_captured",
    OrderDelivered: "order.delivered",
    OrderCompleted: "order.completed",
    GoodsReturned: "order.returned_to_sender",
    CancellationRequested: "order.cancelling",
    OrderCancelled: "order.cancelled",
    ReturnRequested: "return.requested",
    ReturnApproved: "return.approved",
    ReturnRejected: "return.rejected",
    ReturnReceived: "return.received",
    ReturnRefunded: "return.refunded",
    DeliveryRequested: "delivery.requested",
    DeliveryScheduled: "delivery.scheduled",
    DeliveryAssigned: "delivery.assigned",
    DeliveryPickedUp: "delivery.picked_up",
    DeliveryAttemptFailed: "delivery.attempt_failed",
    DeliveryRescheduled: "delivery.rescheduled",
    DeliveryDelivered: "delivery.delivered",
    DeliveryReturned: "delivery.returned_to_sender",
    DeliveryCancelled: "delivery.cancelled",
}
"""Events that are always told, whatever they say."""

SCANS: Mapping[Scan, str] = {
    "en_route": "delivery.en_route",
    "arrived": "delivery.arrived",
}
"""A carrier's checkpoints that are told; the others have an event of their own."""

UNTOLD: frozenset[type[Event]] = frozenset(
    {
        OrderRerouted,
        OrderSplit,
        ShipmentMoved,
        SlotChanged,
        PaymentRequested,
        DeliveryCalledOff,
        MoneyReturned,
        PickupRequested,
        PickupMoved,
        PickupCalledOff,
    }
)
"""Steps between two states that anybody outside sees, and what the delivery of a pick-up or of a
shipment tells, or any that is rescheduled."""

WORTH_TELLING: frozenset[type[Event]] = frozenset({*TOLD, CheckpointRecorded})

TYPES: tuple[str, ...] = tuple(sorted({*TOLD.values(), *SCANS.values()}))
"""All that an endpoint may hear of."""

TEST = "webhook.test"
"""The type of what an operator sends to try an endpoint."""


def type_of(event: Event) -> str | None:
    """What an event is told as; `None` when it is not."""
    if isinstance(event, CheckpointRecorded):
        return SCANS.get(event.status)
    return TOLD.get(type(event))


def order_of(event: Told) -> str:
    """The order that an event is about, in the end."""
    return event.reference if isinstance(event, DeliveryEvent) else event.order_id


def matches(type_: str, only: tuple[str, ...]) -> bool:
    """Whether a type is among these: `order.placed`, or `order.*`; all are, if none is named."""
    return not only or any(fnmatchcase(type_, pattern) for pattern in only)
