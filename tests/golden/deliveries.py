"""Histories of deliveries that a carrier has, that are tried again, or that bring goods back."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from bus.messages import Address, Event
from delivery.contract import (
    DeliveryAssigned,
    DeliveryAttemptFailed,
    DeliveryCancelled,
    DeliveryDelivered,
    DeliveryPickedUp,
    DeliveryRescheduled,
    DeliveryReturned,
    DeliveryScheduled,
    Proof,
    Slot,
)
from delivery.delivery import CheckpointRecorded, DeliveryRequested

AT = datetime(2026, 11, 28, 9, tzinfo=UTC)
DOOR = Address(
    house_number="12", road="Landstrasse", district="Schaan", postcode="9494", country="LI"
)
HOUSE = DOOR.model_copy(update={"house_number": "5"})


def after(hours: float) -> datetime:
    return AT + timedelta(hours=hours)


def slot(hours: float) -> Slot:
    return Slot.model_validate({"slot_id": "agreed", "from": after(hours), "to": after(hours + 2)})


ORDERED: Any = {"delivery_id": "dlv_2", "reference": "ord_2"}
FETCHED: Any = {"delivery_id": "dlv_r1_2", "reference": "ord_2"}
BACK: Any = {**FETCHED, "kind": "return"}
PLANNED: Any = {
    **ORDERED,
    "warehouse_id": "schaan",
    "destination": DOOR,
    "tracking_number": "7K3M-9QXT-4B2W-H",
}

SCHEDULED = DeliveryScheduled(**PLANNED, carrier="post", at=AT)
ASSIGNED = DeliveryAssigned(**ORDERED, carrier="post", at=AT)
PENDING = DeliveryRequested(**PLANNED, reason="unknown_slot", at=AT)
FETCH = DeliveryScheduled(
    **BACK,
    warehouse_id="schaan",
    origin=DOOR,
    destination=HOUSE,
    carrier="house",
    tracking_number="7K3M-9QXT-4B2W-H",
    slot=slot(4),
    at=AT,
)


def seen(whose: Any, status: str, hours: float, proof: Proof | None = None) -> CheckpointRecorded:
    return CheckpointRecorded.model_validate(
        {**whose, "status": status, "at": after(hours), "proof": proof}
    )


def failed(whose: Any, attempt: int, hours: float) -> list[Event]:
    at = after(hours)
    return [
        seen({k: v for k, v in whose.items() if k != "kind"}, "attempt_failed", hours),
        DeliveryAttemptFailed(**whose, attempt=attempt, at=at),
    ]


TRIED: list[Event] = [
    SCHEDULED,
    ASSIGNED,
    DeliveryPickedUp(**ORDERED, at=after(1)),
    seen(ORDERED, "picked_up", 1),
    *failed(ORDERED, 1, 2),
    DeliveryRescheduled(**ORDERED, attempt=1, slot=slot(26), at=after(3)),
]

DELIVERIES: Mapping[str, Sequence[Event]] = {
    "pending": [PENDING],
    "arranged_later": [PENDING, DeliveryScheduled(**PLANNED, carrier="house", slot=slot(4), at=AT)],
    "assigned": [SCHEDULED, ASSIGNED],
    "assigned_to_another": [
        SCHEDULED,
        ASSIGNED,
        DeliveryAssigned(**ORDERED, carrier="vans", at=after(1)),
    ],
    "moved_before_it_was_picked_up": [
        SCHEDULED,
        ASSIGNED,
        DeliveryRescheduled(**ORDERED, attempt=0, slot=slot(30), at=after(1)),
    ],
    "rescheduled": TRIED,
    "delivered_at_the_second_attempt": [
        *TRIED,
        seen(ORDERED, "en_route", 26),
        seen(ORDERED, "delivered", 27, Proof(name="A. Neighbour", note="at number 14")),
        DeliveryDelivered(**ORDERED, at=after(27)),
    ],
    "return_scheduled": [FETCH],
    "return_fetched": [
        FETCH,
        seen(FETCHED, "arrived", 4),
        *failed(BACK, 1, 4.5),
        DeliveryRescheduled(**BACK, attempt=1, slot=slot(28), at=after(5)),
        DeliveryPickedUp(**BACK, at=after(28)),
        seen(FETCHED, "picked_up", 28),
        seen(FETCHED, "delivered", 29),
        DeliveryDelivered(**BACK, at=after(29)),
    ],
    "return_given_up": [
        FETCH,
        seen(FETCHED, "returned_to_sender", 5),
        DeliveryReturned(**BACK, at=after(5)),
    ],
    "return_cancelled": [FETCH, DeliveryCancelled(**BACK)],
}
