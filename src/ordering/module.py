"""Ordering's wiring, in one table."""

from __future__ import annotations

from datetime import timedelta
from typing import get_args

from bus.context import Context
from bus.platform import Platform
from ordering import commands as steps
from ordering.contract import (
    AwaitOrder,
    CancelOrder,
    GetHistory,
    GetOrder,
    GetOrderAsOf,
    ListOrders,
    PayOrder,
    PlaceOrder,
    QuoteBasket,
)
from ordering.handlers import STEPS, Handlers
from ordering.order import OrderEvent
from ordering.policies import POLICIES, SCHEDULES
from ordering.views import ORDERS, Reads


def register(platform: Platform, *, expiry: timedelta, reservation_ttl: timedelta) -> Context:
    """Put ordering to work: how long an order may wait for its money, and its goods be kept."""
    bus = platform.bus
    home = platform.context("ordering", events=get_args(OrderEvent), timed=(steps.ExpireOrder,))
    reads = Reads(home, home.view(ORDERS))
    does = Handlers(bus, home, expiry, reservation_ttl)

    bus.handle(QuoteBasket, does.quote)
    bus.handle(PlaceOrder, does.place)
    bus.handle(PayOrder, does.pay)
    bus.handle(CancelOrder, does.cancel)
    bus.handle(GetOrder, reads.get)
    bus.handle(GetOrderAsOf, reads.as_of)
    bus.handle(AwaitOrder, reads.wait)
    bus.handle(ListOrders, reads.list)
    bus.handle(GetHistory, reads.history)
    bus.handle(steps.BookDelivery, does.book_delivery)
    for step, rule in STEPS.items():
        bus.handle(step, does.step(rule))

    bus.react("ordering.checkout", POLICIES)
    bus.schedule("ordering.expiry", SCHEDULES)
    return home
