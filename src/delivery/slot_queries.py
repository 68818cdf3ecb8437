"""What can be asked of windows and slots: those a buyer can choose, and how all of them stand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta

from bus.envelope import Envelope
from bus.messages import now
from bus.streams import Streams
from delivery import timetable as timetables
from delivery.clock import WEEK, local_day
from delivery.commands import Warehouse
from delivery.contract import Slot
from delivery.slot import Book, SlotTerms
from delivery.slot_commands import (
    ClosedDay,
    GetTimetables,
    ListSlots,
    SlotStanding,
    Timetables,
    WindowSetting,
)
from delivery.slot_handlers import SLOT, TIMETABLE
from delivery.timetable import Offered, Timetable
from delivery.warehouse import known
from delivery.warehouse_handlers import WAREHOUSES


class SlotQueries:
    """Windows and slots, as they stand."""

    def __init__(self, streams: Streams, terms: SlotTerms) -> None:
        self._streams = streams
        self._terms = terms

    async def offered(self, warehouse: Warehouse, zone_id: str | None) -> tuple[Slot, ...]:
        """The slots that can be chosen now where this warehouse delivers, in that zone."""
        table = await self._timetable(warehouse.warehouse_id)
        place, zone = table.place(warehouse.warehouse_id, zone_id), self._terms.zone_of(warehouse)
        at = now()
        first, last = at + self._terms.lead, at + self._terms.horizon
        coming = tuple(timetables.coming(table, place, zone, first, last))
        books = await self._streams.load_all([SLOT(each.slot.slot_id) for each in coming])
        return tuple(
            each.slot
            for each, book in zip(coming, books, strict=True)
            if book is None or book.taken(at) < each.capacity
        )

    async def list(
        self, query: ListSlots, envelope: Envelope[ListSlots]
    ) -> tuple[SlotStanding, ...]:
        """How the slots of some days stand."""
        found: list[SlotStanding] = []
        for warehouse in await self._warehouses(query.warehouse_id):
            table = await self._timetable(warehouse.warehouse_id)
            zone = self._terms.zone_of(warehouse)
            first = query.day or local_day(now(), zone)
            offered = [
                (place, each)
                for place in table.windows
                for after in range(query.days)
                for each in timetables.slots_on(table, place, first + timedelta(days=after), zone)
            ]
            books = await self._streams.load_all([SLOT(each.slot.slot_id) for _, each in offered])
            at = now()
            found += (
                standing(warehouse.warehouse_id, place, each, book, at)
                for (place, each), book in zip(offered, books, strict=True)
            )
        return tuple(sorted(found, key=lambda it: (it.from_, it.slot_id)))

    async def timetables(
        self, query: GetTimetables, envelope: Envelope[GetTimetables]
    ) -> Timetables:
        """The windows of the week, and the days that are closed."""
        windows: list[WindowSetting] = []
        closed: list[ClosedDay] = []
        for warehouse in await self._warehouses(query.warehouse_id):
            id = warehouse.warehouse_id
            table = await self._timetable(id)
            today = local_day(now(), self._terms.zone_of(warehouse))
            windows += settings(id, table)
            closed += (
                ClosedDay(warehouse_id=id, day=date.fromisoformat(day), reason=reason)
                for day, reason in sorted(table.closed.items())
                if day >= today.isoformat()
            )
        return Timetables(windows=tuple(windows), closed=tuple(closed))

    async def _warehouses(self, warehouse_id: str | None) -> Iterable[Warehouse]:
        there = (await self._streams.newest(WAREHOUSES)).state
        if warehouse_id is not None:
            return (known(there, warehouse_id),)
        return tuple(warehouse for _, warehouse in sorted((there or {}).items()))

    async def _timetable(self, warehouse_id: str) -> Timetable:
        return (await self._streams.load(TIMETABLE(warehouse_id))).state or Timetable()


def standing(
    warehouse_id: str, place: str, offered: Offered, book: Book | None, at: datetime
) -> SlotStanding:
    """How a slot stands; more may be taken than it takes by now, of when it took more."""
    taken = book.taken(at) if book else 0
    booked = len(book.booked) if book else 0
    return SlotStanding.model_validate(
        {
            **offered.slot.model_dump(),
            "warehouse_id": warehouse_id,
            "zone_id": None if place == warehouse_id else place,
            "day": offered.day,
            "window": f"{offered.window.start}-{offered.window.end}",
            "capacity": offered.capacity,
            "held": taken - booked,
            "booked": booked,
            "free": max(offered.capacity - taken, 0),
        }
    )


def settings(warehouse_id: str, table: Timetable) -> Iterator[WindowSetting]:
    """The windows of a warehouse and its zones, as they were set."""
    for place, windows in sorted(table.windows.items()):
        for window in sorted(windows, key=lambda it: (WEEK.index(it.day), it.start)):
            yield WindowSetting(
                warehouse_id=warehouse_id,
                zone_id=None if place == warehouse_id else place,
                **window._asdict(),
                capacity=windows[window],
            )
