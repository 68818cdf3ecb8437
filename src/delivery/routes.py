"""Delivery's part of the REST surface: what a carrier has to bring, and what it tells us."""

from __future__ import annotations

from starlette.responses import Response

from bus.dispatch import Bus
from bus.rest import Ask, Endpoint, document, done, page
from delivery.commands import ListDeliveries, RecordCheckpoint
from delivery.contract import DeliveryDocument, GetDelivery


def endpoints(bus: Bus) -> list[Endpoint]:
    """The endpoints of deliveries."""

    async def record(ask: Ask) -> Response:
        return done(await bus.deliver(ask.envelope))

    async def get(ask: Ask) -> Response:
        return document(ask, await bus.deliver(ask.envelope))

    async def listed(ask: Ask) -> Response:
        return page(await bus.deliver(ask.envelope))

    return [
        Endpoint(
            "GET",
            "/v1/deliveries",
            "carrier",
            listed,
            "The carrier's deliveries, newest first",
            ListDeliveries,
            DeliveryDocument,
            listed=True,
        ),
        Endpoint(
            "GET",
            "/v1/deliveries/{delivery_id}",
            "carrier",
            get,
            "One of the carrier's deliveries",
            GetDelivery,
            DeliveryDocument,
        ),
        Endpoint(
            "POST",
            "/v1/deliveries/{delivery_id}/checkpoints",
            "carrier",
            record,
            "How far a delivery is",
            RecordCheckpoint,
            DeliveryDocument,
            example={"status": "picked_up", "position": {"lat": 47.1665, "lon": 9.5101}},
        ),
    ]
