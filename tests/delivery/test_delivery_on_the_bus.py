"""Delivery at work: commands and queries on the real bus and the real databases."""

import asyncio
import json
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from pymongo import MongoClient

from bus.envelope import sealed
from bus.messages import Address, Invalid, Money, NotFound, Position, Refused, Window, now
from bus.transport import InProcess
from delivery.commands import (
    AddWarehouse,
    ListDeliveries,
    ListWarehouses,
    RecordCheckpoint,
    RescheduleDelivery,
)
from delivery.contract import (
    CancelDelivery,
    DeliveryCancelled,
    DeliveryDelivered,
    DeliveryDocument,
    DeliveryPickedUp,
    DeliveryScheduled,
    GetDelivery,
    QuoteDelivery,
    ScheduleDelivery,
    SchedulePickup,
)
from delivery.delivery import CheckpointRecorded
from delivery.tracking import is_valid
from maps.contract import Measure
from tests.delivery.conftest import Delivering, at_work

WHOSE: Any = {"delivery_id": "d1", "reference": "o1"}
CANCEL = CancelDelivery(**WHOSE)
EUR_10 = Money(amount=10_00, currency="EUR")


def at(address: Address, lat: float, lon: float = 0) -> Address:
    return address.model_copy(update={"position": Position(lat=lat, lon=lon)})


def schedule(door: Address) -> ScheduleDelivery:
    return ScheduleDelivery(**WHOSE, warehouse_id="schaan", destination=door)


async def shown(delivering: Delivering) -> DeliveryDocument:
    found = await delivering.bus.ask(GetDelivery(delivery_id="d1"))
    return DeliveryDocument.model_validate_json(found.body)


async def test_goods_come_from_the_nearest_warehouse(delivering: Delivering, door: Address) -> None:
    for id, lat in (("north", 0.51), ("south", -0.5), ("islands", 0.2)):
        where = at(door, lat, lon=5 if id == "islands" else 0)
        await delivering.bus.send(AddWarehouse(warehouse_id=id, name=id, address=where))
    delivering.maps.asked.clear()
    quote = await delivering.bus.ask(QuoteDelivery(destination=door, goods=EUR_10))
    assert (quote.warehouse_id, quote.distance_m, quote.duration_s) == ("north", 31_000, 3_100)
    assert quote.cost == Money(amount=65_00, currency="EUR")
    assert [type(query).type_name for query in delivering.maps.asked] == [
        "maps.Locate",
        "maps.Measure",
    ]


async def test_a_hundred_and_one_warehouses_are_measured(
    delivering: Delivering, door: Address
) -> None:
    await asyncio.gather(
        *(
            delivering.bus.send(AddWarehouse(warehouse_id=f"w{n}", name="w", address=at(door, n)))
            for n in range(-50, 51)
        )
    )
    quote = await delivering.bus.ask(QuoteDelivery(destination=door, goods=EUR_10))
    assert (quote.warehouse_id, quote.distance_m) == ("w0", 20_000)
    asked = [query for query in delivering.maps.asked if isinstance(query, Measure)]
    assert sorted(len(query.origins) for query in asked) == [1, 100]


async def test_what_cannot_be_delivered_is_refused(delivering: Delivering, door: Address) -> None:
    async def refusal(destination: Address) -> str:
        with pytest.raises(Refused) as refused:
            await delivering.bus.ask(QuoteDelivery(destination=destination, goods=EUR_10))
        return refused.value.code

    assert await refusal(door) == "no_warehouse"
    await delivering.bus.send(AddWarehouse(warehouse_id="w", name="w", address=door))
    assert await refusal(at(door, 0, lon=1)) == "unreachable"
    assert await refusal(door.model_copy(update={"position": None})) == "unknown_address"


async def test_warehouses_are_opened_and_listed(delivering: Delivering, door: Address) -> None:
    added = []
    for id in ("vaduz", "balzers"):
        command = AddWarehouse(warehouse_id=id, name=id.title(), address=door)
        added.append((await delivering.bus.send(command)).answer)
        assert (await delivering.bus.send(command)).position == 0
    assert await delivering.bus.ask(ListWarehouses()) == (added[1], added[0])
    with pytest.raises(Refused) as refused:
        await delivering.bus.send(AddWarehouse(warehouse_id="vaduz", name="Other", address=door))
    assert refused.value.code == "warehouse_exists"
    nowhere = door.model_copy(update={"position": None})
    with pytest.raises(Refused) as refused:
        await delivering.bus.send(AddWarehouse(warehouse_id="x", name="x", address=nowhere))
    assert refused.value.code == "unknown_address"


async def test_a_delivery_from_warehouse_to_door(delivering: Delivering, door: Address) -> None:
    await delivering.bus.send(schedule(door))
    await delivering.bus.send(schedule(door))
    scheduled = await shown(delivering)
    assert scheduled.status == "scheduled"
    assert (scheduled.order_id, scheduled.carrier) == ("o1", "house")
    assert scheduled.destination == door
    assert is_valid(scheduled.tracking_number)

    first = now() - timedelta(hours=1)
    van = Position(lat=0.1, lon=0)
    answers = [
        await delivering.bus.send(
            RecordCheckpoint(delivery_id="d1", status="picked_up", at=first, note="2 parcels")
        ),
        await delivering.bus.send(
            RecordCheckpoint(delivery_id="d1", status="en_route", position=van)
        ),
    ]
    assert [done.position for done in answers] == [2, 3]
    on_the_road = answers[-1].answer
    assert on_the_road.status == "en_route"
    assert on_the_road.distance_remaining_m == 10_000
    assert on_the_road.position is not None
    assert on_the_road.eta == on_the_road.position.at + timedelta(seconds=1_000)
    assert await shown(delivering) == on_the_road

    done = await delivering.bus.send(RecordCheckpoint(delivery_id="d1", status="delivered"))
    assert (done.answer.status, done.answer.eta) == ("delivered", None)
    assert [type(event) for event in await delivering.history("delivery-d1")] == [
        DeliveryScheduled,
        DeliveryPickedUp,
        CheckpointRecorded,
        CheckpointRecorded,
        CheckpointRecorded,
        DeliveryDelivered,
    ]
    found = await delivering.bus.ask(GetDelivery(delivery_id="d1"))
    assert found.version == 4
    assert json.loads(found.body)["checkpoints"][0] == {
        "status": "picked_up",
        "at": first.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "note": "2 parcels",
    }


async def test_without_a_way_to_the_door_a_delivery_is_shown_without_its_arrival(
    delivering: Delivering, door: Address
) -> None:
    nowhere = door.model_copy(update={"position": None})
    await delivering.bus.send(schedule(nowhere))
    checkpoint = RecordCheckpoint(
        delivery_id="d1", status="en_route", position=Position(lat=0, lon=0)
    )
    answer = (await delivering.bus.send(checkpoint)).answer
    assert (answer.status, answer.eta, answer.distance_remaining_m) == ("en_route", None, None)


async def test_a_checkpoint_sent_twice_under_one_key_is_recorded_once(
    delivering: Delivering, door: Address
) -> None:
    await delivering.bus.send(schedule(door))
    command = RecordCheckpoint(delivery_id="d1", status="en_route")
    first = await delivering.bus.deliver(sealed(command, id="key", fingerprint="body"))
    again = await delivering.bus.deliver(sealed(command, id="key", fingerprint="body"))
    assert (first.repeated, again.repeated) == (False, True)
    assert again.position == first.position
    assert len((await shown(delivering)).checkpoints) == 1
    with pytest.raises(Invalid):
        await delivering.bus.deliver(sealed(command, id="key", fingerprint="another"))


async def test_a_delivery_cancelled_first_is_never_scheduled(
    delivering: Delivering, door: Address
) -> None:
    await delivering.bus.send(CANCEL)
    await delivering.bus.send(schedule(door))
    assert await delivering.history("delivery-d1") == [DeliveryCancelled(**WHOSE)]
    assert (await shown(delivering)).status == "cancelled"


async def test_scheduling_and_cancelling_at_once_ends_cancelled(
    delivering: Delivering, door: Address
) -> None:
    await asyncio.gather(delivering.bus.send(schedule(door)), delivering.bus.send(CANCEL))
    assert (await shown(delivering)).status == "cancelled"


async def test_cancelling_and_picking_up_at_once_never_does_both(
    delivering: Delivering, door: Address
) -> None:
    await delivering.bus.send(schedule(door))
    pick_up = RecordCheckpoint(delivery_id="d1", status="picked_up")
    await asyncio.gather(
        delivering.bus.send(CANCEL), delivering.bus.send(pick_up), return_exceptions=True
    )
    kinds = {type(event) for event in await delivering.history("delivery-d1")}
    assert len(kinds & {DeliveryCancelled, DeliveryPickedUp}) == 1


async def test_an_unknown_delivery_is_not_found(delivering: Delivering) -> None:
    for ask in (
        delivering.bus.ask(GetDelivery(delivery_id="d1")),
        delivering.bus.send(RecordCheckpoint(delivery_id="d1", status="en_route")),
    ):
        with pytest.raises(NotFound) as refused:
            await ask
        assert refused.value.code == "unknown_delivery"


async def test_deliveries_are_listed_newest_first_and_by_status(
    delivering: Delivering, door: Address
) -> None:
    for n in (1, 2, 3):
        await delivering.bus.send(
            ScheduleDelivery(
                delivery_id=f"d{n}", reference=f"o{n}", warehouse_id="w", destination=door
            )
        )
    done = await delivering.bus.send(RecordCheckpoint(delivery_id="d2", status="arrived"))
    deliveries, *_ = delivering.home.views
    assert await delivering.home.seen(deliveries, done.position)

    async def listed(**query: Any) -> list[Any]:
        page = await delivering.bus.ask(ListDeliveries(**query))
        return [json.loads(row)["delivery_id"] for row in page.data] + [page.has_more]

    assert await listed(status="arrived") == ["d2", False]
    assert await listed() == ["d3", "d2", "d1", False]
    assert await listed(limit=2) == ["d3", "d2", True]
    assert await listed(status="scheduled", limit=2) == ["d3", "d1", False]
    assert await listed(status="cancelled") == [False]


async def test_deliveries_are_found_by_the_day_at_their_warehouse(
    delivering: Delivering, door: Address
) -> None:
    day = (now() + timedelta(days=2)).date()
    for id, zone in (
        ("kiritimati", "Pacific/Kiritimati"),
        ("pago", "Pacific/Pago_Pago"),
        ("zurich", None),
    ):
        house = AddWarehouse(warehouse_id=id, name=id, address=door, time_zone=zone)
        await delivering.bus.send(house)
        order = ScheduleDelivery(
            delivery_id=f"d-{id}", reference="o1", warehouse_id=id, destination=door
        )
        await delivering.bus.send(order)
        # 10:30 UTC: on Kiritimati it is tomorrow by then, in Pago Pago still yesterday.
        half_past_ten = datetime.combine(day, time(10, 30), UTC)
        window = Window.model_validate(
            {"from": half_past_ten, "to": half_past_ten + timedelta(hours=1)}
        )
        done = await delivering.bus.send(RescheduleDelivery(delivery_id=f"d-{id}", when=window))

    async def found(days: int, **query: Any) -> list[str]:
        asked = ListDeliveries(date=day + timedelta(days=days), min_position=done.position, **query)
        page = await delivering.bus.ask(asked)
        return sorted(json.loads(row)["delivery_id"] for row in page.data)

    assert await found(-1) == ["d-pago"]
    assert await found(0) == ["d-zurich"]
    assert await found(1) == ["d-kiritimati"]
    assert await found(1, warehouse_id="kiritimati", slot_id="agreed") == ["d-kiritimati"]
    assert await found(1, warehouse_id="zurich") == []
    assert await found(2) == []


async def test_a_restarted_shop_knows_its_deliveries_and_warehouses(
    mongo: MongoClient[dict[str, Any]], prefix: str, door: Address
) -> None:
    async with at_work(mongo, prefix, InProcess()) as first:
        await first.bus.send(AddWarehouse(warehouse_id="w", name="w", address=door))
        await first.bus.send(schedule(door))
        await first.bus.send(
            RecordCheckpoint(
                delivery_id="d1", status="arrived", position=Position(lat=0, lon=0), note="ü"
            )
        )
        before = await shown(first), await first.bus.ask(ListWarehouses())
    async with at_work(mongo, prefix, InProcess()) as second:
        assert (await shown(second), await second.bus.ask(ListWarehouses())) == before


async def test_goods_are_fetched_at_a_door_and_brought_to_a_warehouse(
    delivering: Delivering, door: Address
) -> None:
    house = at(door, 0.5)
    start = now() + timedelta(hours=1)
    fetch = SchedulePickup(
        **WHOSE,
        warehouse_id="north",
        origin=door,
        window=Window.model_validate({"from": start, "to": start + timedelta(hours=2)}),
    )
    with pytest.raises(Refused) as refused:
        await delivering.bus.send(fetch)
    assert refused.value.code == "unknown_warehouse"
    add = AddWarehouse(warehouse_id="north", name="North", address=house, carrier="post")
    await delivering.bus.send(add)
    for _ in range(2):
        await delivering.bus.send(fetch)
    found = await shown(delivering)
    assert (found.kind, found.status, found.carrier) == ("return", "assigned", "post")
    assert (found.origin, found.destination) == (door, house)

    # 10 km from the door, and 40 from the warehouse.
    van = RecordCheckpoint(delivery_id="d1", status="en_route", position=Position(lat=0.1, lon=0))
    assert (await delivering.bus.send(van)).answer.distance_remaining_m == 10_000
    fetched = van.model_copy(update={"status": "picked_up"})
    assert (await delivering.bus.send(fetched)).answer.distance_remaining_m == 40_000
    done = await delivering.bus.send(RecordCheckpoint(delivery_id="d1", status="delivered"))
    assert done.answer.status == "delivered"
