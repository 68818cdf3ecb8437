"""Delivery's wiring: who handles what."""

from __future__ import annotations

from typing import get_args

from bus.context import Context
from bus.platform import Platform
from delivery.commands import (
    AddWarehouse,
    AssignDelivery,
    ListDeliveries,
    ListWarehouses,
    RecordCheckpoint,
    RescheduleDelivery,
    RetryDelivery,
)
from delivery.contract import (
    AwaitDelivery,
    CancelDelivery,
    GetDelivery,
    QuoteDelivery,
    ScheduleDelivery,
)
from delivery.delivery import DeliveryEvent
from delivery.handlers import Handlers
from delivery.lookout import Lookout
from delivery.policies import schedules
from delivery.reads import Reads
from delivery.redelivery import Redelivery
from delivery.tariff import Tariff
from delivery.views import DELIVERIES, Queries
from delivery.warehouse import WarehouseOpened

EVENTS = (*get_args(DeliveryEvent), WarehouseOpened)


def register(
    platform: Platform,
    tariff: Tariff,
    redelivery: Redelivery = Redelivery(),  # noqa: B008
) -> Context:
    """Put delivery on the platform: what a way costs, and how often goods are brought again."""
    home = platform.context("delivery", events=EVENTS, timed=(RetryDelivery,))
    bus = platform.bus

    lookout = Lookout(bus)
    handle = Handlers(home.streams, bus, tariff, redelivery, lookout)
    reads = Reads(home.streams, lookout)
    bus.handle(QuoteDelivery, handle.quote)
    bus.handle(ScheduleDelivery, handle.schedule)
    bus.handle(CancelDelivery, handle.cancel)
    bus.handle(RecordCheckpoint, handle.record)
    bus.handle(AssignDelivery, handle.assign)
    bus.handle(RescheduleDelivery, handle.reschedule)
    bus.handle(RetryDelivery, handle.retry)
    bus.handle(GetDelivery, reads.get)
    bus.handle(AwaitDelivery, reads.wait)
    bus.handle(AddWarehouse, handle.add_warehouse)
    bus.handle(ListWarehouses, handle.list_warehouses)

    queries = Queries(home, home.view(DELIVERIES))
    bus.handle(ListDeliveries, queries.list)

    bus.schedule("delivery.retries", schedules(redelivery.after))
    return home
