"""A day's tours on the real bus: what is in them, when the van is where, and what is left out."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from bus.messages import Address, Position, Refused, Window
from delivery import plan, plan_handlers
from delivery.commands import AddWarehouse, AssignDelivery, RecordCheckpoint, RescheduleDelivery
from delivery.contract import ScheduleDelivery, SchedulePickup
from delivery.plan import PlanDay, PlannedTour
from maps.contract import Directions, MeasureMatrix
from tests.delivery.conftest import Delivering

DAY = date(2030, 1, 1)
EIGHT = datetime(2030, 1, 1, 8, tzinfo=UTC)


def house(lat: float, lon: float = 0) -> Address:
    return Address(
        house_number="1", road="Weg", district="Vaduz", postcode="9490", country="LI",
        position=Position(lat=lat, lon=lon),
    )  # fmt: skip


NOWHERE = house(0).model_copy(update={"position": None})


def window(start: datetime, minutes: int) -> Window:
    return Window.model_validate({"from": start, "to": start + timedelta(minutes=minutes)})


MORNING = window(EIGHT, 40)


@pytest.fixture
async def shop(delivering: Delivering) -> Delivering:
    """A shop with a warehouse at 0.2 degrees north, by the clocks of UTC."""
    warehouse: Any = {"name": "W", "address": house(0.2), "time_zone": "UTC"}
    await delivering.bus.send(AddWarehouse(warehouse_id="w", **warehouse))
    return delivering


async def due(
    shop: Delivering, id: str, door: Address, when: Window | None = MORNING, at: str = "w"
) -> None:
    """Have a delivery arranged for then; for any time, if not."""
    whose: Any = {"delivery_id": id, "reference": f"o-{id}", "warehouse_id": at}
    await shop.bus.send(ScheduleDelivery(**whose, destination=door))
    if when is not None:
        await shop.bus.send(RescheduleDelivery(delivery_id=id, when=when))


async def planned(shop: Delivering, **asked: Any) -> tuple[PlannedTour, ...]:
    head = await shop.home.log.head()
    return await shop.bus.ask(PlanDay(**{"date": DAY, "min_position": head, **asked}))


def ids(tour: PlannedTour) -> list[str]:
    return [stop.delivery_id for stop in tour.stops]


def omitted(tour: PlannedTour) -> dict[str, str]:
    return {each.delivery_id: each.why for each in tour.left_out}


async def test_a_van_goes_the_short_way_round_and_says_when_it_is_where(shop: Delivering) -> None:
    for id, lat in (("far", 0.3), ("south", 0.19), ("near", 0.25)):
        await due(shop, id, house(lat))
    (tour,) = await planned(shop)
    assert (tour.warehouse_id, tour.carrier, tour.window) == ("w", "house", MORNING)
    assert (tour.distance_m, tour.duration_s) == (22_000, 2_200)
    assert ids(tour) == ["south", "near", "far"]
    assert [stop.number for stop in tour.stops] == [1, 2, 3]
    assert [stop.distance_m for stop in tour.stops] == [1_000, 6_000, 5_000]
    seconds = [100, 100 + 180 + 600, 100 + 180 + 600 + 180 + 500]
    assert [stop.arrival for stop in tour.stops] == [EIGHT + timedelta(seconds=s) for s in seconds]
    assert tour.returns == EIGHT + timedelta(seconds=seconds[-1] + 180 + 1_000)
    assert tour.in_time
    assert tour.line
    assert tour.line.coordinates[0] == tour.line.coordinates[-1] == (0, 0.2)
    assert {(0, 0.19), (0, 0.25), (0, 0.3)} <= set(tour.line.coordinates)


async def test_who_is_reached_after_the_window_is_told_to_be_late(shop: Delivering) -> None:
    await due(shop, "near", house(0.25), window(EIGHT, 10))
    await due(shop, "far", house(0.3), window(EIGHT, 10))
    (tour,) = await planned(shop)
    assert [(stop.delivery_id, stop.in_time) for stop in tour.stops] == [
        ("near", True),
        ("far", False),
    ]
    assert not tour.in_time


async def test_each_window_and_each_carrier_has_a_tour_and_what_may_come_at_any_time_is_last(
    shop: Delivering,
) -> None:
    await due(shop, "any", house(0.25), None)
    await due(shop, "noon", house(0.25), window(EIGHT + timedelta(hours=4), 60))
    await due(shop, "early", house(0.25))
    await due(shop, "post", house(0.26))
    await shop.bus.send(AssignDelivery(delivery_id="post", carrier="post"))
    await due(shop, "tomorrow", house(0.25), window(EIGHT + timedelta(days=1), 60))
    tours = await planned(shop)
    assert [(ids(tour), tour.carrier) for tour in tours] == [
        (["early"], "house"),
        (["post"], "post"),
        (["noon"], "house"),
        (["any"], "house"),
    ]
    assert (tours[3].window, tours[3].departs) == (None, EIGHT)
    assert tours[3].stops[0].in_time is None


async def test_what_is_on_the_road_or_over_is_not_planned_and_goods_to_fetch_are(
    shop: Delivering,
) -> None:
    for id in ("gone", "off", "again"):
        await due(shop, id, house(0.3), None)
    await shop.bus.send(RecordCheckpoint(delivery_id="gone", status="picked_up"))
    await shop.bus.send(RecordCheckpoint(delivery_id="off", status="delivered"))
    await shop.bus.send(RecordCheckpoint(delivery_id="again", status="attempt_failed"))
    await shop.bus.send(RescheduleDelivery(delivery_id="again", when=MORNING))
    whose: Any = {"delivery_id": "back", "reference": "o", "warehouse_id": "w"}
    await shop.bus.send(SchedulePickup(**whose, origin=house(0.21), window=MORNING))
    (tour,) = await planned(shop)
    assert [(stop.delivery_id, stop.kind) for stop in tour.stops] == [
        ("back", "return"),
        ("again", "delivery"),
    ]
    assert tour.stops[0].address == house(0.21)


async def test_a_door_that_nobody_can_place_or_drive_to_is_left_out(shop: Delivering) -> None:
    await due(shop, "lost", NOWHERE)
    await due(shop, "island", house(0.2, lon=1))
    await due(shop, "near", house(0.25))
    (tour,) = await planned(shop)
    assert ids(tour) == ["near"]
    assert omitted(tour) == {"lost": "unknown_address", "island": "no_road"}


async def test_a_tour_of_doors_that_are_all_left_out_has_no_line(shop: Delivering) -> None:
    await due(shop, "lost", NOWHERE)
    await due(shop, "island", house(0.2, lon=1), None)
    await due(shop, "foreign", house(0.2), None, at="closed")
    tours = await planned(shop)
    assert [omitted(tour) for tour in tours] == [
        {"foreign": "unknown_warehouse"},
        {"lost": "unknown_address"},
        {"island": "no_road"},
    ]
    assert not any(tour.stops or tour.line for tour in tours)


async def test_a_day_is_one_of_the_warehouse_and_another_warehouse_is_asked_for(
    shop: Delivering,
) -> None:
    apia: Any = {"name": "Apia", "address": house(0.2), "time_zone": "Pacific/Apia"}
    await shop.bus.send(AddWarehouse(warehouse_id="apia", **apia))
    late = window(datetime(2030, 1, 1, 11, 30, tzinfo=UTC), 60)  # 00:30 on the 2nd, there
    await due(shop, "there", house(0.25), late, at="apia")
    await due(shop, "here", house(0.25), late)
    assert [ids(tour) for tour in await planned(shop)] == [["here"]]
    (tour,) = await planned(shop, date=date(2030, 1, 2))
    assert (ids(tour), tour.time_zone) == (["there"], "Pacific/Apia")
    assert await planned(shop, warehouse_id="apia") == ()
    assert [ids(tour) for tour in await planned(shop, warehouse_id="w")] == [["here"]]
    with pytest.raises(Refused, match="there is no warehouse mars; there are apia, w"):
        await planned(shop, warehouse_id="mars")


async def test_a_day_on_which_nothing_is_due_has_no_tours(shop: Delivering) -> None:
    assert await planned(shop) == ()


async def test_more_doors_than_maps_takes_at_once_are_asked_for_in_parts(
    shop: Delivering, monkeypatch: pytest.MonkeyPatch
) -> None:
    doors = {f"d{n}": house(0.2 + n / 100) for n in range(1, 8)}
    for id, door in doors.items():
        await due(shop, id, door)
    (whole,) = await planned(shop)
    monkeypatch.setattr(plan_handlers, "AT_ONCE", 3)
    shop.maps.asked.clear()
    (parts,) = await planned(shop)
    assert (parts.stops, parts.distance_m) == (whole.stops, whole.distance_m)
    assert parts.line
    assert whole.line
    assert set(parts.line.coordinates) == set(whole.line.coordinates)
    measured = [it for it in shop.maps.asked if isinstance(it, MeasureMatrix)]
    assert [(len(it.origins), len(it.destinations)) for it in measured] == [
        (3, 3), (3, 3), (3, 2), (3, 3), (3, 3), (3, 2), (2, 3), (2, 3), (2, 2),
    ]  # fmt: skip
    drawn = [it.waypoints for it in shop.maps.asked if isinstance(it, Directions)]
    assert [len(points) for points in drawn] == [3, 3, 3, 3]
    assert all(drawn[n][-1] == drawn[n + 1][0] for n in range(3))


async def test_no_tour_has_more_stops_than_a_van_can_make_and_no_plan_has_no_end(
    shop: Delivering, monkeypatch: pytest.MonkeyPatch
) -> None:
    for id in ("first", "second"):
        await due(shop, id, house(0.25))
    monkeypatch.setattr(plan, "MOST_STOPS", 1)
    (tour,) = await planned(shop)
    assert (ids(tour), omitted(tour)) == (["first"], {"second": "too_many_stops"})
    monkeypatch.setattr(plan_handlers, "MOST", 1)
    with pytest.raises(Refused, match="plan one warehouse at a time") as refused:
        await planned(shop)
    assert refused.value.code == "too_many_deliveries"
