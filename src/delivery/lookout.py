"""Looks out for the goods on the road: however many watch a delivery, the router is asked once."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Any

import structlog

from bus.dispatch import Bus
from bus.envelope import Envelope
from bus.faults import told
from bus.messages import Position, now
from delivery import arrival as arrivals
from delivery.arrival import Arrival, Course
from delivery.contract import Sighting
from delivery.delivery import Delivery
from delivery.views import sighting
from maps.contract import Directions, Locate

KNOWN = 5_000
"""Deliveries on the road whose way is remembered: some 20 MB at the most."""

PATIENCE = 3.0
"""Seconds for which a delivery waits to be shown with its way; then it is shown without."""

ON_THE_ROAD = ("picked_up", "en_route")

Leg = tuple[str, bool]
"""The way of a delivery: which, and whether it has the goods. To fetch them it heads elsewhere."""

log = structlog.get_logger(__name__)


class Lookout:
    """Remembers, in this process, what the router said of each delivery on the road."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._known: OrderedDict[Leg, Arrival] = OrderedDict()
        self._asking: dict[Leg, asyncio.Task[None]] = {}

    async def way_left(self, delivery: Delivery, envelope: Envelope[Any]) -> Course | None:
        """The way from where the goods were last seen, while they are on the road and one is
        known."""
        leg, seen = leg_of(delivery), seen_on_the_road(delivery)
        if seen is None:
            self._known.pop(leg, None)
            return None
        wait = arrivals.due_in(self._known.get(leg), seen, now())
        if wait is not None and not wait and leg not in self._asking:
            self._asking[leg] = asyncio.create_task(self._ask(delivery, seen, envelope))
        if leg in self._asking:  # whoever stops waiting does not stop the asking for the others
            await asyncio.wait((self._asking[leg],), timeout=PATIENCE)
        if leg in self._known:
            self._known.move_to_end(leg)  # what is looked at is not forgotten
        return arrivals.left(self._known.get(leg), seen)

    def changes_in(self, delivery: Delivery, at: datetime) -> float | None:
        """Seconds until the delivery may look different with nothing new said of it: the router is
        asked again, or its time is up. `None`: it will not."""
        leg, seen = leg_of(delivery), seen_on_the_road(delivery)
        if seen is None:
            return None
        arrival = self._known.get(leg)
        waits = [arrivals.due_in(arrival, seen, at)]
        if arrival is not None and (eta := arrivals.eta(arrival.course, at)) is not None:
            waits.append(eta - at)
        return min((wait.total_seconds() for wait in waits if wait is not None), default=None)

    async def _ask(self, delivery: Delivery, seen: Sighting, envelope: Envelope[Any]) -> None:
        leg = leg_of(delivery)
        try:
            way, here = None, Position(lat=seen.lat, lon=seen.lon)
            if delivery.heads_for is not None:
                door = await self._bus.ask(Locate(address=delivery.heads_for), envelope)
                way = await self._bus.ask(Directions(waypoints=(here, door.position)), envelope)
            course = None
            if way is not None:
                there = seen.at + timedelta(seconds=way.duration_s)
                course = Course.of(way.distance_m, there, way.line)
            self._keep(leg, Arrival(seen, now(), course))
        except Exception as error:  # a delivery can be shown without its way
            log.warning("lookout.no_way", delivery_id=delivery.delivery_id, error=told(error))
            self._keep(leg, arrivals.unanswered(self._known.get(leg), seen, now()))
        finally:
            del self._asking[leg]

    def _keep(self, leg: Leg, arrival: Arrival) -> None:
        self._known[leg] = arrival
        self._known.move_to_end(leg)
        while len(self._known) > KNOWN:
            self._known.popitem(last=False)


def leg_of(delivery: Delivery) -> Leg:
    """Where it is heading."""
    return delivery.delivery_id, delivery.picked_up


def seen_on_the_road(delivery: Delivery) -> Sighting | None:
    """Where the goods were last seen, while they are on the road."""
    return sighting(delivery) if delivery.status in ON_THE_ROAD else None
