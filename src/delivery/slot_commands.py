"""What the shop's own people ask of the timetable and its slots."""

from __future__ import annotations

from datetime import date

from pydantic import Field, ValidationInfo, field_validator

from bus.messages import Command, Done, Id, Model, Query, Text
from delivery.clock import Clock, Weekday
from delivery.commands import Day
from delivery.contract import Slot

MAX_CAPACITY = 10_000

Days = tuple[Weekday, ...]


class WindowAt(Model):
    """A window of the week: where, on which days, from when to when by the clocks there."""

    warehouse_id: Id
    zone_id: Id | None = None
    days: Days = Field(min_length=1)
    start: Clock
    end: Clock

    @field_validator("end")
    @classmethod
    def _ends_after_it_begins(cls, end: str, others: ValidationInfo) -> str:
        start = others.data.get("start")
        if start is not None and end <= start:
            raise ValueError(f"a window that begins at {start} cannot end at {end}")
        return end


class SetWindow(WindowAt, Command[Done[None]], name="delivery.SetWindow"):
    """Deliver so many orders in this window. Refused with `unknown_warehouse`, `unknown_zone`,
    `windows_overlap`, `too_many_windows` and `long_id`."""

    capacity: int = Field(ge=1, le=MAX_CAPACITY)


class DropWindow(WindowAt, Command[Done[None]], name="delivery.DropWindow"):
    """Deliver in this window no more. Refused with `unknown_warehouse` and `unknown_window`."""


class CloseDay(Command[Done[None]], name="delivery.CloseDay"):
    """Deliver nothing from a warehouse on one of its days. Refused with `unknown_warehouse`."""

    warehouse_id: Id
    day: Day
    reason: Text


class OpenDay(Command[Done[None]], name="delivery.OpenDay"):
    """Deliver on that day after all. Refused with `unknown_warehouse`."""

    warehouse_id: Id
    day: Day


class WindowSetting(Model):
    """A window as it is set, of a warehouse or one of its zones."""

    warehouse_id: str
    zone_id: str | None
    day: Weekday
    start: str
    end: str
    capacity: int


class ClosedDay(Model):
    """A day on which a warehouse delivers nothing, and why."""

    warehouse_id: str
    day: date
    reason: str


class Timetables(Model):
    """The windows of the week and the days to come on which nothing is delivered."""

    windows: tuple[WindowSetting, ...]
    closed: tuple[ClosedDay, ...]


class GetTimetables(Query[Timetables], name="delivery.GetTimetables"):
    """When is delivered, from all warehouses or one? Refused with `unknown_warehouse`."""

    warehouse_id: Id | None = None


class SlotStanding(Slot):
    """A slot, and how it stands: how many it takes, how many are held and booked, how many are
    free."""

    warehouse_id: str
    zone_id: str | None
    day: date
    window: str
    capacity: int
    held: int
    booked: int
    free: int


class ListSlots(Query[tuple[SlotStanding, ...]], name="delivery.ListSlots"):
    """The slots of so many days from a day on (today, unless said) of all warehouses or one, by
    when they begin. Refused with `unknown_warehouse`."""

    warehouse_id: Id | None = None
    day: Day | None = None
    days: int = Field(default=7, ge=1, le=62)
