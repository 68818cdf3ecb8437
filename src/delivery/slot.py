"""A slot: who holds a place in it, who has booked one, and never more of them than it takes.

Each slot is a stream of its own, so two who want the last place meet there. A hold lapses by
itself, without an event, when its time is up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import reduce
from typing import assert_never
from zoneinfo import ZoneInfo

from bus.messages import Event, Refused
from delivery.commands import Warehouse
from delivery.contract import HoldSlot, Slot
from delivery.timetable import Offered

GRACE = timedelta(minutes=30)
"""How much longer a place is held than was asked for: what ends an order may come late."""


@dataclass(frozen=True, slots=True)
class SlotTerms:
    """How far ahead slots are offered, how long before it begins one is to be chosen, and the time
    zone of warehouses that have none of their own."""

    horizon: timedelta = timedelta(days=7)
    lead: timedelta = timedelta(hours=2)
    time_zone: str = "UTC"

    def zone_of(self, warehouse: Warehouse | None) -> ZoneInfo:
        """The time zone of a warehouse's clocks."""
        own = warehouse.time_zone if warehouse is not None else None
        return ZoneInfo(own or self.time_zone)


class SlotHeld(Event, name="delivery.SlotHeld"):
    """A place in the slot, which takes `capacity` of them now, is kept until then."""

    reference: str
    warehouse_id: str
    slot: Slot
    capacity: int
    until: datetime


class SlotBooked(Event, name="delivery.SlotBooked"):
    """The place is taken for good."""

    slot_id: str
    reference: str


class SlotFreed(Event, name="delivery.SlotFreed"):
    """The place is somebody else's to take."""

    slot_id: str
    reference: str


SlotEvent = SlotHeld | SlotBooked | SlotFreed


@dataclass(frozen=True, slots=True)
class Book:
    """The places of a slot: until when each is held, which are booked, and who gave one back."""

    warehouse_id: str
    slot: Slot
    capacity: int
    held: Mapping[str, datetime] = field(default_factory=dict)
    booked: frozenset[str] = frozenset()
    given_back: frozenset[str] = frozenset()

    def holds(self, now: datetime) -> int:
        """Places that are held."""
        return sum(until > now for until in self.held.values())

    def taken(self, now: datetime, but: str = "") -> int:
        """Places that are held or booked, by anybody `but` one."""
        held = {reference for reference, until in self.held.items() if until > now}
        return len((self.booked | held) - {but})


def evolve(book: Book | None, event: SlotEvent) -> Book:
    """The slot after an event; the first one holds a place."""
    if isinstance(event, SlotHeld):
        now = book or Book(event.warehouse_id, event.slot, event.capacity)
        held = {**now.held, event.reference: event.until}
        return replace(now, slot=event.slot, capacity=event.capacity, held=held)
    if book is None:
        raise ValueError(f"{event.type_name} before a place was held")
    held = {other: until for other, until in book.held.items() if other != event.reference}
    match event:
        case SlotBooked(reference=reference):
            return replace(book, held=held, booked=book.booked | {reference})
        case SlotFreed(reference=reference):
            return replace(
                book,
                held=held,
                booked=book.booked - {reference},
                given_back=book.given_back | {reference},
            )
        case _:
            assert_never(event)


def has_place(book: Book | None, wanted: HoldSlot, now: datetime) -> bool:
    """Whether whoever asks has a place already, for as long as is asked for."""
    if book is None:
        return False
    return wanted.reference in book.booked or (
        book.held.get(wanted.reference, now) > max(wanted.until, now)
    )


def hold(
    book: Book | None, wanted: HoldSlot, offered: Offered, now: datetime, lead: timedelta
) -> list[SlotEvent]:
    """Keep a place; held again, it is kept longer if need be. Refused with `slot_given_back`,
    `slot_over` and `slot_full`."""
    if has_place(book, wanted, now):
        return []
    slot, capacity = offered.slot, offered.capacity
    if book is not None and wanted.reference in book.given_back:
        raise Refused(
            "slot_given_back",
            f"{wanted.reference} had a place in slot {slot.slot_id} and gave it back: order anew",
            slot_id=slot.slot_id,
        )
    if slot.from_ < now + lead:
        raise Refused(
            "slot_over",
            f"slot {slot.slot_id} begins at {slot.from_.isoformat()}, and is to be chosen"
            f" {lead} before that: choose a later one of a fresh quote",
            slot_id=slot.slot_id,
        )
    if book is not None and book.taken(now, wanted.reference) >= capacity:
        raise Refused(
            "slot_full",
            f"all {capacity} places of slot {slot.slot_id} are taken: choose another one of a"
            " fresh quote",
            slot_id=slot.slot_id,
        )
    return [
        SlotHeld(
            reference=wanted.reference,
            warehouse_id=wanted.warehouse_id,
            slot=slot,
            capacity=capacity,
            until=wanted.until + GRACE,
        )
    ]


def book_place(
    book: Book | None, reference: str, warehouse_id: str, now: datetime
) -> list[SlotEvent]:
    """Take the place for good that was held; nothing when that has lapsed and others have it now,
    when it was given back, or when the slot is over."""
    if book is None or book.warehouse_id != warehouse_id or reference not in book.held:
        return []
    if now >= book.slot.to or book.taken(now, reference) >= book.capacity:
        return []
    return [SlotBooked(slot_id=book.slot.slot_id, reference=reference)]


def take(book: Book | None, wanted: HoldSlot, offered: Offered, now: datetime) -> list[SlotEvent]:
    """Keep a place and take it for good, until the slot begins, also if it was given back before: a
    person has decided so. Refused as `hold` is."""
    as_new = replace(book, given_back=frozenset()) if book is not None else None
    held = hold(as_new, wanted, offered, now, timedelta())
    after = reduce(evolve, held, as_new)
    return [*held, *book_place(after, wanted.reference, wanted.warehouse_id, now)]


def is_to_come(book: Book | None, now: datetime) -> bool:
    """Whether somebody else may still want a place."""
    return book is not None and book.slot.from_ > now


def free(book: Book | None, reference: str) -> list[SlotEvent]:
    """Give the place to whoever wants it next."""
    if book is None or not (reference in book.held or reference in book.booked):
        return []
    return [SlotFreed(slot_id=book.slot.slot_id, reference=reference)]
