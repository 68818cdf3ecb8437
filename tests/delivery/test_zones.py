"""Zones: where a warehouse delivers, which zone counts where several do, and the file of them."""

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from bus.messages import Address, Money, NotFound, Position, Refused
from delivery.clock import WEEK
from delivery.commands import AddWarehouse
from delivery.contract import QuoteDelivery
from delivery.slot_commands import SetWindow
from delivery.zone import MAX_POINTS, Zone, Zones, draw, erase, evolve, serving
from delivery.zone_admin import commands
from delivery.zone_commands import DrawZone, EraseZone, ListZones, ZoneSetting
from delivery.zone_file import read
from maps.contract import Leg
from tests.delivery.conftest import Delivering
from tests.delivery.desk import Running

EUR_10 = Money(amount=10_00, currency="EUR")
HERE = Position(lat=47.05, lon=9.55)
THERE = Position(lat=47.15, lon=9.55)
WAREHOUSES: Any = {"vaduz": None, "schaan": None}


def square(west: float, south: float, size: float = 0.1) -> str:
    east, north = west + size, south + size
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return json.dumps({"type": "Polygon", "coordinates": [ring]})


def zone(id: str = "south", warehouse_id: str = "vaduz", **fields: Any) -> DrawZone:
    where = fields if "within_s" in fields else {"area": square(9.5, 47), **fields}
    return DrawZone(zone_id=id, warehouse_id=warehouse_id, name=id.title(), **where)


def leg(seconds: int = 600, metres: int = 5_000) -> Leg:
    return Leg(distance_m=metres, duration_s=seconds, source="test")


def drawn(*orders: DrawZone) -> Zones:
    zones: Zones | None = None
    for order in orders:
        for event in draw(zones, order, WAREHOUSES, ("default", "hills")):
            zones = evolve(zones, event)
    return zones or {}


def test_a_door_is_in_the_area_or_it_is_not() -> None:
    (south,) = drawn(zone()).values()
    assert south.covers(HERE, leg())
    assert south.covers(Position(lat=47, lon=9.5), leg())  # its border is in it
    assert not south.covers(THERE, leg())
    assert not south.covers(HERE, None)  # no road leads there


def test_a_hole_is_not_in_the_area() -> None:
    area = json.loads(square(9.5, 47))
    area["coordinates"] += json.loads(square(9.54, 47.04, 0.02))["coordinates"]
    (ring,) = drawn(zone(area=json.dumps(area))).values()
    assert not ring.covers(HERE, leg())
    assert ring.covers(Position(lat=47.01, lon=9.51), leg())


def test_a_ring_reaches_as_far_as_its_seconds() -> None:
    (ring,) = drawn(zone(within_s=600)).values()
    assert ring.covers(THERE, leg(600))
    assert not ring.covers(HERE, leg(601))


def test_the_higher_priority_counts_then_the_first_by_id() -> None:
    zones = drawn(zone("a"), zone("b", priority=5), zone("c", priority=5), zone("d", "schaan"))
    found = serving(zones, HERE, {"vaduz": leg(), "schaan": leg()})
    assert {id: it.setting.zone_id for id, it in found.items()} == {"vaduz": "b", "schaan": "d"}
    assert serving(zones, THERE, {"vaduz": leg(), "schaan": leg()}) == {}
    assert set(serving(zones, HERE, {"schaan": leg()})) == {"schaan"}


def test_drawn_again_a_zone_is_changed_and_the_same_again_changes_nothing() -> None:
    zones = drawn(zone(), zone(priority=3))
    assert zones["south"].setting.priority == 3
    assert draw(zones, zone(priority=3), WAREHOUSES, ()) == []
    (gone,) = erase(zones, "south")
    assert evolve(zones, gone) == {}
    with pytest.raises(NotFound, match="there is no zone west"):
        erase(zones, "west")


def many_points(count: int) -> str:
    ring = [[9 + n / count, 47.0] for n in range(count)]
    return json.dumps({"type": "Polygon", "coordinates": [[*ring, [9.5, 48], ring[0]]]})


@pytest.mark.parametrize(
    ("order", "code", "why"),
    [
        (zone(warehouse_id="nowhere"), "unknown_warehouse", "no warehouse nowhere"),
        (zone("vaduz"), "zone_exists", "the id of a warehouse"),
        (zone("taken", "schaan"), "zone_exists", "a zone of vaduz already"),
        (zone(tariff="moon"), "unknown_tariff", "no tariff moon"),
        (zone(area="POLYGON"), "unfit_area", "no GeoJSON"),
        (zone(area='{"type":"Point","coordinates":[9.5,47]}'), "unfit_area", "a Point"),
        (zone(area='{"type":"Polygon","coordinates":[]}'), "unfit_area", "with points"),
        (zone(area=square(47, 89.95)), "unfit_area", "longitude before latitude"),
        (
            zone(area='{"type":"Polygon","coordinates":[[[0,0],[1,1],[1,0],[0,1],[0,0]]]}'),
            "unfit_area",
            "cross or touch: Self-intersection",
        ),
        (zone(area=many_points(MAX_POINTS)), "unfit_area", "simplify it"),
    ],
)
def test_what_is_no_zone_is_refused_with_the_reason(order: DrawZone, code: str, why: str) -> None:
    with pytest.raises(Refused, match=why) as refused:
        draw(drawn(zone("taken")), order, WAREHOUSES, ("default",))
    assert refused.value.code == code


@given(st.floats(-1, 2), st.floats(-1, 2))
def test_two_halves_cover_what_the_whole_does(x: float, y: float) -> None:
    def half(west: float) -> Zone:
        ring = [[west, 0], [west + 0.5, 0], [west + 0.5, 1], [west, 1], [west, 0]]
        area = json.dumps({"type": "Polygon", "coordinates": [ring]})
        return Zone(ZoneSetting(zone_id="z", warehouse_id="w", name="z", area=area))

    door = Position(lat=y, lon=x)
    covered = any(half(west).covers(door, leg()) for west in (0, 0.5))
    assert covered == (0 <= x <= 1 and 0 <= y <= 1)


def at(address: Address, lat: float) -> Address:
    return address.model_copy(update={"position": Position(lat=lat, lon=0)})


async def test_goods_come_only_where_a_zone_is(delivering: Delivering, door: Address) -> None:
    for id, lat in (("near", 0.1), ("far", 0.8)):
        where = at(door, lat)
        await delivering.bus.send(AddWarehouse(warehouse_id=id, name=id, address=where))
    ask = QuoteDelivery(destination=door, goods=EUR_10)
    before = await delivering.bus.ask(ask)
    assert (before.warehouse_id, before.zone_id) == ("near", None)

    await delivering.bus.send(zone("all", "far", within_s=7_200))
    quote = await delivering.bus.ask(ask)
    assert (quote.warehouse_id, quote.zone_id, quote.warehouses) == ("far", "all", ("far",))
    again = await delivering.bus.send(zone("all", "far", within_s=7_200))
    assert again.position == 0

    await delivering.bus.send(zone("close", "near", area=square(-0.05, 0.15)))
    assert (await delivering.bus.ask(ask)).warehouses == ("near", "far")
    await delivering.bus.send(zone("all", "far", within_s=7_200, priority=1))
    assert (await delivering.bus.ask(ask)).warehouses == ("far", "near")
    await delivering.bus.send(EraseZone(zone_id="all"))
    with pytest.raises(Refused) as refused:
        await delivering.bus.ask(QuoteDelivery(destination=at(door, 0.5), goods=EUR_10))
    assert refused.value.code == "outside_zones"
    await delivering.bus.send(EraseZone(zone_id="close"))
    assert (await delivering.bus.ask(ask)).zone_id is None


async def test_a_zone_has_windows_of_its_own(delivering: Delivering, door: Address) -> None:
    await delivering.bus.send(AddWarehouse(warehouse_id="w", name="w", address=at(door, 0.1)))
    await delivering.bus.send(zone("z", "w", within_s=7_200))

    def window(zone_id: str | None, capacity: int) -> SetWindow:
        return SetWindow(
            warehouse_id="w", zone_id=zone_id, days=WEEK, start="00:00", end="24:00",
            capacity=capacity,
        )  # fmt: skip

    await delivering.bus.send(window(None, 1))
    ask = QuoteDelivery(destination=door, goods=EUR_10, with_slots=True)
    assert (await delivering.bus.ask(ask)).slots[0].slot_id.startswith("w:")
    await delivering.bus.send(window("z", 1))
    assert (await delivering.bus.ask(ask)).slots[0].slot_id.startswith("z:")
    with pytest.raises(NotFound, match="no zone y"):
        await delivering.bus.send(window("y", 1))


def features(*found: Any) -> str:
    return json.dumps({"type": "FeatureCollection", "features": list(found)})


def feature(id: str, geometry: Any = None, **properties: Any) -> Any:
    return {"type": "Feature", "id": id, "geometry": geometry, "properties": properties}


def test_a_file_draws_zones_and_their_windows_and_names_what_is_wrong() -> None:
    area = json.loads(square(9.5, 47))
    slots = [{"days": "mon-fri", "window": "09:00-12:00", "capacity": 20}]
    text = features(
        feature("south", area, name="South", slots=slots, tariff="hills"),
        feature("quick", within_s=900, warehouse_id="schaan"),
        feature("both", area, within_s=900),
        feature("neither"),
        feature("typo", area, capacity=3),
        feature("odd", area, slots=[{"window": "9-12", "capacity": 20}]),
        {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": 5}},
        5,
        feature(
            "bow",
            {"type": "Polygon", "coordinates": [[[9, 47], [10, 48], [10, 47], [9, 48], [9, 47]]]},
        ),
        {**feature(""), "properties": {"within_s": 900}},
    )
    south, quick, *wrong = read(text, "vaduz")
    assert south.zone is not None
    assert json.loads(south.zone.area or "") == area
    assert (south.zone.name, south.zone.tariff) == ("South", "hills")
    (window,) = south.windows
    assert (window.zone_id, window.days[-1], window.end) == ("south", "fri", "12:00")
    assert quick.zone is not None
    assert (quick.zone.within_s, quick.zone.name, quick.zone.area) == (900, "quick", None)
    assert [each.number for each in wrong] == [3, 4, 5, 6, 7, 8, 9, 10]
    assert all(each.fault and each.zone is None for each in wrong)
    assert "one of the two" in str(wrong[0].fault)
    assert "no such property" in str(wrong[2].fault)
    assert "9-12 is no window" in str(wrong[3].fault)
    assert wrong[5].fault == "it is no GeoJSON feature"
    assert "lines cross" in str(wrong[6].fault)
    assert "it has no id" in str(wrong[7].fault)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"type": "FeatureCollection"}', "[" * 9999])
def test_what_is_no_collection_of_features_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="it "):
        list(read(text))


def test_zones_are_imported_listed_shown_and_removed(
    running: Running, door: Address, tmp_path: Path
) -> None:
    running.run(running.bus.send(AddWarehouse(warehouse_id="vaduz", name="Vaduz", address=door)))
    file = tmp_path / "zones.geojson"
    file.write_text(
        features(
            feature("south", json.loads(square(9.5, 47)), warehouse_id="vaduz"),
            feature("lost", warehouse_id="nowhere", within_s=600),
        )
    )
    app = commands(lambda: nullcontext(running))

    def typed(*words: str) -> Any:
        return CliRunner().invoke(app, [*words])

    tried = typed("import", str(file), "--dry-run", "--json")
    assert [json.loads(line)["outcome"] for line in tried.stdout.splitlines()] == ["read", "read"]
    assert running.run(running.bus.ask(ListZones())) == ()
    for expected in ("drawn", "as before"):
        done = typed("import", str(file), "--json")
        outcomes = [json.loads(line)["outcome"] for line in done.stdout.splitlines()]
        assert outcomes[0] == expected
        assert "no warehouse nowhere" in outcomes[1]
        assert done.exit_code == 1
    assert "an area" in typed("list").stdout
    file.write_text(features(json.loads(typed("show", "south", "--json").stdout)))
    assert '"as before"' in typed("import", str(file), "--json").stdout
    assert typed("remove", "south", "--json").exit_code == 0
    assert typed("show", "south").exit_code == 1
    assert "there is no zone south" in typed("show", "south").stderr
