"""Figures of the whole shop that its databases have to be asked for: asked when somebody wants to
see them, seldom, and never waited for for long."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, get_args

import pymongo
import structlog
from prometheus_client import Gauge
from pymongo.errors import PyMongoError

from bus.faults import told
from bus.messages import now
from bus.metrics import REGISTRY
from bus.platform import Platform
from ordering.contract import Status
from shop.webhooks.notices import Notices
from shop.webhooks.registry import Registry

SELDOM = 30.0
"""Seconds between two countings, at least."""

SHARE = 20
"""A counting rests for so many times as long as it took: it costs MongoDB 5 % at most."""

WITHIN = 5.0
"""Seconds that a counting may take."""

PATIENCE = 0.5
"""Seconds that somebody who asks waits for it."""

STUCK = timedelta(minutes=5)
"""How long an order may be on its way from one state to the next."""

OVERDUE = timedelta(minutes=1)
"""How late a timer may fire before something is wrong."""


def _gauge(name: str, what: str, *labels: str) -> Gauge:
    """A figure of the whole shop: the same whichever worker counted it, so the latest counts."""
    return Gauge(name, what, labels, registry=REGISTRY, multiprocess_mode="livemostrecent")


ORDERS = _gauge("storefold_orders", "Orders by their status, in the whole shop", "status")
ORDERS_STUCK = _gauge(
    "storefold_orders_stuck", "Orders that have not moved on as they should: see `shop doctor`"
)
TROUBLE = _gauge(
    "storefold_payments_in_trouble",
    "Payments whose outcome nobody knows, and those that failed too late",
    "trouble",
)
TIMERS_OVERDUE = _gauge(
    "storefold_timers_overdue", "Timers that should have fired a minute ago", "context"
)
ENDPOINTS = _gauge(
    "storefold_webhook_endpoints",
    "Endpoints of webhooks: open, or disabled, by the shop or by a person",
    "state",
)
WEBHOOKS_LATE = _gauge(
    "storefold_webhooks_late", "Messages that an endpoint should have been told a minute ago"
)
COUNTED = _gauge(
    "storefold_counted_timestamp_seconds",
    "When orders, payments, timers and webhooks were last counted, as Unix time",
)

log = structlog.get_logger(__name__)


def stuck(at: datetime) -> dict[str, Any]:
    """The query for orders that have not moved on as they should."""
    late = {"$lt": at - STUCK}
    return {
        "doc.status": {"$in": ["pending", "confirmed", "cancelling"]},
        "doc.updated_at": late,
        "$or": [
            {"doc.status": "cancelling"},
            {"doc.status": "pending", "doc.expires_at": late},
            {"doc.status": "confirmed", "doc.fulfillment_status": "unfulfilled"},
            {"doc.status": "confirmed", "doc.shipments.status": "unfulfilled"},
            {
                "doc.status": "confirmed",
                "doc.payment_status": "authorized",  # which is captured once it has been shipped
                "doc.fulfillment_status": {"$in": ["shipped", "delivered"]},
            },
        ],
    }


class Figures:
    """Counts the whole shop's orders, payments and timers."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._due = 0.0
        self._counting: asyncio.Task[None] | None = None

    async def ask(self) -> None:
        """See that the figures are not too old. Returns soon, and never fails: they are as they
        were when MongoDB does not answer, and `COUNTED` says of when."""
        if self._counting is None and time.monotonic() >= self._due:
            self._counting = asyncio.create_task(self._count())
        if self._counting is not None:
            await asyncio.wait((self._counting,), timeout=PATIENCE)

    async def _count(self) -> None:
        began = time.monotonic()
        try:
            with pymongo.timeout(WITHIN):
                async with asyncio.timeout(WITHIN):
                    await asyncio.to_thread(self._look)
                    await self._webhooks()
            COUNTED.set(time.time())
        except (PyMongoError, TimeoutError) as error:
            log.warning("figures.cannot_count", error=told(error))
        finally:
            ended = time.monotonic()
            self._due = ended + max(SELDOM, SHARE * (ended - began))
            self._counting = None

    def _look(self) -> None:
        at = now()
        for context in self._platform.contexts.values():
            if context.timers.commands:
                late = {"due": {"$lt": at - OVERDUE}}
                overdue = context.database["timers"].count_documents(late)
                TIMERS_OVERDUE.labels(context.name).set(overdue)
        views = dict(self._views())
        if "orders" in views:
            _orders(views["orders"], at)
        if "payments" in views:
            for trouble in ("unknown", "failed"):
                found = views["payments"].count_documents({"doc.trouble": trouble})
                TROUBLE.labels(trouble).set(found)

    async def _webhooks(self) -> None:
        """Who is told, as this process has heard, and how late that is."""
        if (home := self._platform.contexts.get("webhooks")) is None:
            return
        endpoints = await Registry(home.streams).known()
        open_ = [id for id, endpoint in endpoints.items() if endpoint.disabled is None]
        ENDPOINTS.labels("open").set(len(open_))
        ENDPOINTS.labels("disabled").set(len(endpoints) - len(open_))
        WEBHOOKS_LATE.set(await Notices(home.database).late(open_, now() - OVERDUE))

    def _views(self) -> Iterator[tuple[str, Any]]:
        for context in self._platform.contexts.values():
            for documents in context.views:
                yield documents.view.name, documents.collection


def _orders(orders: Any, at: datetime) -> None:
    """By the index that lists are read by, which holds every order's status: no order is read but
    those that may be stuck."""
    index = "doc.client_1_doc.status_1_first_-1"
    grouped = {"$group": {"_id": "$doc.status", "orders": {"$sum": 1}}}
    counted = {row["_id"]: row["orders"] for row in orders.aggregate([grouped], hint=index)}
    for status in get_args(Status):
        ORDERS.labels(status).set(counted.get(status, 0))
    ORDERS_STUCK.set(orders.count_documents(stuck(at), hint=index))
