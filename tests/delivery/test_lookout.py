"""The way left on the real bus: what a delivery shows of it, and how often the router is asked."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest

from bus.messages import Address, Document, Position, now
from delivery import arrival, lookout
from delivery.commands import RecordCheckpoint
from delivery.contract import (
    AwaitDelivery,
    DeliveryDocument,
    GetDelivery,
    ScheduleDelivery,
)
from maps.contract import Directions
from tests.delivery.conftest import Delivering
from tests.waiting import eventually, soon

SCHEDULE: Any = {"delivery_id": "d1", "reference": "o1", "warehouse_id": "w"}


async def shown(delivering: Delivering) -> tuple[DeliveryDocument, Document]:
    found = await delivering.bus.ask(GetDelivery(delivery_id="d1"))
    return DeliveryDocument.model_validate_json(found.body), found


async def seen(
    delivering: Delivering, lat: float, status: Any = "en_route", ago: float = 0
) -> None:
    await delivering.bus.send(
        RecordCheckpoint(
            delivery_id="d1",
            status="en_route",
            position=Position(lat=lat, lon=0),
            at=now() - timedelta(seconds=ago),
        )
    )


def routed(delivering: Delivering) -> int:
    return sum(isinstance(query, Directions) for query in delivering.maps.asked)


@pytest.fixture
async def scheduled(delivering: Delivering, door: Address) -> Delivering:
    await delivering.bus.send(ScheduleDelivery(**SCHEDULE, destination=door))
    return delivering


async def test_a_van_on_the_road_shows_its_way_to_the_door(scheduled: Delivering) -> None:
    await seen(scheduled, 0.1)
    found, _ = await shown(scheduled)
    assert found.route is not None
    assert (found.route.type, len(found.route.coordinates)) == ("LineString", 11)
    assert (found.route.coordinates[0], found.route.coordinates[-1]) == ((0, 0.1), (0, 0.2))
    assert found.distance_remaining_m == 10_000
    assert found.position is not None
    assert found.eta == found.position.at + timedelta(seconds=1_000)


async def test_a_thousand_watchers_of_one_delivery_are_one_call_of_the_router(
    scheduled: Delivering,
) -> None:
    scheduled.maps.blocked = asyncio.Event()
    asked = asyncio.gather(*(shown(scheduled) for _ in range(1_000)), seen(scheduled, 0.1))
    await eventually(lambda: routed(scheduled))
    scheduled.maps.blocked.set()
    await soon(asked)
    for lat in (0.11, 0.12, 0.13):
        await seen(scheduled, lat)
        await asyncio.gather(*(shown(scheduled) for _ in range(50)))
    assert routed(scheduled) == 1


async def test_within_fifteen_seconds_the_way_is_shortened_and_then_asked_again(
    scheduled: Delivering, monkeypatch: pytest.MonkeyPatch
) -> None:
    await seen(scheduled, 0.1)
    before, _ = await shown(scheduled)
    await seen(scheduled, 0.15)
    found, first = await shown(scheduled)
    assert routed(scheduled) == 1
    assert found.distance_remaining_m == 5_000
    assert found.route is not None
    assert found.route.coordinates[0] == (0, 0.15)
    assert found.eta == before.eta, "nobody has said anything else yet"
    monkeypatch.setattr(arrival, "ASKED_EVERY", timedelta(0))
    later, again = await shown(scheduled)
    assert routed(scheduled) == 2
    assert later.position is not None
    assert later.eta == later.position.at + timedelta(seconds=500)
    assert again.version == first.version
    await shown(scheduled)
    assert routed(scheduled) == 2


async def test_two_looks_of_one_version_that_differ_have_tags_that_differ(
    scheduled: Delivering,
) -> None:
    await seen(scheduled, 0.1, ago=999.5)
    found, first = await shown(scheduled)
    assert found.eta is not None
    again: Document = await eventually(lambda: shown_anew(scheduled, first))
    assert json.loads(again.body).keys() == json.loads(first.body).keys() - {"eta"}
    assert (again.version, first.version) == (2, 2)
    assert (await shown(scheduled))[1].tag == again.tag


async def shown_anew(delivering: Delivering, before: Document) -> Any:
    _, found = await shown(delivering)
    return found if found.tag != before.tag else None


async def test_a_router_that_is_away_costs_the_arrival_and_nothing_else(
    scheduled: Delivering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookout, "PATIENCE", 0.05)
    scheduled.maps.blocked = asyncio.Event()
    await soon(seen(scheduled, 0.1))
    found, first = await soon(shown(scheduled))
    assert (found.status, found.eta, found.route) == ("en_route", None, None)
    news = asyncio.create_task(
        scheduled.bus.ask(AwaitDelivery(delivery_id="d1", known=first.tag, seconds=20))
    )
    scheduled.maps.blocked.set()
    told = await soon(news)
    assert told is not None
    assert json.loads(told.body)["distance_remaining_m"] == 10_000


async def test_whoever_waits_hears_of_every_change_and_of_none_that_is_none(
    scheduled: Delivering,
) -> None:
    first = await scheduled.bus.ask(AwaitDelivery(delivery_id="d1", seconds=0))
    assert first is not None
    same = AwaitDelivery(delivery_id="d1", known=first.tag, seconds=0)
    assert await scheduled.bus.ask(same) is None
    waiting = asyncio.create_task(
        scheduled.bus.ask(AwaitDelivery(delivery_id="d1", known=first.tag, seconds=20))
    )
    await seen(scheduled, 0.1)
    told = await soon(waiting)
    assert told is not None
    assert (told.version, json.loads(told.body)["status"]) == (2, "en_route")


async def test_whoever_waits_is_told_when_the_router_is_asked_again(
    scheduled: Delivering, monkeypatch: pytest.MonkeyPatch
) -> None:
    await seen(scheduled, 0.1)
    scheduled.maps.detour = 2.0
    await seen(scheduled, 0.15)
    _, first = await shown(scheduled)
    monkeypatch.setattr(arrival, "ASKED_EVERY", timedelta(milliseconds=200))
    told = await soon(
        scheduled.bus.ask(AwaitDelivery(delivery_id="d1", known=first.tag, seconds=20))
    )
    assert told is not None
    assert told.version == first.version
    assert json.loads(told.body)["distance_remaining_m"] == 10_000


async def test_a_delivery_that_is_not_there_yet_is_waited_for(
    delivering: Delivering, door: Address
) -> None:
    assert await delivering.bus.ask(AwaitDelivery(delivery_id="d1", seconds=0)) is None
    waiting = asyncio.create_task(delivering.bus.ask(AwaitDelivery(delivery_id="d1", seconds=20)))
    await delivering.bus.send(ScheduleDelivery(**SCHEDULE, destination=door))
    told = await soon(waiting)
    assert told is not None
    assert told.version == 1
