"""When a warehouse delivers: its windows of the week and those of its zones, and the days on which
it is closed.

The timetable of a warehouse is one stream. A *place* is whose windows they are: a zone that has its
own, or else the warehouse itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import NamedTuple, assert_never
from zoneinfo import ZoneInfo

from bus.messages import Event, Refused
from delivery.clock import Weekday, local_day, span, weekday
from delivery.contract import Slot
from delivery.slot_commands import CloseDay, DropWindow, OpenDay, SetWindow

MAX_WINDOWS = 24
"""Windows of a day, at most: a quote looks at each of them, day by day."""

MAX_PLACE = 59
"""Characters of a place's id: a slot's id has 21 more, and is an `Id` of 80."""

_SLOT_ID = re.compile(r"(.+):(\d{4}-\d\d-\d\d):(\d\d)(\d\d)-(\d\d)(\d\d)")


class WindowSet(Event, name="delivery.WindowSet"):
    """On these days, so many deliveries can be brought between these local times."""

    warehouse_id: str
    zone_id: str | None = None
    days: tuple[Weekday, ...]
    start: str
    end: str
    capacity: int


class WindowDropped(Event, name="delivery.WindowDropped"):
    """On these days, nothing is brought in this window any more."""

    warehouse_id: str
    zone_id: str | None = None
    days: tuple[Weekday, ...]
    start: str
    end: str


class DayClosed(Event, name="delivery.DayClosed"):
    """Nothing is brought on that day (`2026-12-25`, as the warehouse's calendar has it)."""

    warehouse_id: str
    day: str
    reason: str


class DayOpened(Event, name="delivery.DayOpened"):
    """That day is a day like any other, after all."""

    warehouse_id: str
    day: str


TimetableEvent = WindowSet | WindowDropped | DayClosed | DayOpened


class Window(NamedTuple):
    """A window of one day of the week, in local time."""

    day: Weekday
    start: str
    end: str


Windows = Mapping[Window, int]
"""How many deliveries each window takes."""


@dataclass(frozen=True, slots=True)
class Timetable:
    """The windows of each place, and why the warehouse is closed on which days."""

    windows: Mapping[str, Windows] = field(default_factory=dict)
    closed: Mapping[str, str] = field(default_factory=dict)

    def place(self, warehouse_id: str, zone_id: str | None) -> str:
        """Whose windows hold for a destination: the zone's that it lies in, if it has its own."""
        return zone_id if zone_id is not None and self.windows.get(zone_id) else warehouse_id


class Offered(NamedTuple):
    """A slot, how many deliveries it takes, and when it is by the clocks there."""

    slot: Slot
    capacity: int
    day: date
    window: Window


def evolve(timetable: Timetable | None, event: TimetableEvent) -> Timetable:
    """The timetable after an event."""
    now = timetable or Timetable()
    match event:
        case WindowSet(days=days, start=start, end=end, capacity=capacity):
            added = {Window(day, start, end): capacity for day in days}
            return _with(now, event, {**_windows(now, event), **added})
        case WindowDropped(days=days, start=start, end=end):
            dropped = {Window(day, start, end) for day in days}
            left = {it: n for it, n in _windows(now, event).items() if it not in dropped}
            return _with(now, event, left)
        case DayClosed(day=day, reason=reason):
            return replace(now, closed={**now.closed, day: reason})
        case DayOpened(day=day):
            return replace(now, closed={it: why for it, why in now.closed.items() if it != day})
        case _:
            assert_never(event)


def set_window(timetable: Timetable | None, order: SetWindow) -> list[TimetableEvent]:
    """Deliver in this window; set again, it takes as many as is said last. Refused with
    `windows_overlap`, `too_many_windows` and `long_id`."""
    windows = _windows(timetable or Timetable(), order)
    _check_length(order.zone_id or order.warehouse_id)
    changes = tuple(
        day
        for day in dict.fromkeys(order.days)
        if windows.get(Window(day, order.start, order.end)) != order.capacity
    )
    for day in changes:
        _check_room(windows, Window(day, order.start, order.end))
    if not changes:
        return []
    return [
        WindowSet(
            warehouse_id=order.warehouse_id,
            zone_id=order.zone_id,
            days=changes,
            start=order.start,
            end=order.end,
            capacity=order.capacity,
        )
    ]


def drop_window(timetable: Timetable | None, order: DropWindow) -> list[TimetableEvent]:
    """Deliver in this window no more; what is booked in it stays. Refused with
    `unknown_window`."""
    windows = _windows(timetable or Timetable(), order)
    days = tuple(
        day for day in dict.fromkeys(order.days) if Window(day, order.start, order.end) in windows
    )
    if not days:
        place = order.zone_id or order.warehouse_id
        raise Refused(
            "unknown_window",
            f"{place} has no window {order.start}-{order.end} on {', '.join(order.days)}: see"
            " `shop slots windows`",
        )
    return [
        WindowDropped(
            warehouse_id=order.warehouse_id,
            zone_id=order.zone_id,
            days=days,
            start=order.start,
            end=order.end,
        )
    ]


def close(timetable: Timetable | None, order: CloseDay) -> list[TimetableEvent]:
    """Bring nothing on that day; what is booked stays, for somebody to call the buyers."""
    day = order.day.isoformat()
    if (timetable or Timetable()).closed.get(day) == order.reason:
        return []
    return [DayClosed(warehouse_id=order.warehouse_id, day=day, reason=order.reason)]


def reopen(timetable: Timetable | None, order: OpenDay) -> list[TimetableEvent]:
    """Deliver on that day after all."""
    day = order.day.isoformat()
    if day not in (timetable or Timetable()).closed:
        return []
    return [DayOpened(warehouse_id=order.warehouse_id, day=day)]


def slots_on(timetable: Timetable, place: str, day: date, zone: ZoneInfo) -> list[Offered]:
    """The slots of a place on one of its days, the first first."""
    if day.isoformat() in timetable.closed:
        return []
    found = []
    for window, capacity in sorted(timetable.windows.get(place, {}).items()):
        if window.day != weekday(day):
            continue
        if (when := span(day, window.start, window.end, zone)) is not None:
            found.append(Offered(_slot(place, day, window, when), capacity, day, window))
    return found


def coming(
    timetable: Timetable, place: str, zone: ZoneInfo, first: datetime, last: datetime
) -> Iterator[Offered]:
    """The slots of a place that begin between two moments."""
    day = local_day(first, zone)
    while day <= local_day(last, zone):
        for offered in slots_on(timetable, place, day, zone):
            if first <= offered.slot.from_ <= last:
                yield offered
        day += timedelta(days=1)


def find(timetable: Timetable | None, place: str, slot_id: str, zone: ZoneInfo) -> Offered:
    """A slot of a place by its id; refused with `unknown_slot`, and why it is none."""
    named = _SLOT_ID.fullmatch(slot_id)
    day = _day(named[2]) if named else None
    if named is None or day is None or timetable is None:
        raise unknown_slot(slot_id, f"{place} has no slot {slot_id}")
    if named[1] != place:
        why = f"slot {slot_id} is one of {named[1]}, but {place} brings it there"
        raise unknown_slot(slot_id, why)
    if (reason := timetable.closed.get(named[2])) is not None:
        raise unknown_slot(slot_id, f"{place} brings nothing on {named[2]} ({reason})")
    for offered in slots_on(timetable, place, day, zone):
        if offered.slot.slot_id == slot_id:
            return offered
    raise unknown_slot(slot_id, f"{place} has no slot {slot_id} any more, or never had")


def place_of(slot_id: str) -> str | None:
    """The place whose slot that would be, if there is one of this id."""
    named = _SLOT_ID.fullmatch(slot_id)
    return named[1] if named else None


def unknown_slot(slot_id: str, why: str) -> Refused:
    """The refusal of a slot that nobody can have."""
    return Refused("unknown_slot", f"{why}: choose one of a fresh quote", slot_id=slot_id)


def _slot(place: str, day: date, window: Window, when: tuple[datetime, datetime]) -> Slot:
    start, end = window.start.replace(":", ""), window.end.replace(":", "")
    named = f"{place}:{day.isoformat()}:{start}-{end}"
    return Slot.model_validate({"slot_id": named, "from": when[0], "to": when[1]})


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _windows(
    timetable: Timetable, of: WindowSet | WindowDropped | SetWindow | DropWindow
) -> Windows:
    return timetable.windows.get(of.zone_id or of.warehouse_id, {})


def _with(timetable: Timetable, event: WindowSet | WindowDropped, windows: Windows) -> Timetable:
    place = event.zone_id or event.warehouse_id
    return replace(timetable, windows={**timetable.windows, place: windows})


def _check_length(place: str) -> None:
    if len(place) > MAX_PLACE:
        raise Refused(
            "long_id",
            f"{place} has {len(place)} characters, and a place with slots {MAX_PLACE} at most:"
            " give it a shorter id",
        )


def _check_room(windows: Windows, new: Window) -> None:
    that_day = [it for it in windows if it.day == new.day and it != new]
    for other in that_day:
        if other.start < new.end and new.start < other.end:
            raise Refused(
                "windows_overlap",
                f"{new.start}-{new.end} overlaps with {other.start}-{other.end} on {new.day}:"
                " drop that one first, or choose other times",
            )
    if len(that_day) >= MAX_WINDOWS:
        raise Refused(
            "too_many_windows", f"{new.day} has {MAX_WINDOWS} windows already: drop one first"
        )
