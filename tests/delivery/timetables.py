"""Timetables and slots of the tests: a warehouse in Zurich that delivers on weekdays."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from delivery.clock import Weekday
from delivery.contract import HoldSlot, Slot
from delivery.slot import Book, SlotEvent
from delivery.slot import evolve as evolve_slot
from delivery.slot_commands import DropWindow, SetWindow
from delivery.timetable import Offered, Timetable, TimetableEvent, Window, evolve

ZURICH = ZoneInfo("Europe/Zurich")

MONDAY = datetime(2026, 11, 30, 6, tzinfo=UTC)
"""Seven in the morning in Zurich."""

WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri")

MORNING = "zurich:2026-11-30:0900-1200"
SLOT = Slot.model_validate(
    {"slot_id": MORNING, "from": MONDAY + timedelta(hours=2), "to": MONDAY + timedelta(hours=5)}
)


def window(start: str = "09:00", end: str = "12:00", **changes: Any) -> SetWindow:
    fields = {"warehouse_id": "zurich", "days": WEEKDAYS, "capacity": 2}
    return SetWindow(**{**fields, "start": start, "end": end, **changes})


def drop(start: str = "09:00", end: str = "12:00", **changes: Any) -> DropWindow:
    fields = {"warehouse_id": "zurich", "days": WEEKDAYS}
    return DropWindow(**{**fields, "start": start, "end": end, **changes})


def replay(history: Sequence[TimetableEvent]) -> Timetable:
    timetable: Timetable | None = None
    for event in history:
        timetable = evolve(timetable, event)
    return timetable or Timetable()


def places(capacity: int) -> Offered:
    return Offered(SLOT, capacity, MONDAY.date(), Window("mon", "09:00", "12:00"))


def wants(reference: str, minutes: int = 30, at: datetime = MONDAY) -> HoldSlot:
    """Somebody wants a place in Monday morning's slot, for so many minutes."""
    return HoldSlot(
        slot_id=MORNING,
        reference=reference,
        warehouse_id="zurich",
        until=at + timedelta(minutes=minutes),
    )


def slot_after(history: Sequence[SlotEvent]) -> Book | None:
    book: Book | None = None
    for event in history:
        book = evolve_slot(book, event)
    return book
