"""`shop deliveries plan`, as it is typed; on real roads, too."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from geojson_pydantic import FeatureCollection
from pymongo import MongoClient
from typer.testing import CliRunner, Result

from bus.messages import Address, Position, Refused
from delivery import deliveries_admin, plan_admin
from delivery.commands import AddWarehouse
from delivery.contract import ScheduleDelivery
from delivery.tour import length
from maps.contract import MeasureMatrix
from maps.osrm import OsrmRouter
from tests.delivery.desk import Running, at_a_desk
from tests.maps.doors import SEA, VADUZ, real

Typed = Callable[..., Result]

DAY = "2030-01-01"


def door(position: Position | None, district: str = "Vaduz") -> Address:
    return Address(
        house_number="1", road="Weg", district=district, postcode="9490", country="LI",
        position=position,
    )  # fmt: skip


def typed_at(running: Running) -> Typed:
    @contextmanager
    def shop() -> Iterator[Running]:
        yield running

    app = deliveries_admin.commands(shop)
    plan_admin.add_to(app, shop)

    def typed(*arguments: str) -> Result:
        result = CliRunner().invoke(app, ["plan", *arguments])
        if isinstance(result.exception, Refused):  # the CLI's top level tells it
            raise result.exception
        return result

    return typed


def stocked(running: Running, *doors: Address) -> None:
    """A warehouse in Vaduz, and a delivery for each of these doors."""
    warehouse: Any = {"name": "Vaduz", "address": door(VADUZ), "time_zone": "Europe/Vaduz"}
    running.run(running.bus.send(AddWarehouse(warehouse_id="vaduz", **warehouse)))
    for number, each in enumerate(doors, start=1):
        whose: Any = {"delivery_id": f"d{number}", "reference": f"o{number}"}
        order = ScheduleDelivery(**whose, warehouse_id="vaduz", destination=each)
        running.run(running.bus.send(order))


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which the command is typed."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_plan_is_printed_and_its_map_is_written(running: Running, here: Path) -> None:
    two = [door(Position(lat=lat, lon=VADUZ.lon)) for lat in (47.2, 47.15)]
    stocked(running, *two, door(None, district="Atlantis"))
    said = typed_at(running)(DAY)
    assert said.exit_code == 0, said.output
    header, first, second, lost = said.stdout.splitlines()
    assert header.split()[:6] == ["warehouse", "carrier", "window", "stop", "at", "delivery"]
    assert first.split() == ["vaduz", "house", "at", "any", "time", "1", "08:02", "d2", "o2",
                             "Weg", "1,", "9490", "Vaduz", "LI", "1.9"]  # fmt: skip
    assert second.split()[5:9] == ["2", "08:13", "d1", "o1"]
    assert "left out" in lost
    assert "d3 is left out: nobody can place its address on the map" in said.stderr
    assert "vaduz, house, at any time: 2 stops, 18.2 km, 22 min on the road" in said.stderr
    assert f"the map is in plan-{DAY}.geojson" in said.stderr

    line, *stops = json.loads((here / f"plan-{DAY}.geojson").read_text())["features"]
    assert line["geometry"]["type"] == "LineString"
    assert line["geometry"]["coordinates"][0] == [VADUZ.lon, VADUZ.lat]
    told = line["properties"]
    assert (told["stops"], told["in_time"]) == (2, True)
    assert told["distance_m"] == pytest.approx(18_200, abs=50)
    assert [it["properties"]["number"] for it in stops] == [1, 2]
    assert stops[0]["geometry"] == {"type": "Point", "coordinates": [VADUZ.lon, 47.15]}
    assert stops[0]["properties"]["delivery_id"] == "d2"


def test_for_programs_a_plan_is_a_row_a_stop(running: Running, here: Path) -> None:
    stocked(running, door(Position(lat=47.15, lon=VADUZ.lon)), door(None, district="Atlantis"))
    said = typed_at(running)(DAY, "--warehouse", "vaduz", "--out", "map.json", "--json")
    stop, lost = map(json.loads, said.stdout.splitlines())
    assert (stop["warehouse_id"], stop["number"], stop["order_id"]) == ("vaduz", 1, "o1")
    assert stop["arrival"].startswith(f"{DAY}T07:0")
    assert (lost["delivery_id"], lost["why"]) == ("d2", "unknown_address")
    assert "number" not in lost
    FeatureCollection.model_validate_json((here / "map.json").read_text())


def test_a_day_with_nothing_to_bring_says_so_and_writes_nothing(
    running: Running, here: Path
) -> None:
    said = typed_at(running)(DAY, "--json")
    assert (said.exit_code, said.stdout) == (0, "")
    assert f"nothing is to be brought on {DAY}" in said.stderr
    assert not list(here.iterdir())


def test_a_map_that_cannot_be_written_fails_after_the_plan_is_printed(running: Running) -> None:
    stocked(running, door(VADUZ))
    said = typed_at(running)(DAY, "--out", "no/such/folder.json")
    assert said.exit_code == 1
    assert "d1" in said.stdout
    assert "cannot be written to no/such/folder.json: No such file" in said.stderr


def test_a_warehouse_that_is_not_there_is_refused(running: Running) -> None:
    with pytest.raises(Refused, match="there is no warehouse mars"):
        typed_at(running)(DAY, "--warehouse", "mars")


@pytest.mark.parametrize(
    "arguments", [(), ("tomorrow",), ("2030-02-30",), (DAY, "--warehouse", "")]
)
def test_what_nobody_can_mean_is_a_usage_error(
    running: Running, arguments: tuple[str, ...]
) -> None:
    assert typed_at(running)(*arguments).exit_code == 2


def test_fifteen_real_doors_are_driven_to_by_real_roads(
    mongo: MongoClient[dict[str, Any]], prefix: str, osrm: str, here: Path
) -> None:
    places = list(islice(real(), 0, 900, 60))
    with at_a_desk(mongo, prefix, OsrmRouter(osrm, patience=10)) as running:
        stocked(running, *map(door, (*places, SEA)))
        said = typed_at(running)(DAY, "--json")
        spots = (VADUZ, *places)
        legs = running.run(running.bus.ask(MeasureMatrix(origins=spots, destinations=spots)))
    *rows, lost = map(json.loads, said.stdout.splitlines())
    assert (lost["delivery_id"], lost["why"]) == ("d16", "no_road")
    order = tuple(int(row["delivery_id"].removeprefix("d")) for row in rows)
    assert sorted(order) == list(range(1, 16))
    assert {leg.source for row in legs for leg in row if leg} == {"osrm"}

    found: FeatureCollection[Any] = FeatureCollection.model_validate_json(
        (here / f"plan-{DAY}.geojson").read_text()
    )
    line, *points = found.features
    assert line.properties
    assert [point.geometry.type for point in points if point.geometry] == ["Point"] * 15
    times = [[leg.duration_s for leg in row if leg] for row in legs]  # every door is reached
    assert line.properties["duration_s"] == length(times, [0, *order, 0])
    assert line.properties["duration_s"] < 0.8 * length(times, [*range(16), 0])
    assert line.geometry
    assert len(line.geometry.coordinates) > 500  # along the roads
