"""Warehouses are opened once, and goods set out from the nearest one by road."""

from collections.abc import Sequence

import pytest

from bus.messages import Address, Money, NotFound, Position, Refused
from delivery.commands import Warehouse
from delivery.quote import open_warehouses, quote
from delivery.tariff import Tariffs
from delivery.warehouse import (
    WarehouseEvent,
    WarehouseOpened,
    Warehouses,
    add,
    carrier_of,
    evolve,
    set_carrier,
)
from maps.contract import Leg

SCHAAN = Address(
    house_number="9", road="Im alten Riet", district="Schaan", postcode="9494", country="LI"
)


def warehouse(warehouse_id: str, name: str = "Lager") -> Warehouse:
    position = Position(lat=47.17, lon=9.51)
    return Warehouse(warehouse_id=warehouse_id, name=name, address=SCHAAN, position=position)


def opened(warehouse: Warehouse) -> WarehouseOpened:
    return WarehouseOpened(**{name: getattr(warehouse, name) for name in Warehouse.model_fields})


def replay(history: Sequence[WarehouseEvent]) -> Warehouses | None:
    warehouses = None
    for event in history:
        warehouses = evolve(warehouses, event)
    return warehouses


def leg(distance_m: int) -> Leg:
    return Leg(distance_m=distance_m, duration_s=distance_m // 10, source="test")


EUR_10 = Money(amount=10_00, currency="EUR")


def test_a_warehouse_is_opened_once() -> None:
    assert add(None, warehouse("a")) == [opened(warehouse("a"))]
    assert add(replay([opened(warehouse("a"))]), warehouse("a")) == []


def test_two_warehouses_cannot_have_one_id() -> None:
    with pytest.raises(Refused, match="a is the id of Lager already") as refused:
        add(replay([opened(warehouse("a"))]), warehouse("a", "Another"))
    assert refused.value.code == "warehouse_exists"


def test_a_warehouse_is_given_to_a_carrier_and_taken_back() -> None:
    history: list[WarehouseEvent] = [opened(warehouse("a"))]
    assert carrier_of(replay(history), "a") is None
    history += set_carrier(replay(history), "a", "post")
    assert carrier_of(replay(history), "a") == "post"
    assert set_carrier(replay(history), "a", "post") == []
    history += set_carrier(replay(history), "a", None)
    assert carrier_of(replay(history), "a") is None
    assert carrier_of(replay(history), "b") is None
    with pytest.raises(NotFound, match="there is no warehouse b; there are a"):
        set_carrier(replay(history), "b", "post")


def test_every_warehouse_that_was_opened_is_known() -> None:
    a, b = warehouse("a"), warehouse("b")
    assert open_warehouses(replay([opened(b), opened(a)])) == (b, a)


def test_without_a_warehouse_nothing_is_delivered() -> None:
    with pytest.raises(Refused) as refused:
        open_warehouses(None)
    assert refused.value.code == "no_warehouse"


def test_goods_set_out_from_the_nearest_warehouse_by_road() -> None:
    there = [warehouse("far"), warehouse("cut_off"), warehouse("near")]
    found = quote(there, [leg(90_000), None, leg(31_000)], EUR_10, Tariffs())
    assert (found.warehouse_id, found.distance_m, found.duration_s) == ("near", 31_000, 3_100)
    assert found.cost == Money(amount=65_00, currency="EUR")
    assert found.slots == ()


def test_of_warehouses_as_near_the_same_one_is_always_chosen() -> None:
    a, b = warehouse("a"), warehouse("b")
    chosen = {
        quote(order, [leg(5), leg(5)], EUR_10, Tariffs()).warehouse_id for order in ([a, b], [b, a])
    }
    assert chosen == {"a"}


def test_where_no_road_leads_nothing_is_delivered() -> None:
    with pytest.raises(Refused) as refused:
        quote([warehouse("a")], [None], EUR_10, Tariffs())
    assert refused.value.code == "unreachable"
