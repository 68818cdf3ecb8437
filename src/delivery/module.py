"""Delivery's wiring: who handles what."""

from __future__ import annotations

from typing import get_args

from bus.context import Context
from bus.platform import Platform
from delivery.commands import AddWarehouse, ListDeliveries, ListWarehouses, RecordCheckpoint
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
from delivery.reads import Reads
from delivery.tariff import Tariff
from delivery.views import DELIVERIES, Queries
from delivery.warehouse import WarehouseOpened

EVENTS = (*get_args(DeliveryEvent), WarehouseOpened)


def register(platform: Platform, tariff: Tariff) -> Context:
    """Put delivery on the platform; `tariff` says what a way costs."""
    home = platform.context("delivery", events=EVENTS)
    bus = platform.bus

    lookout = Lookout(bus)
    handle = Handlers(home.streams, bus, tariff, lookout)
    reads = Reads(home.streams, lookout)
    bus.handle(QuoteDelivery, handle.quote)
    bus.handle(ScheduleDelivery, handle.schedule)
    bus.handle(CancelDelivery, handle.cancel)
    bus.handle(RecordCheckpoint, handle.record)
    bus.handle(GetDelivery, reads.get)
    bus.handle(AwaitDelivery, reads.wait)
    bus.handle(AddWarehouse, handle.add_warehouse)
    bus.handle(ListWarehouses, handle.list_warehouses)

    queries = Queries(home.view(DELIVERIES))
    bus.handle(ListDeliveries, queries.list)
    return home
