"""Delivery's part of the REST surface: what a carrier tells us."""

from __future__ import annotations

from starlette.responses import Response

from bus.dispatch import Bus
from bus.rest import Ask, Endpoint, done
from delivery.commands import RecordCheckpoint
from delivery.contract import DeliveryDocument


def endpoints(bus: Bus) -> list[Endpoint]:
    """The endpoints of deliveries."""

    async def record(ask: Ask) -> Response:
        return done(await bus.deliver(ask.envelope))

    return [
        Endpoint(
            "POST",
            "/v1/deliveries/{delivery_id}/checkpoints",
            "carrier",
            record,
            "How far a delivery is",
            RecordCheckpoint,
            DeliveryDocument,
            example={"status": "picked_up", "position": {"lat": 47.1665, "lon": 9.5101}},
        )
    ]
