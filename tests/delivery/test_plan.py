"""`shop deliveries plan`, as it is typed; and a plan on the bus, on the roads there are."""

import json
from datetime import UTC, datetime
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import pytest
from geojson_pydantic import FeatureCollection, LineString, Point
from pymongo import MongoClient
from typer import Typer

from bus.console import Open
from bus.messages import Address, Position, Refused, Window
from bus.platform import Platform
from bus.transport import InProcess
from delivery import deliveries_admin, plan, plan_admin, plan_handlers
from delivery.commands import AddWarehouse, AssignDelivery, RecordCheckpoint, RescheduleDelivery
from delivery.contract import ScheduleDelivery, SchedulePickup
from delivery.module import register
from delivery.plan import PlanDay, PlannedTour
from maps.module import register as register_maps
from maps.osrm import OsrmRouter
from tests.delivery.conftest import Delivering
from tests.delivery.desk import Running, Typed, prints
from tests.maps.doors import ADDRESSES, SCHAAN, real
from tests.waiting import PATIENCE

DAY = datetime(2030, 1, 7, tzinfo=UTC).date()


def at(hour: int) -> datetime:
    return datetime(2030, 1, 7, hour, tzinfo=UTC)


MORNING = Window.model_validate({"from": at(8), "to": at(9)})


def door(lat: float, lon: float = 9.5, **more: Any) -> Address:
    fields = {"house_number": "1", "road": "Weg", "district": "Schaan", "postcode": "9494"}
    return Address(**{**fields, "country": "LI", "position": Position(lat=lat, lon=lon), **more})


HOUSE = AddWarehouse(
    warehouse_id="schaan", name="Schaan", address=door(47.0), time_zone="Europe/Vaduz"
)


async def scheduled(bus: Any, id: str, to: Address, window: Window | None = MORNING) -> None:
    """A delivery that waits for its van."""
    order = ScheduleDelivery(
        delivery_id=id, reference=f"o-{id}", warehouse_id="schaan", destination=to
    )
    await bus.send(order)
    if window is not None:
        await bus.send(RescheduleDelivery(delivery_id=id, when=window))


async def planned(home: Any, bus: Any, **more: Any) -> tuple[PlannedTour, ...]:
    query = PlanDay(date=DAY, min_position=await home.log.head(), **more)
    found: tuple[PlannedTour, ...] = await bus.ask(query)
    return found


def order_of(tour: PlannedTour) -> list[str]:
    return [stop.delivery_id for stop in tour.stops]


async def test_doors_are_visited_on_the_way_and_times_tell_when(delivering: Delivering) -> None:
    await delivering.bus.send(HOUSE)
    for id, lat in (("far", 47.03), ("near", 47.01), ("between", 47.02)):
        await scheduled(delivering.bus, id, door(lat))
    (tour,) = await planned(delivering.home, delivering.bus)
    assert order_of(tour) in (["near", "between", "far"], ["far", "between", "near"])
    assert (tour.distance_m, tour.duration_s) == (6_000, 600)
    assert (tour.departs, tour.returns) == (at(8), at(8).replace(minute=19))
    assert [stop.number for stop in tour.stops] == [1, 2, 3]
    steps = [stop.arrival - tour.departs for stop in tour.stops]
    assert all(later - sooner >= plan.SERVICE for sooner, later in pairwise(steps))
    assert tour.in_time
    assert tour.line
    assert tour.line.coordinates[0] == tour.line.coordinates[-1] == (9.5, 47.0)


async def test_only_what_is_still_to_be_brought_that_day_is_planned(
    delivering: Delivering,
) -> None:
    bus = delivering.bus
    await bus.send(HOUSE)
    afternoon = Window.model_validate({"from": at(13), "to": at(15)})
    tomorrow = Window.model_validate({"from": at(8).replace(day=8), "to": at(9).replace(day=8)})
    for id, window in (
        ("morning", MORNING), ("afternoon", afternoon), ("tomorrow", tomorrow),
        ("whenever", None), ("gone", MORNING), ("posted", MORNING),
    ):  # fmt: skip
        await scheduled(bus, id, door(47.01), window)
    await bus.send(RecordCheckpoint(delivery_id="gone", status="delivered"))
    await bus.send(AssignDelivery(delivery_id="posted", carrier="post"))
    fetch = SchedulePickup(
        delivery_id="back", reference="r", warehouse_id="schaan", origin=door(47.02), window=MORNING
    )
    await bus.send(fetch)
    tours = await planned(delivering.home, bus, warehouse_id="schaan")
    assert [(tour.carrier, tour.window, sorted(order_of(tour))) for tour in tours] == [
        ("house", MORNING, ["back", "morning"]),
        ("post", MORNING, ["posted"]),
        ("house", afternoon, ["afternoon"]),
        ("house", None, ["whenever"]),
    ]
    assert tours[-1].departs == at(7)  # eight by the clocks in Vaduz
    (back,) = (stop for stop in tours[0].stops if stop.delivery_id == "back")
    assert (back.kind, back.position.lat) == ("return", 47.02)


async def test_what_cannot_be_brought_is_told_with_why(delivering: Delivering) -> None:
    await delivering.bus.send(HOUSE)
    await scheduled(delivering.bus, "door", door(47.01))
    await scheduled(delivering.bus, "lost", door(0, position=None))
    await scheduled(delivering.bus, "island", door(47.01, lon=8))
    (tour,) = await planned(delivering.home, delivering.bus)
    assert order_of(tour) == ["door"]
    assert [(each.delivery_id, each.why) for each in tour.left_out] == [
        ("lost", "unknown_address"),
        ("island", "no_road"),
    ]


async def test_a_warehouse_that_is_not_there_is_refused_or_told(delivering: Delivering) -> None:
    await scheduled(delivering.bus, "d1", door(47.01))
    (tour,) = await planned(delivering.home, delivering.bus)
    assert (tour.stops, [each.why for each in tour.left_out]) == ((), ["unknown_warehouse"])
    with pytest.raises(Refused) as refused:
        await planned(delivering.home, delivering.bus, warehouse_id="schaan")
    assert refused.value.code == "unknown_warehouse"


async def test_a_van_that_comes_too_late_says_so(delivering: Delivering) -> None:
    await delivering.bus.send(HOUSE)
    await scheduled(delivering.bus, "d1", door(47.01))
    await scheduled(delivering.bus, "d2", door(48.0))  # 10 000 s away
    (tour,) = await planned(delivering.home, delivering.bus)
    assert [stop.in_time for stop in tour.stops].count(False) >= 1
    assert not tour.in_time


async def test_a_long_tour_is_measured_in_parts_and_no_longer_than_a_van_can_drive(
    delivering: Delivering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan_handlers, "AT_ONCE", 3)
    monkeypatch.setattr(plan, "MOST_STOPS", 7)
    await delivering.bus.send(HOUSE)
    for number in range(1, 9):
        await scheduled(delivering.bus, f"d{number}", door(47 + number / 100))
    (tour,) = await planned(delivering.home, delivering.bus)
    assert (tour.distance_m, len(tour.stops)) == (14_000, 7)
    assert [(each.delivery_id, each.why) for each in tour.left_out] == [("d8", "too_many_stops")]
    assert tour.line
    assert max(lat for _, lat in tour.line.coordinates) == 47.07
    assert tour.line.coordinates[0] == tour.line.coordinates[-1]
    monkeypatch.setattr(plan_handlers, "MOST", 7)
    with pytest.raises(Refused, match="more than 7 deliveries"):
        await planned(delivering.home, delivering.bus)


async def test_fifteen_real_doors_on_real_roads(
    osrm: str, mongo: MongoClient[dict[str, Any]], prefix: str
) -> None:
    doors = list(islice(real(), 0, None, max(1, len(list(real())) // 15)))[:15]
    assert len(doors) == 15, ADDRESSES
    platform = Platform(mongo, None, prefix, InProcess())
    register_maps(platform, OsrmRouter(osrm, patience=PATIENCE))
    home = register(platform)
    await platform.start(work=True)
    try:
        house = door(SCHAAN.lat, SCHAAN.lon)
        await platform.bus.send(HOUSE.model_copy(update={"address": house}))
        for number, spot in enumerate(doors):
            await scheduled(platform.bus, f"d{number}", door(spot.lat, spot.lon))
        (tour,) = await planned(home, platform.bus)
    finally:
        await platform.stop()
    assert sorted(order_of(tour)) == sorted(f"d{number}" for number in range(15))
    assert not tour.left_out
    assert tour.duration_s < 2.5 * 3600  # up and down the country
    assert tour.line
    assert len(tour.line.coordinates) > 500


@pytest.fixture
def deliveries(running: Running) -> Typed:
    """What `shop deliveries` prints."""

    def commands(opened: Open) -> Typer:
        app = deliveries_admin.commands(opened)
        plan_admin.add_to(app, opened)
        return app

    return prints(commands, running)


def test_the_plan_is_printed_and_drawn(
    running: Running, deliveries: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    running.run(running.bus.send(HOUSE))
    for id, to in (("d1", door(47.01)), ("d2", door(47.02)), ("d3", door(0, position=None))):
        running.run(scheduled(running.bus, id, to))
    running.run(scheduled(running.bus, "d4", door(0, position=None, district="Nowhere")))

    header, *lines = deliveries("plan", "2030-01-07").splitlines()
    assert header.split() == ["warehouse", "carrier", "window", "stop", "at", "delivery", "id",
                              "order", "id", "to", "km"]  # fmt: skip
    assert sum("09:00-10:00" in line for line in lines) == 4
    assert "left out" in lines[-1]
    assert "Weg 1, 9494 Nowhere LI" in lines[-1]

    drawn: FeatureCollection[Any] = FeatureCollection.model_validate_json(
        Path("plan-2030-01-07.geojson").read_text()
    )
    way, *points = drawn.features
    assert isinstance(way.geometry, LineString)
    assert isinstance(way.properties, dict)
    assert (way.properties["stops"], way.properties["in_time"]) == (3, True)
    assert all(isinstance(point.geometry, Point) for point in points)
    assert [(point.properties or {})["number"] for point in points] == [1, 2, 3]

    printed = deliveries("plan", "2030-01-07", "--json", "--out", "other.geojson")
    rows = [json.loads(line) for line in printed.splitlines()]
    assert [row.get("number") for row in rows] == [1, 2, 3, None]
    assert (rows[-1]["delivery_id"], rows[-1]["why"]) == ("d4", "unknown_address")
    assert rows[0]["window"]["from"] == "2030-01-07T08:00:00Z"
    assert Path("other.geojson").exists()
    assert "cannot be written" in deliveries("plan", "2030-01-07", "--out", "no/map", code=1)


def test_a_day_without_deliveries_has_nothing_to_print_or_draw(
    deliveries: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert deliveries("plan", "2030-01-07") == ""
    assert not list(tmp_path.iterdir())
    assert "tomorrow is no time" in deliveries("plan", "tomorrow", code=2)
    assert "date" in deliveries("plan", "1999-01-01", code=2)
    with pytest.raises(Refused, match="there is no warehouse vaduz"):
        deliveries("plan", "2030-01-07", "--warehouse", "vaduz")
