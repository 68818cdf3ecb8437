"""`shop warehouses` and `shop deliveries`, as they are typed."""

import json
from typing import Any

import pytest

from bus.messages import Address, Position, Refused
from delivery import admin, deliveries_admin
from delivery.commands import RecordCheckpoint
from delivery.contract import Packed, ScheduleDelivery
from tests.delivery.desk import Running, Typed, prints

LAGER = [
    "add", "schaan", "--name", "Lager", "--road", "Im alten Riet", "--house-number", "9",
    "--district", "Schaan", "--postcode", "9494", "--country", "li",
]  # fmt: skip


@pytest.fixture
def warehouses(running: Running) -> Typed:
    """What `shop warehouses` prints."""
    return prints(admin.warehouses, running)


@pytest.fixture
def deliveries(running: Running) -> Typed:
    """What `shop deliveries` prints."""
    return prints(deliveries_admin.commands, running)


def test_a_warehouse_is_added_in_the_middle_of_its_town(warehouses: Typed) -> None:
    assert "Im alten Riet 9, 9494 Schaan LI" in warehouses(*LAGER)
    (line,) = warehouses("list", "--json").splitlines()
    told = json.loads(line)
    assert (told["warehouse_id"], told["name"]) == ("schaan", "Lager")
    assert told["address"]["country"] == "LI"
    assert told["position"]["lat"] == pytest.approx(47.165, abs=0.01)


def test_a_warehouse_is_added_where_its_position_says(warehouses: Typed) -> None:
    told = json.loads(warehouses(*LAGER, "--position", "-33.9,18.4", "--json"))
    assert told["position"] == {"lat": -33.9, "lon": 18.4}


def test_a_warehouse_goes_by_the_clocks_that_it_is_given(warehouses: Typed) -> None:
    assert "Europe/Vaduz" in warehouses(*LAGER, "--time-zone", "Europe/Vaduz")
    told = json.loads(warehouses("time-zone", "schaan", "Europe/Zurich", "--json"))
    assert told["time_zone"] == "Europe/Zurich"
    assert "Europe/Zurich" in warehouses("list")
    assert "no IANA time zone" in warehouses("time-zone", "schaan", "CET-ish", code=2)
    with pytest.raises(Refused, match="there is no warehouse vaduz; there are schaan"):
        warehouses("time-zone", "vaduz", "UTC")


def test_a_warehouse_is_given_to_a_carrier(warehouses: Typed) -> None:
    assert "post" in warehouses(*LAGER, "--carrier", "post")
    assert json.loads(warehouses("carrier", "schaan", "vans", "--json"))["carrier"] == "vans"
    assert "vans" in warehouses("list")
    assert "carrier" not in json.loads(warehouses("carrier", "schaan", "--json"))
    assert "carrier" in warehouses("carrier", "schaan", "the post", code=2)


def test_a_warehouse_on_no_map_is_refused(warehouses: Typed) -> None:
    with pytest.raises(Refused) as refused:
        warehouses(*LAGER, "--district", "Nowhere")
    assert refused.value.code == "unknown_address"
    assert warehouses("list", "--json") == ""


@pytest.mark.parametrize(
    ("option", "value", "complaint"),
    [
        ("--position", "here", "here is no position"),
        ("--position", "47.1", "47.1 is no position"),
        ("--position", "91,0", "91,0 is no position"),
        ("--position", "nan,0", "nan,0 is no position"),
        ("--country", "Liechtenstein", "country"),
        ("--road", "", "road"),
        ("--name", " ", "name"),
        ("--time-zone", "Europe/Vadutz", "Europe/Vadutz is no IANA time zone"),
    ],
)
def test_a_wrong_option_is_named(
    warehouses: Typed, option: str, value: str, complaint: str
) -> None:
    assert complaint in warehouses(*LAGER, option, value, code=2)


def test_a_delivery_is_listed_and_shown(running: Running, deliveries: Typed) -> None:
    vaduz = Address(house_number="1", road="Weg", district="Vaduz", postcode="9490", country="LI")
    whose: Any = {"delivery_id": "d1", "reference": "o1"}
    items = (Packed(sku="MUG", quantity=2), Packed(sku="BOWL", quantity=1))
    order = ScheduleDelivery(**whose, warehouse_id="schaan", destination=vaduz, items=items)
    running.run(running.bus.send(order))
    scan = RecordCheckpoint(
        delivery_id="d1", status="en_route", position=Position(lat=47.2, lon=9.5), note="[van] 7"
    )
    done = running.run(running.bus.send(scan))
    home = running.platform.contexts["delivery"]
    assert running.run(home.seen(home.views[0], done.position))

    (header, line) = deliveries("list").splitlines()
    assert header.split() == ["delivery", "id", "order", "id", "kind", "status", "carrier",
                              "when", "tracking", "number", "to"]  # fmt: skip
    assert line.split()[:4] == ["d1", "o1", "delivery", "en_route"]
    assert line.endswith("Vaduz LI")
    assert json.loads(deliveries("list", "--status", "en_route", "--json"))["order_id"] == "o1"
    assert deliveries("list", "--status", "delivered", "--json") == ""

    told = json.loads(deliveries("show", "d1", "--json"))
    assert told["checkpoints"][0]["note"] == "[van] 7"
    assert told["distance_remaining_m"] == pytest.approx(8_700, abs=200)
    shown = deliveries("show", "d1")
    assert "Weg 1, 9490 Vaduz LI" in shown
    assert "2 x MUG, 1 x BOWL" in shown
    assert "en_route ([van] 7)" in shown


@pytest.mark.parametrize(
    "command",
    [
        ("show", "d1"),
        ("assign", "d1", "--carrier", "post"),
        ("reschedule", "d1", "--from", "2030-01-01T08:00Z", "--to", "2030-01-01T10:00Z"),
        ("reschedule", "d1", "--slot", "schaan:2030-01-01:0800-1000"),
        ("checkpoint", "d1", "delivered"),
    ],
)
def test_an_unknown_delivery_is_refused(deliveries: Typed, command: tuple[str, ...]) -> None:
    with pytest.raises(Refused) as refused:
        deliveries(*command)
    assert refused.value.code == "unknown_delivery"


def test_a_delivery_is_given_to_a_carrier_moved_and_spoken_for(
    running: Running, warehouses: Typed, deliveries: Typed
) -> None:
    warehouses(*LAGER, "--carrier", "post", "--time-zone", "Europe/Vaduz")
    vaduz = Address(house_number="1", road="Weg", district="Vaduz", postcode="9490", country="LI")
    for id in ("d1", "d2"):
        order = ScheduleDelivery(
            delivery_id=id, reference=f"o-{id}", warehouse_id="schaan", destination=vaduz
        )
        running.run(running.bus.send(order))

    def listed(*filters: str) -> list[str]:
        lines = deliveries("list", "--json", *filters).splitlines()
        return [json.loads(line)["delivery_id"] for line in lines]

    assert "vans" in deliveries("assign", "d1", "--carrier", "vans")
    moved = deliveries(
        "reschedule", "d1", "--from", "2030-01-01T23:30Z", "--to", "2030-01-02T01:00Z"
    )
    assert "2030-01-01T23:30:00Z - 2030-01-02T01:00:00Z (agreed)" in moved
    assert listed("--carrier", "vans") == ["d1"]
    assert listed("--carrier", "post") == ["d2"]
    assert listed("--date", "2030-01-02", "--warehouse", "schaan") == ["d1"]
    assert listed("--date", "2030-01-01") == []
    assert "2030-01-01T23:30:00Z" in deliveries("list", "--slot", "agreed")

    told = deliveries(
        "checkpoint", "d1", "delivered", "--at", "2026-11-23T12:00Z",
        "--note", "at number 14", "--received-by", "A. Neighbour",
    )  # fmt: skip
    assert "2026-11-23T12:00:00Z delivered, received by A. Neighbour (at number 14)" in told
    assert listed("--open") == ["d2"]
    assert listed("--ended") == ["d1"]
    with pytest.raises(Refused) as refused:
        deliveries("assign", "d1", "--carrier", "post")
    assert refused.value.code == "delivery_ended"


@pytest.mark.parametrize(
    "arguments",
    [
        ("list", "--status", "lost"),
        ("list", "--limit", "0"),
        ("list", "--date", "tomorrow"),
        ("list", "--carrier", "the post"),
        ("assign", "d1", "--carrier", "the post"),
        ("reschedule", "d1"),
        ("reschedule", "d1", "--from", "2030-01-01T08:00Z"),
        ("reschedule", "d1", "--from", "2030-01-01T08:00Z", "--to", "2030-01-01T08:00Z"),
        ("reschedule", "d1", "--from", "2030-01-01T08:00Z", "--to", "2030-02-01T08:00Z"),
        ("checkpoint", "d1", "lost"),
        ("checkpoint", "d1", "arrived", "--received-by", "A. Neighbour"),
    ],
)
def test_what_nobody_can_mean_is_a_usage_error(
    deliveries: Typed, arguments: tuple[str, ...]
) -> None:
    assert deliveries(*arguments, code=2)
