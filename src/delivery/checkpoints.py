"""What follows from what a carrier says: taken down by its time, whenever it comes."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, assert_never

from bus.messages import Refused
from delivery.commands import RecordCheckpoint
from delivery.contract import (
    DeliveryAttemptFailed,
    DeliveryDelivered,
    DeliveryPickedUp,
    DeliveryReturned,
)
from delivery.delivery import (
    ENDS,
    CheckpointRecorded,
    Delivery,
    DeliveryEvent,
    evolve,
    has_ended,
    unknown,
)
from delivery.dispatch import assigned_to, may_report, may_see

CLOCKS_DIFFER = timedelta(minutes=5)
"""How far a carrier's clock may be ahead of ours."""

MAX_CHECKPOINTS = 1000
"""Checkpoints of one delivery before its end: a carrier gone wild must not overfill a document."""


def record(
    delivery: Delivery | None, said: RecordCheckpoint, now: datetime, carrier: str | None = None
) -> list[DeliveryEvent]:
    """Take down what the carrier said, or the shop itself (`None`).

    What no carrier has yet is theirs from now on. Whoever has the goods has picked them up: if that
    was never said, it is taken as having happened then.
    """
    if delivery is None or not may_report(delivery, carrier):
        raise unknown(said.delivery_id)
    if _known(delivery, said):
        return []
    at = said.at or now
    if delivery.ended and not (_late(delivery, said) and may_see(delivery, carrier)):
        raise has_ended(delivery)
    _check_bounds(delivery, said, at, now)
    whose: Any = {"delivery_id": delivery.delivery_id, "reference": delivery.reference}
    milestone = {**whose, "kind": delivery.kind, "at": at}
    events: list[DeliveryEvent] = []
    if not delivery.assigned and not delivery.ended:
        events += assigned_to(carrier, delivery, now)
    if not delivery.picked_up and has_goods(delivery, said):
        events.append(DeliveryPickedUp(**milestone))
    scan = CheckpointRecorded(
        **whose,
        status=said.status,
        at=at,
        position=said.position,
        note=said.note,
        proof=said.proof,
        recipient=delivery.recipient,
    )
    events.append(scan)
    match said.status:
        case "attempt_failed":
            attempts = evolve(delivery, scan).attempts
            if attempts > delivery.attempts and not delivery.ended:
                events.append(DeliveryAttemptFailed(**milestone, attempt=attempts))
        case "delivered":
            events.append(DeliveryDelivered(**milestone))
        case "returned_to_sender":
            events.append(DeliveryReturned(**milestone))
        case "picked_up" | "en_route" | "arrived":
            pass
        case _:
            assert_never(said.status)
    return events


def has_goods(delivery: Delivery, said: RecordCheckpoint) -> bool:
    """Whether a carrier who says this has the goods. To fetch them at a door, it sets out with
    none, and may find nobody there."""
    match delivery.kind:
        case "delivery":
            return True
        case "return":
            return said.status in ("picked_up", "delivered")
        case _:
            assert_never(delivery.kind)


def _known(delivery: Delivery, said: RecordCheckpoint) -> bool:
    """Whether the carrier repeats itself."""
    if said.at is None:
        return delivery.ended and delivery.status == said.status
    return any(scan.at == said.at and scan.status == said.status for scan in delivery.checkpoints)


def _check_bounds(delivery: Delivery, said: RecordCheckpoint, at: datetime, now: datetime) -> None:
    if at > now + CLOCKS_DIFFER:
        raise Refused(
            "checkpoint_in_future",
            f"the checkpoint says {at.isoformat()}, but it is only {now.isoformat()}:"
            " send the time at which it happened",
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
