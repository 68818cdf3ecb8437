"""What a plan asks: which deliveries there are, where their doors are, and how the ways lead."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from bus.context import Context
from bus.dispatch import Bus
from bus.envelope import Envelope
from bus.messages import Position, Refused
from bus.views import Documents
from delivery.contract import Line
from delivery.delivery import Delivery
from delivery.plan import TO_BRING, Load, PlanDay, PlannedTour, leave_out, loads, planned
from delivery.slot import SlotTerms
from delivery.views import on_day
from delivery.warehouse import Warehouses, known
from delivery.warehouse_handlers import WAREHOUSES
from maps.contract import Directions, Leg, Locate, MeasureMatrix, Place

MOST = 2_000
"""Deliveries that are planned at once."""

AT_ONCE = 100
"""Places of each side that maps measures in one question, and points of one way."""


class PlanHandlers:
    """Plans the tours of a day. Writes nothing."""

    def __init__(
        self, home: Context, bus: Bus, deliveries: Documents[Delivery], terms: SlotTerms
    ) -> None:
        self._home = home
        self._bus = bus
        self._deliveries = deliveries
        self._terms = terms

    async def plan(self, query: PlanDay, envelope: Envelope[PlanDay]) -> tuple[PlannedTour, ...]:
        """The tours, by warehouse and window."""
        await self._home.await_view(self._deliveries, query.min_position)
        there = (await self._home.streams.newest(WAREHOUSES)).state or {}
        found = loads(query.date, await self._due(query, there), there, self._terms)
        return tuple([await self._tour(load, envelope) for load in found])

    async def _due(self, query: PlanDay, there: Warehouses) -> list[Delivery]:
        wanted = {
            "doc.status": {"$in": TO_BRING},
            "$or": [*on_day(query.date, there, self._terms), {"doc.slot": None}],
        }
        if query.warehouse_id is not None:
            wanted["doc.warehouse_id"] = known(there, query.warehouse_id).warehouse_id
        found = await self._deliveries.find(wanted, limit=MOST + 1, sort=(("first", 1),))
        if len(found) > MOST:
            raise Refused(
                "too_many_deliveries",
                f"there are more than {MOST} deliveries to plan for {query.date}: plan one"
                " warehouse at a time (--warehouse)",
            )
        return [stored.doc for stored in found]

    async def _tour(self, load: Load, envelope: Envelope[PlanDay]) -> PlannedTour:
        load, places = await self._placed(load, envelope)
        if load.warehouse is None or not places:
            return planned(load, [], [[None]])
        home = load.warehouse.position
        spots = [home, *(place.position for place in places)]
        legs = await self._measured(spots, envelope)
        # Seconds of arithmetic: whoever else is served by this process does not wait for them.
        tour = await asyncio.to_thread(planned, load, places, legs)
        if not tour.stops:
            return tour
        way = [home, *(stop.position for stop in tour.stops), home]
        return tour.model_copy(update={"line": await self._drawn(way, envelope)})

    async def _placed(self, load: Load, envelope: Envelope[PlanDay]) -> tuple[Load, list[Place]]:
        """Where the doors are, without those that nobody can place on the map. One after the other:
        who knows doors may be asked only so often, and most are remembered from their quotes."""
        places, lost = [], []
        for visit in load.visits:
            try:
                places.append(await self._bus.ask(Locate(address=visit.door), envelope))
            except Refused as refused:
                if refused.code != "unknown_address":
                    raise
                lost.append(visit)
        return leave_out(load, lost, "unknown_address"), places

    async def _measured(
        self, spots: Sequence[Position], envelope: Envelope[PlanDay]
    ) -> list[list[Leg | None]]:
        """The ways from each place to each other one, in as many questions as that takes."""
        legs: list[list[Leg | None]] = [[] for _ in spots]
        for top in range(0, len(spots), AT_ONCE):
            origins = tuple(spots[top : top + AT_ONCE])
            for left in range(0, len(spots), AT_ONCE):
                destinations = tuple(spots[left : left + AT_ONCE])
                query = MeasureMatrix(origins=origins, destinations=destinations)
                for row, part in enumerate(await self._bus.ask(query, envelope), start=top):
                    legs[row] += part
        return legs

    async def _drawn(self, way: Sequence[Position], envelope: Envelope[PlanDay]) -> Line:
        """The way along the roads; straight between two places where none is told."""
        line: list[tuple[float, float]] = []
        for first in range(0, len(way) - 1, AT_ONCE - 1):
            points = tuple(way[first : first + AT_ONCE])
            found = await self._bus.ask(Directions(waypoints=points), envelope)
            line += found.line if found else ((point.lon, point.lat) for point in points)
        return Line(coordinates=tuple(line))
