"""When goods are brought that could not be brought before, or not then."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple, assert_never
from zoneinfo import ZoneInfo

from bus.messages import Refused, Window
from delivery.contract import DeliveryRescheduled, DeliveryScheduled, Slot
from delivery.delivery import HOUSE, Delivery, DeliveryEvent, has_ended
from delivery.dispatch import assigned_to

AGREED = "agreed"
"""The slot of a window that was agreed on beside the timetable: it takes nobody's place."""


class Redelivery(NamedTuple):
    """How many attempts are made before the goods go back, and for how long after one that failed
    people may choose another time; after that it is the next day."""

    attempts: int = 3
    after: timedelta = timedelta(hours=1)


def reschedule(
    delivery: Delivery, slot: Slot, now: datetime, carrier: str | None = None
) -> list[DeliveryEvent]:
    """Bring it at that time. What was pending is arranged by that, and goes to the `carrier`."""
    match delivery.status:
        case "pending":
            return _arranged(delivery, slot, now, carrier)
        case "attempt_failed":
            return [_again(delivery, slot, now)]
        case "scheduled" | "assigned" | "rescheduled":
            return [_again(delivery, slot, now)] if slot != delivery.slot else []
        case "picked_up" | "en_route" | "arrived":
            raise Refused(
                "on_the_road",
                f"delivery {delivery.delivery_id} is {delivery.status}: it can be rescheduled when"
                " the carrier has found nobody",
                status=delivery.status,
            )
        case "delivered" | "returned_to_sender" | "cancelled":
            raise has_ended(delivery)
        case _:
            assert_never(delivery.status)


def retry(
    delivery: Delivery | None, rule: Redelivery, now: datetime, zone: ZoneInfo
) -> list[DeliveryEvent]:
    """Nobody has chosen another time: try again the next day. After the last attempt a person or
    the carrier decides."""
    if delivery is None or delivery.status != "attempt_failed":
        return []
    if delivery.attempts >= rule.attempts:
        return []
    return [_again(delivery, next_day(delivery, now, zone), now)]


def next_day(delivery: Delivery, now: datetime, zone: ZoneInfo) -> Slot:
    """The same window of the day after the failed attempt; of tomorrow, if that has begun. Days and
    hours are those of the `zone`."""
    failed, today = (at.astimezone(zone).date() for at in (delivery.since or now, now))
    slot = on_day(delivery.slot, failed + timedelta(days=1), zone)
    return slot if slot.from_ > now else on_day(delivery.slot, today + timedelta(days=1), zone)


def on_day(slot: Slot | None, day: date, zone: ZoneInfo) -> Slot:
    """The same window on another day; all of it, if there was none."""
    if slot is None:
        return _slot(_at(day, time(), zone), _at(day + timedelta(days=1), time(), zone))
    start, end = slot.from_.astimezone(zone), slot.to.astimezone(zone)
    ends = day + (end.date() - start.date())
    return _slot(_at(day, start.time(), zone), _at(ends, end.time(), zone))


def agreed(window: Window, now: datetime) -> Slot:
    """The slot of a window; refused with `window_over` when it is past."""
    if window.to <= now:
        raise Refused(
            "window_over",
            f"the window ends at {window.to.isoformat()}, and it is {now.isoformat()}: choose one"
            " that is still to come",
        )
    return in_window(window)


def in_window(window: Window) -> Slot:
    """The slot of a window that is none of the timetable's."""
    return _slot(window.from_, window.to)


def _again(delivery: Delivery, slot: Slot, now: datetime) -> DeliveryRescheduled:
    return DeliveryRescheduled(
        delivery_id=delivery.delivery_id,
        reference=delivery.reference,
        kind=delivery.kind,
        attempt=delivery.attempts,
        slot=slot,
        at=max(delivery.since or now, now),  # never before the attempt, whatever clock said so
    )


def _arranged(
    delivery: Delivery, slot: Slot, now: datetime, carrier: str | None
) -> list[DeliveryEvent]:
    if delivery.warehouse_id is None or delivery.destination is None:
        raise ValueError(f"delivery {delivery.delivery_id} is pending, and leads nowhere")
    scheduled = DeliveryScheduled(
        delivery_id=delivery.delivery_id,
        reference=delivery.reference,
        kind=delivery.kind,
        warehouse_id=delivery.warehouse_id,
        recipient=delivery.recipient,
        origin=delivery.origin,
        destination=delivery.destination,
        items=delivery.items,
        carrier=carrier or HOUSE,
        tracking_number=delivery.tracking_number,
        slot=slot,
        at=now,
    )
    return [scheduled, *assigned_to(carrier, scheduled, now)]


def _slot(start: datetime, end: datetime) -> Slot:
    return Slot.model_validate({"slot_id": AGREED, "from": start, "to": end})


def _at(day: date, clock: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, clock, zone).astimezone(UTC)
