"""Histories of warehouses, timetables and slots, to be written down as golden streams."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from bus.messages import Address, Event, Position
from delivery.contract import DeliveryScheduled, Slot
from delivery.slot import SlotBooked, SlotFreed, SlotHeld
from delivery.timetable import DayClosed, DayOpened, WindowDropped, WindowSet
from delivery.warehouse import CarrierSet, TimeZoneSet, WarehouseOpened
from delivery.zone import ZoneDrawn, ZoneErased
from ordering.order import OrderRejected
from tests.ordering import histories as ordering

MONDAY = datetime(2026, 11, 30, 8, tzinfo=UTC)
ID = "vaduz:2026-11-30:0900-1200"
SLOT = Slot.model_validate({"slot_id": ID, "from": MONDAY, "to": MONDAY + timedelta(hours=3)})

VADUZ = Address(
    house_number="12", road="Äulestrasse", district="Vaduz", postcode="9490", country="LI"
)
OPENED = WarehouseOpened(
    warehouse_id="vaduz",
    name="Vaduz",
    address=VADUZ,
    position=Position(lat=47.1415, lon=9.5215),
)

AREA = '{"type":"Polygon","coordinates":[[[9.5,47.1],[9.6,47.1],[9.6,47.2],[9.5,47.1]]]}'
TOWN = ZoneDrawn(
    zone_id="town", warehouse_id="vaduz", name="Town", area=AREA, priority=2, tariff="hills"
)
RING = ZoneDrawn(zone_id="ring", warehouse_id="vaduz", name="Half an hour", within_s=1800)
ZONES: Mapping[str, Sequence[Event]] = {
    "drawn": [TOWN, RING],
    "drawn_again_and_erased": [
        TOWN,
        RING,
        TOWN.model_copy(update={"priority": 0}),
        ZoneErased(zone_id="ring"),
    ],
}


def held(reference: str) -> SlotHeld:
    return SlotHeld(
        reference=reference,
        warehouse_id="vaduz",
        slot=SLOT,
        capacity=2,
        until=MONDAY - timedelta(days=1),
    )


WEEK = WindowSet(warehouse_id="vaduz", days=("mon", "tue"), start="09:00", end="12:00", capacity=20)
HILLS = WindowSet(
    warehouse_id="vaduz", zone_id="hills", days=("sat",), start="18:00", end="24:00", capacity=2
)
IN_SLOT = ordering.PLACED.model_copy(update={"slot": ordering.SLOT})

WAREHOUSES: Mapping[str, Sequence[Event]] = {
    "opened": [OPENED],
    "opened_by_its_own_clocks": [
        OPENED.model_copy(update={"time_zone": "Europe/Vaduz", "carrier": "post"}),
        TimeZoneSet(warehouse_id="vaduz", time_zone="Europe/Zurich"),
    ],
    "given_to_a_carrier": [
        OPENED,
        CarrierSet(warehouse_id="vaduz", carrier="post"),
    ],
    "given_to_whoever_comes": [
        OPENED.model_copy(update={"carrier": "post"}),
        CarrierSet(warehouse_id="vaduz"),
    ],
}

TIMETABLES: Mapping[str, Sequence[Event]] = {
    "set": [WEEK, HILLS],
    "dropped": [
        WEEK,
        HILLS,
        WindowDropped(warehouse_id="vaduz", days=("tue",), start="09:00", end="12:00"),
        WindowDropped(
            warehouse_id="vaduz", zone_id="hills", days=("sat",), start="18:00", end="24:00"
        ),
    ],
    "closed": [
        WEEK,
        DayClosed(warehouse_id="vaduz", day="2026-12-25", reason="Christmas"),
        DayClosed(warehouse_id="vaduz", day="2026-12-24", reason="Christmas Eve"),
        DayOpened(warehouse_id="vaduz", day="2026-12-24"),
    ],
}

SLOTS: Mapping[str, Sequence[Event]] = {
    "held": [held("ord_1"), held("ord_2")],
    "booked": [held("ord_1"), held("ord_2"), SlotBooked(slot_id=ID, reference="ord_1")],
    "freed": [
        held("ord_1"),
        held("ord_2"),
        SlotBooked(slot_id=ID, reference="ord_1"),
        SlotFreed(slot_id=ID, reference="ord_1"),
        SlotFreed(slot_id=ID, reference="ord_2"),
    ],
}

DELIVERIES: Mapping[str, Sequence[Event]] = {
    "scheduled_without_its_slot": [
        DeliveryScheduled(
            delivery_id="dlv_1",
            reference="ord_1",
            warehouse_id="vaduz",
            destination=VADUZ,
            carrier="house",
            tracking_number="7K3M-9QXT-4B2W-H",
            slot_lost=ID,
        )
    ],
}

ORDERS: Mapping[str, Sequence[Event]] = {
    "turned_down_in_a_slot": [
        IN_SLOT,
        OrderRejected(order_id="ord_1", reason="out_of_stock", slot_id="s1", at=ordering.NOW),
    ],
    "late_in_a_slot": [
        IN_SLOT,
        ordering.requested(),
        ordering.EXPIRED.model_copy(update={"slot_id": "s1"}),
    ],
    "cancelling_in_a_slot": [
        IN_SLOT,
        ordering.calling_off().model_copy(update={"slot_id": "s1"}),
    ],
}
