"""Delivery's wiring: who handles what."""

from __future__ import annotations

from typing import get_args

from bus.context import Context
from bus.dispatch import Bus
from bus.platform import Platform
from delivery.commands import (
    AddWarehouse,
    AssignDelivery,
    ListDeliveries,
    ListWarehouses,
    RecordCheckpoint,
    RescheduleDelivery,
    RetryDelivery,
    SetCarrier,
    SetTimeZone,
)
from delivery.contract import (
    AwaitDelivery,
    CancelDelivery,
    FreeSlot,
    GetDelivery,
    HoldSlot,
    QuoteDelivery,
    ScheduleDelivery,
    SchedulePickup,
)
from delivery.delivery import DeliveryEvent
from delivery.handlers import Handlers
from delivery.lookout import Lookout
from delivery.plan import PlanDay
from delivery.plan_handlers import PlanHandlers
from delivery.policies import schedules
from delivery.quote_handlers import QuoteHandlers
from delivery.reads import Reads
from delivery.redelivery import Redelivery
from delivery.redelivery_handlers import RedeliveryHandlers
from delivery.slot import SlotEvent, SlotTerms
from delivery.slot_commands import (
    CloseDay,
    DropWindow,
    GetTimetables,
    ListSlots,
    OpenDay,
    SetWindow,
)
from delivery.slot_handlers import SlotHandlers
from delivery.slot_queries import SlotQueries
from delivery.tariff import Tariffs
from delivery.timetable import TimetableEvent
from delivery.views import DELIVERIES, Queries
from delivery.warehouse import WarehouseEvent
from delivery.warehouse_handlers import WarehouseHandlers
from delivery.zone import ZoneEvent
from delivery.zone_commands import DrawZone, EraseZone, ListZones
from delivery.zone_handlers import ZoneHandlers

EVENTS = tuple(
    event
    for events in (DeliveryEvent, WarehouseEvent, ZoneEvent, TimetableEvent, SlotEvent)
    for event in get_args(events)
)


def register(
    platform: Platform,
    tariffs: Tariffs = Tariffs(),  # noqa: B008
    redelivery: Redelivery = Redelivery(),  # noqa: B008
    slot_terms: SlotTerms = SlotTerms(),  # noqa: B008
) -> Context:
    """Put delivery on the platform: what a way costs, how often goods are brought again, and when a
    slot can be chosen."""
    home = platform.context("delivery", events=EVENTS, timed=(RetryDelivery,))
    bus = platform.bus

    lookout = Lookout(bus)
    handle = Handlers(home.streams, lookout)
    again = RedeliveryHandlers(home.streams, redelivery, lookout, slot_terms)
    reads = Reads(home.streams, lookout)
    bus.handle(ScheduleDelivery, handle.schedule)
    bus.handle(SchedulePickup, handle.schedule_pickup)
    bus.handle(CancelDelivery, handle.cancel)
    bus.handle(RecordCheckpoint, handle.record)
    bus.handle(AssignDelivery, handle.assign)
    bus.handle(RescheduleDelivery, again.reschedule)
    bus.handle(RetryDelivery, again.retry)
    bus.handle(GetDelivery, reads.get)
    bus.handle(AwaitDelivery, reads.wait)

    deliveries = home.view(DELIVERIES)
    bus.handle(ListDeliveries, Queries(home, deliveries, slot_terms).list)
    bus.handle(PlanDay, PlanHandlers(home, bus, deliveries, slot_terms).plan)

    bus.schedule("delivery.retries", schedules(redelivery.after))
    _places_and_slots(bus, home, tariffs, slot_terms)
    return home


def _places_and_slots(bus: Bus, home: Context, tariffs: Tariffs, terms: SlotTerms) -> None:
    """Where goods set out from, what the way costs, and when they can come."""
    houses = WarehouseHandlers(home.streams, bus)
    bus.handle(AddWarehouse, houses.add)
    bus.handle(SetTimeZone, houses.set_time_zone)
    bus.handle(SetCarrier, houses.set_carrier)
    bus.handle(ListWarehouses, houses.list)
    zones = ZoneHandlers(home.streams, tariffs)
    bus.handle(DrawZone, zones.draw)
    bus.handle(EraseZone, zones.erase)
    bus.handle(ListZones, zones.list)

    keeps = SlotHandlers(home.streams, terms)
    bus.handle(SetWindow, keeps.set_window)
    bus.handle(DropWindow, keeps.drop_window)
    bus.handle(CloseDay, keeps.close_day)
    bus.handle(OpenDay, keeps.open_day)
    bus.handle(HoldSlot, keeps.hold)
    bus.handle(FreeSlot, keeps.free)

    slots = SlotQueries(home.streams, terms)
    bus.handle(ListSlots, slots.list)
    bus.handle(GetTimetables, slots.timetables)
    bus.handle(QuoteDelivery, QuoteHandlers(home.streams, bus, tariffs, slots).quote)
