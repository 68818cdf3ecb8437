"""Goods that are fetched at a door, and brought to a warehouse."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bus.messages import Position, Refused, Window
from delivery.commands import Warehouse
from delivery.contract import (
    DeliveryCancelled,
    DeliveryDelivered,
    DeliveryPickedUp,
    DeliveryReturned,
    Packed,
    Scan,
    SchedulePickup,
)
from delivery.delivery import Delivery, DeliveryEvent, DeliveryRequested
from delivery.redelivery import Redelivery, reschedule, retry
from delivery.scheduling import cancel, schedule_pickup
from delivery.views import document
from tests.delivery.histories import (
    CANCEL,
    NOON,
    SCHAAN,
    VADUZ,
    WHOSE,
    assigned,
    at,
    lived,
    replay,
    said,
    scan,
    slot,
    stand,
)

MUG = (Packed(sku="MUG", quantity=1),)
HOUSE = Warehouse(
    warehouse_id="schaan", name="Schaan", address=SCHAAN, position=Position(lat=47.2, lon=9.5)
)
FETCH = SchedulePickup(**WHOSE, warehouse_id="schaan", origin=VADUZ, items=MUG)
BACK: Any = {**WHOSE, "kind": "return"}
FETCHING = schedule_pickup(None, FETCH, HOUSE, NOON)


def between(start: datetime, end: datetime) -> SchedulePickup:
    window = Window.model_validate({"from": start, "to": end})
    return FETCH.model_copy(update={"window": window})


def fetched(*checkpoints: Any) -> list[DeliveryEvent]:
    return lived(*checkpoints, begins=FETCHING)


def test_it_leads_from_the_door_to_the_warehouse() -> None:
    told = document(stand(FETCHING))
    assert (told.kind, told.status, told.carrier) == ("return", "scheduled", "house")
    assert (told.order_id, told.items) == ("o1", MUG)
    assert told.origin == VADUZ
    assert told.destination == SCHAAN.model_copy(update={"position": HOUSE.position})
    assert schedule_pickup(stand(FETCHING), FETCH, HOUSE, at(1)) == []


def test_the_carrier_of_the_warehouse_fetches_it() -> None:
    house = HOUSE.model_copy(update={"carrier": "post"})
    history = schedule_pickup(None, FETCH, house, NOON)
    assert history[1:] == [assigned("post").model_copy(update={"kind": "return"})]
    assert stand(history).status == "assigned"


def test_it_is_fetched_in_the_window_that_suits() -> None:
    fetch = between(at(60), at(120))
    assert stand(schedule_pickup(None, fetch, HOUSE, NOON)).slot == slot(at(60), at(120))


def test_when_the_window_is_over_a_person_finds_another_one() -> None:
    history = schedule_pickup(None, between(at(60), at(120)), HOUSE, at(120))
    assert [type(event) for event in history] == [DeliveryRequested]
    assert stand(history).status == "pending"
    history += reschedule(stand(history), slot(at(200), at(260)), at(121), "post")
    found = stand(history)
    assert (found.status, found.kind, found.origin, found.items) == (
        "assigned",
        "return",
        VADUZ,
        MUG,
    )


def test_it_leads_to_no_warehouse_that_there_is_not() -> None:
    with pytest.raises(Refused) as refused:
        schedule_pickup(None, FETCH, None, NOON)
    assert refused.value.code == "unknown_warehouse"


@pytest.mark.parametrize("status", ["en_route", "arrived", "attempt_failed"])
def test_whoever_is_on_the_way_to_the_door_has_no_goods(status: Scan) -> None:
    history = fetched(said(status, 5))
    assert scan(status, 5) in history
    assert not stand(history).picked_up
    assert stand(history).heads_for == VADUZ


def test_it_is_fetched_at_the_door_and_delivered_at_the_warehouse() -> None:
    history = fetched(
        said("en_route", 1),
        said("arrived", 2),
        said("picked_up", 3),
        said("en_route", 4),
        said("delivered", 9),
    )
    assert history[1:] == [
        scan("en_route", 1),
        scan("arrived", 2),
        DeliveryPickedUp(**BACK, at=at(3)),
        scan("picked_up", 3),
        scan("en_route", 4),
        scan("delivered", 9),
        DeliveryDelivered(**BACK, at=at(9)),
    ]
    on_its_way = stand(history[:-2])
    assert on_its_way.heads_for == on_its_way.destination


def test_what_is_delivered_was_fetched() -> None:
    assert fetched(said("delivered", 9))[1:] == [
        DeliveryPickedUp(**BACK, at=at(9)),
        scan("delivered", 9),
        DeliveryDelivered(**BACK, at=at(9)),
    ]


def test_when_nobody_is_at_home_the_carrier_comes_again_or_gives_up() -> None:
    failed = fetched(said("attempt_failed", 5))
    (again,) = retry(stand(failed), Redelivery(), at(10), ZoneInfo("UTC"))
    assert stand([*failed, again]).status == "rescheduled"
    given_up = lived(said("returned_to_sender", 60), begins=failed)
    assert given_up[-1] == DeliveryReturned(**BACK, at=at(60))
    assert DeliveryPickedUp not in map(type, given_up)


@pytest.mark.parametrize(
    ("history", "off"),
    [
        (FETCHING, True),
        (fetched(said("en_route", 1)), True),
        (fetched(said("attempt_failed", 1)), True),
        (fetched(said("picked_up", 1)), False),
        (fetched(said("delivered", 1)), False),
    ],
)
def test_it_is_called_off_until_the_carrier_has_the_goods(
    history: list[DeliveryEvent], off: bool
) -> None:
    call_off = CANCEL.model_copy(update={"kind": "return"})
    expected = [DeliveryCancelled(**BACK)] if off else []
    assert cancel(stand(history), call_off) == expected


def test_what_was_called_off_first_is_never_fetched() -> None:
    found: Delivery | None = replay(cancel(None, CANCEL.model_copy(update={"kind": "return"})))
    assert schedule_pickup(found, FETCH, HOUSE, NOON) == []
