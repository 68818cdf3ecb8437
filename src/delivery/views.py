"""Deliveries as they are shown: one to its buyer, all of them to the shop's own people."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, get_args
from zoneinfo import ZoneInfo

from bus.context import Context
from bus.envelope import Envelope
from bus.messages import Page
from bus.views import Documents, View
from delivery import arrival
from delivery.arrival import Course
from delivery.clock import moment
from delivery.commands import ListDeliveries
from delivery.contract import DeliveryDocument, Line, Sighting
from delivery.delivery import ENDS, Delivery, DeliveryEvent, evolve, unknown
from delivery.dispatch import carrier_of
from delivery.slot import SlotTerms
from delivery.warehouse import Warehouses
from delivery.warehouse_handlers import WAREHOUSES

DELIVERIES = View(
    name="deliveries",
    version=2,
    shape=Delivery,
    ids={event: lambda event: str(event.delivery_id) for event in get_args(DeliveryEvent)},
    evolve=evolve,
    whose=lambda delivery: delivery.recipient,
    indexes=(
        (("first", -1),),
        (("doc.status", 1), ("first", -1)),
        (("doc.carrier", 1), ("first", -1)),
        (("doc.warehouse_id", 1), ("doc.slot.from", 1)),
    ),
)


def document(
    delivery: Delivery, left: Course | None = None, now: datetime | None = None
) -> DeliveryDocument:
    """A delivery as its buyer sees it; `left` is the way from where the goods were last seen."""
    seen = sighting(delivery)
    return DeliveryDocument(
        delivery_id=delivery.delivery_id,
        order_id=delivery.reference,
        kind=delivery.kind,
        status=delivery.status,
        carrier=delivery.carrier,
        tracking_number=delivery.tracking_number,
        warehouse_id=delivery.warehouse_id,
        origin=delivery.origin,
        attempts=delivery.attempts or None,
        destination=delivery.destination,
        items=delivery.items or None,
        slot=delivery.slot,
        slot_lost=delivery.slot_lost,
        position=seen,
        eta=arrival.eta(left, now) if now else None,
        distance_remaining_m=left.distance_m if left else None,
        route=Line(coordinates=left.points) if left and left.points else None,
        checkpoints=delivery.checkpoints,
    )


def sighting(delivery: Delivery) -> Sighting | None:
    """Where the goods were last seen."""
    seen = delivery.last_seen
    if seen is None or seen.position is None:
        return None
    return Sighting(lat=seen.position.lat, lon=seen.position.lon, at=seen.at)


class Queries:
    """What is read from the view."""

    def __init__(self, home: Context, deliveries: Documents[Delivery], terms: SlotTerms) -> None:
        self._home = home
        self._deliveries = deliveries
        self._terms = terms

    async def list(self, query: ListDeliveries, envelope: Envelope[ListDeliveries]) -> Page:
        """The deliveries, newest first."""
        await self._home.await_view(self._deliveries, query.min_position)
        own = theirs(carrier_of(envelope.principal))
        wanted = {**own, **filters(query)}
        if query.date is not None:
            there = (await self._home.streams.newest(WAREHOUSES)).state or {}
            wanted["$or"] = on_day(query.date, there, self._terms)
        if query.starting_after is not None:
            before = await self._deliveries.find({"_id": query.starting_after, **own}, limit=1)
            if not before:
                raise unknown(query.starting_after)
            wanted["first"] = {"$lt": before[0].first}
        found = await self._deliveries.find(wanted, limit=query.limit + 1)
        rows = [document(stored.doc).model_dump_json(exclude_none=True) for stored in found]
        return Page(
            data=tuple(row.encode() for row in rows[: query.limit]),
            has_more=len(rows) > query.limit,
        )


def theirs(carrier: str | None) -> dict[str, Any]:
    """What the documents of a carrier fulfil; of `None`, all do."""
    return {} if carrier is None else {"doc.carrier": carrier, "doc.assigned": True}


def filters(query: ListDeliveries) -> dict[str, Any]:
    """What the documents must fulfil that a query wants."""
    wanted: list[dict[str, Any]] = [
        {field: value}
        for field, value in (
            ("doc.status", query.status),
            ("doc.warehouse_id", query.warehouse_id),
            ("doc.slot.slot_id", query.slot_id),
        )
        if value is not None
    ]
    if query.carrier is not None:
        wanted.append(theirs(query.carrier))
    if query.open is not None:
        wanted.append({"doc.status": {"$nin" if query.open else "$in": sorted(ENDS)}})
    return {"$and": wanted} if wanted else {}


def on_day(day: date, warehouses: Warehouses, terms: SlotTerms) -> list[dict[str, Any]]:
    """What a document fulfils whose window begins on that day, by the clocks at its warehouse."""
    places: list[tuple[Any, ZoneInfo]] = [({"$nin": [*warehouses]}, terms.zone_of(None))]
    places += [(id, terms.zone_of(warehouse)) for id, warehouse in warehouses.items()]
    return [
        {
            "doc.warehouse_id": where,
            "doc.slot.from": {
                "$gte": moment(day, "00:00", zone),
                "$lt": moment(day, "24:00", zone),
            },
        }
        for where, zone in places
    ]
