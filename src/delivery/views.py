"""Deliveries as they are shown: one to its buyer, all of them to the shop's own people."""

from __future__ import annotations

from datetime import datetime
from typing import get_args

from bus.envelope import Envelope
from bus.messages import Page
from bus.views import Documents, View
from delivery import arrival
from delivery.arrival import Course
from delivery.commands import ListDeliveries
from delivery.contract import DeliveryDocument, Line, Sighting
from delivery.delivery import Delivery, DeliveryEvent, evolve

DELIVERIES = View(
    name="deliveries",
    version=1,
    shape=Delivery,
    ids={event: lambda event: str(event.delivery_id) for event in get_args(DeliveryEvent)},
    evolve=evolve,
    indexes=((("first", -1),), (("doc.status", 1), ("first", -1))),
)


def document(
    delivery: Delivery, left: Course | None = None, now: datetime | None = None
) -> DeliveryDocument:
    """A delivery as its buyer sees it; `left` is the way from where the goods were last seen."""
    seen = sighting(delivery)
    return DeliveryDocument(
        delivery_id=delivery.delivery_id,
        order_id=delivery.reference,
        status=delivery.status,
        carrier=delivery.carrier,
        tracking_number=delivery.tracking_number,
        destination=delivery.destination,
        items=delivery.items or None,
        slot=delivery.slot,
        position=seen,
        eta=arrival.eta(seen, left, now) if seen and left and now else None,
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

    def __init__(self, deliveries: Documents[Delivery]) -> None:
        self._deliveries = deliveries

    async def list(self, query: ListDeliveries, envelope: Envelope[ListDeliveries]) -> Page:
        """The deliveries, newest first."""
        wanted = {} if query.status is None else {"doc.status": query.status}
        found = await self._deliveries.find(wanted, limit=query.limit + 1)
        rows = [document(stored.doc).model_dump_json(exclude_none=True) for stored in found]
        return Page(
            data=tuple(row.encode() for row in rows[: query.limit]),
            has_more=len(rows) > query.limit,
        )
