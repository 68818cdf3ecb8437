"""A day's tours: which deliveries a van brings together, in which order, and when it is at each
door."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Literal, NamedTuple

from pydantic import Field

from bus.messages import Address, Id, Model, Position, Query, Window
from delivery.clock import moment
from delivery.commands import Day, Warehouse
from delivery.contract import DeliveryKind, Line, Status
from delivery.delivery import Delivery
from delivery.slot import SlotTerms
from delivery.solver import shortest
from delivery.warehouse import Warehouses
from maps.contract import Leg, Place

TO_BRING: tuple[Status, ...] = ("scheduled", "assigned", "rescheduled")
"""What a van still has to drive for: goods to bring, and returns to fetch."""

SERVICE = timedelta(minutes=3)
"""How long a van stands at a door."""

MOST_STOPS = 200
"""Stops of a tour. No van has more in a day."""

SETS_OUT = "08:00"
"""When a van sets out with what may come at any time."""

LeftOut = Literal["unknown_warehouse", "unknown_address", "no_road", "too_many_stops"]
"""Why a delivery is in no tour."""


class Stop(Model):
    """A door on the way: when the van is there, and how far it is from the stop before (m).
    `precision` says how well maps knows the door, `in_time` whether the window is still open."""

    number: int
    delivery_id: str
    order_id: str
    kind: DeliveryKind
    address: Address
    position: Position
    precision: str
    arrival: datetime
    distance_m: int
    in_time: bool | None = None


class Omitted(Model):
    """A delivery that is in no tour, and why."""

    delivery_id: str
    order_id: str
    address: Address
    why: LeftOut


class PlannedTour(Model):
    """A round trip from a warehouse through the doors of a window (none: of what may come at any
    time), with the goods of one carrier. Metres and seconds are those of the road."""

    warehouse_id: str
    carrier: str
    time_zone: str
    window: Window | None = None
    departs: datetime
    returns: datetime
    distance_m: int = 0
    duration_s: int = 0
    stops: tuple[Stop, ...] = ()
    left_out: tuple[Omitted, ...] = ()
    line: Line | None = None

    @property
    def in_time(self) -> bool:
        """Whether the van is at every door while the window is open."""
        return all(stop.in_time is not False for stop in self.stops)


class PlanDay(Query[tuple[PlannedTour, ...]], name="delivery.PlanDay"):
    """In which order are the deliveries of a day best brought? Those whose window begins on that
    day, by the clocks at their warehouse, and those that have none and are still to be brought.

    Refused with `unknown_warehouse`, or `too_many_deliveries`.
    """

    date: Day
    warehouse_id: Id | None = None
    min_position: int = Field(default=0, ge=0)


class Visit(NamedTuple):
    """A delivery, and the door that a van has to come to for it."""

    delivery: Delivery
    door: Address


@dataclass(frozen=True, slots=True)
class Load:
    """What a van brings on one tour, first come first."""

    warehouse_id: str
    warehouse: Warehouse | None
    carrier: str
    window: Window | None
    time_zone: str
    departs: datetime
    visits: tuple[Visit, ...]
    left_out: tuple[Omitted, ...] = ()


def loads(
    day: date, deliveries: Iterable[Delivery], warehouses: Warehouses, terms: SlotTerms
) -> list[Load]:
    """The deliveries as they go together: of one warehouse, one carrier and one window; those that
    may come at any time last."""
    together: dict[tuple[str, str, Window | None], list[Visit]] = {}
    for each in deliveries:
        window = window_of(each)
        if door := each.heads_for:
            whose = (each.warehouse_id or "", each.carrier, window)
            together.setdefault(whose, []).append(Visit(each, door))
    found = []
    for (warehouse_id, carrier, window), visits in together.items():
        warehouse = warehouses.get(warehouse_id)
        zone = terms.zone_of(warehouse)
        departs = window.from_ if window else moment(day, SETS_OUT, zone)
        load = Load(warehouse_id, warehouse, carrier, window, zone.key, departs, tuple(visits))
        found.append(_fitting(load))
    return sorted(found, key=lambda it: (it.warehouse_id, not it.window, it.departs, it.carrier))


def window_of(delivery: Delivery) -> Window | None:
    """When it is to come; `None`: at any time."""
    slot = delivery.slot
    return Window.model_validate({"from": slot.from_, "to": slot.to}) if slot else None


def _fitting(load: Load) -> Load:
    """No more than a van can bring; nothing from a warehouse that is not there."""
    if load.warehouse is None:
        return leave_out(load, load.visits, "unknown_warehouse")
    return leave_out(load, load.visits[MOST_STOPS:], "too_many_stops")


def leave_out(load: Load, those: Sequence[Visit], why: LeftOut) -> Load:
    """The load without these, which are told of."""
    omitted = tuple(
        Omitted(
            delivery_id=each.delivery.delivery_id,
            order_id=each.delivery.reference,
            address=each.door,
            why=why,
        )
        for each in those
    )
    ids = {each.delivery_id for each in omitted}
    left = tuple(each for each in load.visits if each.delivery.delivery_id not in ids)
    return replace(load, visits=left, left_out=load.left_out + omitted)


def planned(
    load: Load, places: Sequence[Place], legs: Sequence[Sequence[Leg | None]]
) -> PlannedTour:
    """The tour through these doors, as the ways lead between the warehouse (first) and them."""
    tour = shortest([[leg.duration_s if leg else None for leg in row] for row in legs])
    rest = leave_out(load, [load.visits[stop - 1] for stop in tour.unreached], "no_road")
    stops: list[Stop] = []
    here, clock, driven = 0, load.departs, 0
    for stop in tour.stops:
        distance_m, duration_s = _way(legs, here, stop)
        clock += timedelta(seconds=duration_s)
        stops.append(_stop(load, stop, places[stop - 1], len(stops) + 1, clock, distance_m))
        here, clock, driven = stop, clock + SERVICE, driven + distance_m
    distance_m, duration_s = _way(legs, here, 0)
    return PlannedTour(
        warehouse_id=load.warehouse_id,
        carrier=load.carrier,
        time_zone=load.time_zone,
        window=load.window,
        departs=load.departs,
        returns=clock + timedelta(seconds=duration_s),
        distance_m=driven + distance_m,
        duration_s=tour.seconds,
        stops=tuple(stops),
        left_out=rest.left_out,
    )


def _stop(
    load: Load, stop: int, place: Place, number: int, arrival: datetime, distance_m: int
) -> Stop:
    delivery, door = load.visits[stop - 1]
    return Stop(
        number=number,
        delivery_id=delivery.delivery_id,
        order_id=delivery.reference,
        kind=delivery.kind,
        address=door,
        position=place.position,
        precision=place.precision,
        arrival=arrival,
        distance_m=distance_m,
        in_time=arrival <= load.window.to if load.window else None,
    )


def _way(legs: Sequence[Sequence[Leg | None]], start: int, end: int) -> tuple[int, int]:
    """Metres and seconds from one place to another; by the warehouse if no other way is known."""
    if start == end:
        return 0, 0
    if leg := legs[start][end]:
        return leg.distance_m, leg.duration_s
    home, out = _way(legs, start, 0), _way(legs, 0, end)
    return home[0] + out[0], home[1] + out[1]
