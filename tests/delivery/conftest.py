"""Delivery on the real bus, with a map of the test's own."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest
from pymongo import MongoClient

from bus.context import Context
from bus.dispatch import Bus
from bus.envelope import Envelope
from bus.messages import Address, Event, Position, Refused
from bus.platform import Platform
from bus.transport import InProcess, Loopback, Transport
from delivery.clock import WEEK
from delivery.commands import AddWarehouse
from delivery.module import register
from delivery.slot_commands import SetWindow
from maps.contract import Directions, Leg, Locate, Measure, MeasureMatrix, Place, Way
from tests.delivery.desk import Running, at_a_desk


@dataclass
class FlatEarth:
    """Maps as a test wants it: a degree of latitude is 100 km, and there are no other ways."""

    asked: list[Locate | Measure | MeasureMatrix | Directions] = field(default_factory=list)
    blocked: asyncio.Event | None = None
    """Nobody is shown a way until this is set."""
    detour: float = 1.0
    """How much longer every way has become."""

    async def locate(self, query: Locate, envelope: Envelope[Locate]) -> Place:
        self.asked.append(query)
        if query.address.position is None:
            raise Refused("unknown_address", "nobody knows where that is")
        return Place(position=query.address.position, precision="door", source="test")

    async def measure(self, query: Measure, envelope: Envelope[Measure]) -> tuple[Leg | None, ...]:
        self.asked.append(query)
        return tuple(self.way(origin, query.destination) for origin in query.origins)

    async def measure_matrix(
        self, query: MeasureMatrix, envelope: Envelope[MeasureMatrix]
    ) -> tuple[tuple[Leg | None, ...], ...]:
        self.asked.append(query)
        return tuple(
            tuple(self.way(origin, each) for each in query.destinations) for origin in query.origins
        )

    async def direct(self, query: Directions, envelope: Envelope[Directions]) -> Way | None:
        self.asked.append(query)
        if self.blocked is not None:
            await self.blocked.wait()
        metres, line = 0, []
        for origin, destination in pairwise(query.waypoints):
            leg = self.way(origin, destination)
            if leg is None:
                return None
            metres += leg.distance_m
            step = (destination.lat - origin.lat) / 10
            line += [(origin.lon, round(origin.lat + step * n, 6)) for n in range(11)]
        return Way(distance_m=metres, duration_s=metres // 10, source="test", line=tuple(line))

    def way(self, origin: Position, destination: Position) -> Leg | None:
        if origin.lon != destination.lon:
            return None
        metres = round(abs(origin.lat - destination.lat) * 100_000 * self.detour)
        return Leg(distance_m=metres, duration_s=metres // 10, source="test")


@dataclass
class Delivering:
    """A running delivery context."""

    home: Context
    bus: Bus
    maps: FlatEarth

    async def history(self, stream: str) -> list[Event]:
        """Everything that happened on a stream."""
        return [event for event, _ in await self.home.log.stream(stream)]


@asynccontextmanager
async def at_work(
    mongo: MongoClient[dict[str, Any]], prefix: str, transport: Transport
) -> AsyncIterator[Delivering]:
    """Delivery at work on these databases."""
    platform = Platform(mongo, None, prefix, transport)  # delivery caches nothing
    earth = FlatEarth()
    home = register(platform)
    platform.bus.handle(Locate, earth.locate)
    platform.bus.handle(Measure, earth.measure)
    platform.bus.handle(MeasureMatrix, earth.measure_matrix)
    platform.bus.handle(Directions, earth.direct)
    await platform.start(work=True)
    yield Delivering(home, platform.bus, earth)
    await platform.stop()


@pytest.fixture(params=[pytest.param(InProcess, marks=pytest.mark.long), Loopback])
async def delivering(
    request: pytest.FixtureRequest, mongo: MongoClient[dict[str, Any]], prefix: str
) -> AsyncIterator[Delivering]:
    """Delivery at work, on both transports."""
    async with at_work(mongo, prefix, request.param()) as running:
        yield running


@pytest.fixture
def running(mongo: MongoClient[dict[str, Any]], prefix: str) -> Iterator[Running]:
    """A shop with maps and delivery, for what is typed at its desk."""
    with at_a_desk(mongo, prefix) as shop:
        yield shop


@pytest.fixture
def door() -> Address:
    """An address at 0.2 degrees north."""
    return Address(
        house_number="1",
        road="Äulestrasse",
        district="Vaduz",
        postcode="9490",
        country="LI",
        position=Position(lat=0.2, lon=0),
    )


APIA = "Pacific/Apia"

ALL_DAY: Any = {"warehouse_id": "apia", "days": WEEK, "start": "00:00", "end": "24:00"}


@pytest.fixture
async def opened(delivering: Delivering, door: Address) -> Delivering:
    """A warehouse beyond the date line that brings three orders a day."""
    await delivering.bus.send(
        AddWarehouse(warehouse_id="apia", name="Apia", address=door, time_zone=APIA)
    )
    await delivering.bus.send(SetWindow(**ALL_DAY, capacity=3))
    return delivering
