"""A delivery: what can happen to it, and how it stands afterwards. What may happen is decided by
`scheduling`, `dispatch`, `checkpoints` and `redelivery`."""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import NamedTuple, assert_never, get_args

from bus.messages import Address, Event, NotFound, PersonalAddress, PersonalText, Refused
from delivery.contract import (
    Checkpoint,
    DeliveryAssigned,
    DeliveryAttemptFailed,
    DeliveryCancelled,
    DeliveryDelivered,
    DeliveryKind,
    DeliveryPickedUp,
    DeliveryRescheduled,
    DeliveryReturned,
    DeliveryScheduled,
    Packed,
    Scan,
    SealedProof,
    Slot,
    Status,
    Whereabouts,
)
from delivery.tracking import tracking_number

HOUSE = "house"
"""The carrier of what no carrier has yet: the shop's own vans."""

ENDS: frozenset[Status] = frozenset({"delivered", "returned_to_sender", "cancelled"})

_ORDER = {status: place for place, status in enumerate(get_args(Status))}


class DeliveryRequested(Event, name="delivery.DeliveryRequested", whose="recipient"):
    """It was asked for, but cannot be arranged as it was asked for: a person has to."""

    delivery_id: str
    reference: str
    kind: DeliveryKind = "delivery"
    warehouse_id: str
    recipient: str | None = None
    origin: PersonalAddress | None = None
    destination: PersonalAddress
    tracking_number: str
    items: tuple[Packed, ...] = ()
    reason: str
    at: datetime


class CheckpointRecorded(Event, name="delivery.CheckpointRecorded", whose="recipient"):
    """The carrier said how far the delivery is, `at` its own time."""

    delivery_id: str
    reference: str
    status: Scan
    at: datetime
    position: Whereabouts = None
    note: PersonalText | None = None
    proof: SealedProof | None = None
    recipient: str | None = None


DeliveryEvent = (
    DeliveryRequested
    | DeliveryScheduled
    | DeliveryAssigned
    | CheckpointRecorded
    | DeliveryPickedUp
    | DeliveryAttemptFailed
    | DeliveryRescheduled
    | DeliveryDelivered
    | DeliveryReturned
    | DeliveryCancelled
)


class Move(NamedTuple):
    """When a delivery came to be how it is."""

    at: datetime
    status: Status


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery as it stands; without a destination it was cancelled before it was asked for."""

    delivery_id: str
    reference: str
    carrier: str
    tracking_number: str
    kind: DeliveryKind = "delivery"
    warehouse_id: str | None = None
    recipient: str | None = None
    origin: PersonalAddress | None = None
    destination: PersonalAddress | None = None
    items: tuple[Packed, ...] = ()
    slot: Slot | None = None
    slot_lost: str | None = None
    status: Status = "scheduled"
    since: datetime | None = None
    assigned: bool = False
    """Whether `carrier` has it; else whoever reports on it first gets it."""
    picked_up: bool = False
    ended_at: datetime | None = None
    checkpoints: tuple[Checkpoint, ...] = ()
    """In the order in which they happened, whenever they came."""
    rescheduled: tuple[datetime, ...] = ()
    """When another attempt was arranged after one that had failed."""

    @property
    def ended(self) -> bool:
        """Whether nothing more can happen."""
        return self.status in ENDS

    @property
    def last_seen(self) -> Checkpoint | None:
        """The latest checkpoint that tells a position."""
        return next((scan for scan in reversed(self.checkpoints) if scan.position), None)

    @property
    def moves(self) -> list[Move]:
        """What the carrier said and what was arranged anew, in the order of its time."""
        said = (Move(scan.at, scan.status) for scan in self.checkpoints)
        arranged = (Move(at, "rescheduled") for at in self.rescheduled)
        return sorted([*said, *arranged], key=_place)

    @property
    def attempts(self) -> int:
        """How many attempts have failed; one that is told of twice in a row is one."""
        return sum(
            status == "attempt_failed" for status, _ in groupby(m.status for m in self.moves)
        )

    @property
    def heads_for(self) -> Address | None:
        """Where the carrier is to go next: to fetch the goods, or to bring them."""
        return self.destination if self.picked_up or self.origin is None else self.origin


def evolve(delivery: Delivery | None, event: DeliveryEvent) -> Delivery:
    """The delivery after an event."""
    if delivery is None:
        delivery = _begun(event)
    match event:
        case DeliveryRequested(at=at):
            return replace(delivery, status="pending", since=at)
        case DeliveryScheduled(slot=slot, slot_lost=lost, at=at):
            return replace(delivery, status="scheduled", slot=slot, slot_lost=lost, since=at)
        case DeliveryAssigned(carrier=carrier, at=at):
            return _stands(replace(delivery, carrier=carrier, assigned=True, since=at))
        case CheckpointRecorded():
            return _stands(_seen(delivery, event))
        case DeliveryPickedUp():
            return replace(delivery, picked_up=True)
        case DeliveryAttemptFailed():
            return delivery
        case DeliveryRescheduled():
            return _stands(_arranged_anew(delivery, event))
        case DeliveryDelivered(at=at):
            return replace(delivery, status="delivered", ended_at=at, since=at)
        case DeliveryReturned(at=at):
            return replace(delivery, status="returned_to_sender", ended_at=at, since=at)
        case DeliveryCancelled():
            return replace(delivery, status="cancelled")
        case _:
            assert_never(event)


def unknown(delivery_id: str) -> NotFound:
    """The refusal of a delivery that nobody has heard of, or that is another carrier's."""
    return NotFound("unknown_delivery", f"there is no delivery {delivery_id}: check its id")


def known(delivery: Delivery | None, delivery_id: str) -> Delivery:
    """The delivery, which must exist."""
    if delivery is None:
        raise unknown(delivery_id)
    return delivery


def has_ended(delivery: Delivery) -> Refused:
    """The refusal of what comes after the end."""
    return Refused(
        "delivery_ended",
        f"delivery {delivery.delivery_id} is {delivery.status}, so nothing can happen to it any"
        " more: check the id",
        status=delivery.status,
    )


def _begun(event: DeliveryEvent) -> Delivery:
    if not isinstance(event, DeliveryScheduled | DeliveryRequested):  # it was called off first
        number = tracking_number(event.delivery_id)
        return Delivery(event.delivery_id, event.reference, HOUSE, number)
    return Delivery(
        delivery_id=event.delivery_id,
        reference=event.reference,
        carrier=event.carrier if isinstance(event, DeliveryScheduled) else HOUSE,
        tracking_number=event.tracking_number,
        kind=event.kind,
        warehouse_id=event.warehouse_id,
        recipient=event.recipient,
        origin=event.origin,
        destination=event.destination,
        items=event.items,
    )


def _seen(delivery: Delivery, event: CheckpointRecorded) -> Delivery:
    """The checkpoint in its place."""
    checkpoints = list(delivery.checkpoints)
    scan = Checkpoint(
        status=event.status,
        position=event.position,
        at=event.at,
        note=event.note,
        proof=event.proof,
    )
    insort(checkpoints, scan, key=_place)
    return replace(delivery, checkpoints=tuple(checkpoints))


def _arranged_anew(delivery: Delivery, event: DeliveryRescheduled) -> Delivery:
    """Its time is another one; after a failed attempt, that is a move of its own."""
    again = (event.at,) if event.attempt else ()
    return replace(
        delivery,
        slot=event.slot,
        slot_lost=None,
        rescheduled=(*delivery.rescheduled, *again),
    )


def _stands(delivery: Delivery) -> Delivery:
    """How it stands by the latest move, whatever came last: a late one does not move it back."""
    if delivery.ended:
        return delivery
    said = (Move(scan.at, scan.status) for scan in delivery.checkpoints[-1:])
    arranged = (Move(at, "rescheduled") for at in delivery.rescheduled[-1:])
    if latest := max([*said, *arranged], key=_place, default=None):
        return replace(delivery, status=latest.status, since=latest.at)
    return replace(delivery, status="assigned") if delivery.assigned else delivery


def _place(move: Move | Checkpoint) -> tuple[datetime, int]:
    return move.at, _ORDER[move.status]
