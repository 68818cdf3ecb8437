"""A delivery: what can happen to it, how it stands afterwards, and what may happen next."""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never, get_args

from bus.messages import Address, Event, NotFound, Position, Refused
from delivery.commands import RecordCheckpoint
from delivery.contract import (
    CancelDelivery,
    Checkpoint,
    DeliveryCancelled,
    DeliveryDelivered,
    DeliveryPickedUp,
    DeliveryReturned,
    DeliveryScheduled,
    Packed,
    Scan,
    ScheduleDelivery,
    Slot,
    Status,
)
from delivery.tracking import tracking_number

HOUSE = "house"
"""The carrier: the shop's own vans."""

CLOCKS_DIFFER = timedelta(minutes=5)
"""How far a carrier's clock may be ahead of ours."""

MAX_CHECKPOINTS = 1000
"""Checkpoints of one delivery before its end: a carrier gone wild must not overfill a document."""

ENDS: frozenset[Status] = frozenset({"delivered", "returned_to_sender", "cancelled"})

_ORDER = {scan: place for place, scan in enumerate(get_args(Scan))}


class CheckpointRecorded(Event, name="delivery.CheckpointRecorded"):
    """The carrier said how far the delivery is, `at` its own time."""

    delivery_id: str
    reference: str
    status: Scan
    at: datetime
    position: Position | None = None
    note: str | None = None


DeliveryEvent = (
    DeliveryScheduled
    | CheckpointRecorded
    | DeliveryPickedUp
    | DeliveryDelivered
    | DeliveryReturned
    | DeliveryCancelled
)


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery as it stands; without a destination it was cancelled before it was scheduled."""

    delivery_id: str
    reference: str
    carrier: str
    tracking_number: str
    warehouse_id: str | None = None
    destination: Address | None = None
    items: tuple[Packed, ...] = ()
    slot: Slot | None = None
    status: Status = "scheduled"
    picked_up: bool = False
    ended_at: datetime | None = None
    checkpoints: tuple[Checkpoint, ...] = ()
    """In the order in which they happened, whenever they came."""

    @property
    def ended(self) -> bool:
        """Whether nothing more can happen."""
        return self.status in ENDS

    @property
    def last_seen(self) -> Checkpoint | None:
        """The latest checkpoint that tells a position."""
        return next((scan for scan in reversed(self.checkpoints) if scan.position), None)


def evolve(delivery: Delivery | None, event: DeliveryEvent) -> Delivery:
    """The delivery after an event."""
    if delivery is None:
        delivery = _begun(event)
    match event:
        case DeliveryScheduled():
            return delivery
        case CheckpointRecorded():
            return _seen(delivery, event)
        case DeliveryPickedUp():
            return replace(delivery, picked_up=True)
        case DeliveryDelivered(at=at):
            return replace(delivery, status="delivered", ended_at=at)
        case DeliveryReturned(at=at):
            return replace(delivery, status="returned_to_sender", ended_at=at)
        case DeliveryCancelled():
            return replace(delivery, status="cancelled")
        case _:
            assert_never(event)


def schedule(delivery: Delivery | None, order: ScheduleDelivery) -> list[DeliveryEvent]:
    """Arrange that the goods are brought, unless that is done or has been called off already."""
    if delivery is not None:
        _check_reference(delivery, order.reference)
        return []
    if order.slot_id is not None:
        raise Refused(
            "unknown_slot",
            f"there is no slot {order.slot_id} at {order.warehouse_id}: quote again to see those"
            " there are",
            slot_id=order.slot_id,
        )
    return [
        DeliveryScheduled(
            delivery_id=order.delivery_id,
            reference=order.reference,
            warehouse_id=order.warehouse_id,
            destination=order.destination,
            carrier=HOUSE,
            tracking_number=tracking_number(order.delivery_id),
            items=order.items,
        )
    ]


def cancel(delivery: Delivery | None, order: CancelDelivery) -> list[DeliveryEvent]:
    """Nobody comes, also when the delivery is scheduled only later; too late after the pick-up."""
    if delivery is not None:
        _check_reference(delivery, order.reference)
        if delivery.picked_up or delivery.ended:
            return []
    return [DeliveryCancelled(delivery_id=order.delivery_id, reference=order.reference)]


def record(delivery: Delivery | None, said: RecordCheckpoint, now: datetime) -> list[DeliveryEvent]:
    """Take down what the carrier said.

    Whoever has the goods on the road or at the door has picked them up: if that was never said, it
    is taken as having happened then.
    """
    if delivery is None:
        raise unknown(said.delivery_id)
    if _known(delivery, said):
        return []
    at = said.at or now
    _check_time(delivery, said, at, now)
    whose = {"delivery_id": delivery.delivery_id, "reference": delivery.reference}
    events: list[DeliveryEvent] = []
    if not delivery.picked_up:
        events.append(DeliveryPickedUp(**whose, at=at))
    events.append(
        CheckpointRecorded(
            **whose, status=said.status, at=at, position=said.position, note=said.note
        )
    )
    if said.status == "delivered":
        events.append(DeliveryDelivered(**whose, at=at))
    if said.status == "returned_to_sender":
        events.append(DeliveryReturned(**whose, at=at))
    return events


def unknown(delivery_id: str) -> NotFound:
    """The refusal of a delivery that nobody has heard of."""
    return NotFound("unknown_delivery", f"there is no delivery {delivery_id}: check its id")


def _begun(event: DeliveryEvent) -> Delivery:
    if not isinstance(event, DeliveryScheduled):  # it was called off first
        number = tracking_number(event.delivery_id)
        return Delivery(event.delivery_id, event.reference, HOUSE, number)
    return Delivery(
        delivery_id=event.delivery_id,
        reference=event.reference,
        carrier=event.carrier,
        tracking_number=event.tracking_number,
        warehouse_id=event.warehouse_id,
        destination=event.destination,
        items=event.items,
        slot=event.slot,
    )


def _seen(delivery: Delivery, event: CheckpointRecorded) -> Delivery:
    """The checkpoint in its place; a late one does not move the delivery back."""
    checkpoints = list(delivery.checkpoints)
    scan = Checkpoint(status=event.status, position=event.position, at=event.at, note=event.note)
    insort(checkpoints, scan, key=_place)
    status = delivery.status if delivery.ended else checkpoints[-1].status
    return replace(delivery, status=status, checkpoints=tuple(checkpoints))


def _place(scan: Checkpoint) -> tuple[datetime, int]:
    return scan.at, _ORDER[scan.status]


def _known(delivery: Delivery, said: RecordCheckpoint) -> bool:
    """Whether the carrier repeats itself."""
    if said.at is None:
        return delivery.ended and delivery.status == said.status
    return any(scan.at == said.at and scan.status == said.status for scan in delivery.checkpoints)


def _check_time(delivery: Delivery, said: RecordCheckpoint, at: datetime, now: datetime) -> None:
    if at > now + CLOCKS_DIFFER:
        raise Refused(
            "checkpoint_in_future",
            f"the checkpoint says {at.isoformat()}, but it is only {now.isoformat()}:"
            " send the time at which it happened",
        )
    if delivery.ended and not _late(delivery, said):
        raise Refused(
            "delivery_ended",
            f"delivery {delivery.delivery_id} is {delivery.status}, so nothing can happen to it"
            " any more: check the id",
            status=delivery.status,
        )
    if len(delivery.checkpoints) >= MAX_CHECKPOINTS and said.status not in ENDS:
        raise Refused(
            "too_many_checkpoints",
            f"delivery {delivery.delivery_id} has {MAX_CHECKPOINTS} checkpoints:"
            " send only how it ends",
        )


def _late(delivery: Delivery, said: RecordCheckpoint) -> bool:
    """Whether this happened before the delivery ended, and only comes after that."""
    before = said.at is not None and delivery.ended_at is not None and said.at <= delivery.ended_at
    return before and said.status not in ENDS


def _check_reference(delivery: Delivery, reference: str) -> None:
    if delivery.reference != reference:
        raise Refused(
            "delivery_exists",
            f"{delivery.delivery_id} is the delivery of {delivery.reference}, not of {reference}:"
            " take another id",
        )
