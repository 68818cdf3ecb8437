"""Histories of delivery `d1` to build tests on."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bus.messages import Address, Refused
from delivery.checkpoints import record
from delivery.commands import RecordCheckpoint
from delivery.contract import (
    CancelDelivery,
    DeliveryAssigned,
    DeliveryAttemptFailed,
    DeliveryCancelled,
    DeliveryRescheduled,
    DeliveryScheduled,
    Scan,
    ScheduleDelivery,
    Slot,
)
from delivery.delivery import CheckpointRecorded, Delivery, DeliveryEvent, DeliveryRequested, evolve
from delivery.tracking import tracking_number

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
EVENING = NOON + timedelta(hours=8)
VADUZ = Address(
    house_number="1", road="Äulestrasse", district="Vaduz", postcode="9490", country="LI"
)
SCHAAN = VADUZ.model_copy(update={"district": "Schaan", "postcode": "9494"})
WHOSE: Any = {"delivery_id": "d1", "reference": "o1"}

SCHEDULE = ScheduleDelivery(**WHOSE, warehouse_id="schaan", destination=VADUZ)
CANCEL = CancelDelivery(**WHOSE)
SCHEDULED = DeliveryScheduled(
    **WHOSE,
    warehouse_id="schaan",
    destination=VADUZ,
    carrier="house",
    tracking_number=tracking_number("d1"),
    at=NOON,
)
PENDING = DeliveryRequested(
    **WHOSE,
    warehouse_id="schaan",
    destination=VADUZ,
    tracking_number=tracking_number("d1"),
    reason="unknown_slot",
    at=NOON,
)
CANCELLED = DeliveryCancelled(**WHOSE)


def at(minute: int) -> datetime:
    return NOON + timedelta(minutes=minute)


def replay(history: Sequence[DeliveryEvent]) -> Delivery | None:
    delivery = None
    for event in history:
        delivery = evolve(delivery, event)
    return delivery


def stand(history: Sequence[DeliveryEvent]) -> Delivery:
    delivery = replay(history)
    assert delivery is not None
    return delivery


def said(status: Scan, minute: int | None = None, **more: Any) -> RecordCheckpoint:
    when = None if minute is None else at(minute)
    return RecordCheckpoint(delivery_id="d1", status=status, at=when, **more)


def lived(
    *checkpoints: RecordCheckpoint,
    now: datetime = EVENING,
    begins: Sequence[DeliveryEvent] = (SCHEDULED,),
    carrier: str | None = None,
) -> list[DeliveryEvent]:
    """The history of a scheduled delivery of which this was said."""
    history = list(begins)
    for checkpoint in checkpoints:
        history += record(replay(history), checkpoint, now, carrier)
    return history


def scan(status: Scan, minute: int) -> CheckpointRecorded:
    return CheckpointRecorded(**WHOSE, status=status, at=at(minute))


def assigned(carrier: str, minute: int = 0) -> DeliveryAssigned:
    return DeliveryAssigned(**WHOSE, carrier=carrier, at=at(minute))


def failed(attempt: int, minute: int) -> DeliveryAttemptFailed:
    return DeliveryAttemptFailed(**WHOSE, attempt=attempt, at=at(minute))


def slot(start: datetime, end: datetime) -> Slot:
    return Slot.model_validate({"slot_id": "agreed", "from": start, "to": end})


def moved(attempt: int, minute: int, to: Slot) -> DeliveryRescheduled:
    return DeliveryRescheduled(**WHOSE, attempt=attempt, slot=to, at=at(minute))


def refusal(
    history: Sequence[DeliveryEvent], checkpoint: RecordCheckpoint, carrier: str | None = None
) -> Refused:
    with pytest.raises(Refused) as refused:
        record(replay(history), checkpoint, EVENING, carrier)
    return refused.value
