"""How far an order is, as its buyer is told: in words, in steps, and on a map."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import chain, groupby
from math import atan2, cos, degrees, hypot, radians
from typing import Literal, NamedTuple

from bus.messages import Document
from delivery.contract import Checkpoint, DeliveryDocument, Proof, Scan, Status
from ordering.contract import OrderDocument
from shop.tracking.place import Place
from shop.tracking.watch import State

Point = tuple[float, float]
"""Degrees, lon before lat."""

Hours = tuple[datetime, datetime]

Mood = Literal["waiting", "moving", "done", "trouble"]


class Words(NamedTuple):
    """What is said of a state."""

    headline: str
    detail: str
    mood: Mood


OF_ORDERS: Mapping[str, Words] = {
    "pending": Words("Order received", "It is waiting for its payment.", "waiting"),
    "confirmed": Words("Order confirmed", "We are getting it ready for you.", "waiting"),
    "completed": Words("Delivered", "Your order is complete.", "done"),
    "rejected": Words("Order not accepted", "Not everything in it was to be had.", "trouble"),
    "expired": Words("Order expired", "It was not paid for in time.", "trouble"),
    "cancelling": Words("Being cancelled", "Nothing will be brought to you.", "trouble"),
    "cancelled": Words("Order cancelled", "Nothing will be brought to you.", "trouble"),
}

OF_DELIVERIES: Mapping[Status, Words] = {
    "pending": Words("Getting ready", "We are arranging how it comes to you.", "waiting"),
    "scheduled": Words("Getting ready", "Your order is being packed.", "waiting"),
    "assigned": Words("Getting ready", "A driver is coming to fetch it from us.", "waiting"),
    "picked_up": Words("Picked up", "The driver has your order.", "moving"),
    "en_route": Words("On its way", "The driver is on the road to you.", "moving"),
    "arrived": Words("At your door", "The driver is there.", "moving"),
    "delivered": Words("Delivered", "Your order has been handed over.", "done"),
    "attempt_failed": Words("We missed you", "Nobody could take it. We will try again.", "trouble"),
    "rescheduled": Words("We are coming again", "Another attempt is planned.", "waiting"),
    "returned_to_sender": Words("Sent back", "Your order is back with us.", "trouble"),
    "cancelled": Words("Delivery cancelled", "Nothing will be brought to you.", "trouble"),
}

CALLED_OFF = ("rejected", "expired", "cancelling", "cancelled")
"""What an order is when it matters no more how its deliveries are."""

STEPS: Mapping[Scan, str] = {
    "picked_up": "Picked up",
    "en_route": "On its way",
    "arrived": "At your door",
    "attempt_failed": "Nobody could take it",
    "delivered": "Delivered",
    "returned_to_sender": "Sent back",
}

TO_COME: Mapping[Status, Sequence[Scan]] = {
    "pending": ("picked_up", "en_route", "delivered"),
    "scheduled": ("picked_up", "en_route", "delivered"),
    "assigned": ("picked_up", "en_route", "delivered"),
    "picked_up": ("en_route", "delivered"),
    "en_route": ("delivered",),
    "arrived": ("delivered",),
    "attempt_failed": ("delivered",),
    "rescheduled": ("delivered",),
}
"""The steps that are still ahead; of the other states, none."""

DEGREE_M = 111_195
"""Metres in a degree of latitude."""

BIT_M = 15
"""Metres that a van has to move before anybody can say where to."""

SEEN_ON_THE_MAP = ("picked_up", "en_route", "arrived")


class Step(NamedTuple):
    """One step of the way."""

    label: str
    at: datetime | None
    state: Literal["done", "now", "ahead"]


class Scene(NamedTuple):
    """What a map shows: the van, where it was and heads, the way before it, and the door."""

    van: Point
    heading: float | None
    """Degrees clockwise from north."""
    trail: tuple[Point, ...]
    route: tuple[Point, ...]
    door: Point | None
    distance_m: int | None


class Parcel(NamedTuple):
    """One delivery of the order."""

    words: Words
    steps: tuple[Step, ...]
    eta: datetime | None = None
    late: bool = False
    """Whether it is on the road, and should have been there already."""
    distance_m: int | None = None
    seen_at: datetime | None = None
    scene: Scene | None = None
    slot: Hours | None = None
    to: str = ""
    carrier: str = ""
    tracking_number: str = ""
    proof: Proof | None = None
    note: str = ""


class Progress(NamedTuple):
    """An order and its parcels; nothing of it says what it costs, or who buys."""

    order_id: str
    words: Words
    parcels: tuple[Parcel, ...]
    updated_at: datetime


class Snapshot(NamedTuple):
    """An order and those of its deliveries that there are, at one moment."""

    state: State
    deliveries: Mapping[str, Document]

    @property
    def tag(self) -> str:
        """What tells it from every other moment of the order."""
        tags = {delivery_id: told.tag for delivery_id, told in self.deliveries.items()}
        return Place(self.state.version, tags).id(self.state.deliveries)


def progress(now: Snapshot) -> Progress:
    """What the buyer is told."""
    order = OrderDocument.model_validate_json(now.state.body)
    known = {
        delivery_id: DeliveryDocument.model_validate_json(told.body)
        for delivery_id, told in now.deliveries.items()
    }
    parcels = tuple(_parcel(order, known.get(each)) for each in now.state.deliveries)
    scans = [scan.at for delivery in known.values() for scan in delivery.checkpoints]
    return Progress(
        order_id=order.order_id,
        words=_said_of_all(order, parcels),
        parcels=() if order.status in CALLED_OFF else parcels,
        updated_at=max([order.updated_at, *scans]),
    )


def _said_of_all(order: OrderDocument, parcels: Sequence[Parcel]) -> Words:
    if order.status in CALLED_OFF:
        return OF_ORDERS[order.status]
    if len(parcels) == 1:
        return parcels[0].words
    arrived = sum(parcel.words.mood == "done" for parcel in parcels)
    if arrived == len(parcels):
        return OF_ORDERS["completed"]
    detail = f"Your order comes in {len(parcels)} parcels; {arrived or 'none'} of them delivered."
    if any(parcel.words.mood == "moving" for parcel in parcels):
        return Words("On its way", detail, "moving")
    to_come = (parcel.words for parcel in parcels if parcel.words.mood == "waiting")
    trouble = (parcel.words for parcel in parcels if parcel.words.mood == "trouble")
    return next(chain(to_come, trouble))._replace(detail=detail)


def _parcel(order: OrderDocument, delivery: DeliveryDocument | None) -> Parcel:
    if delivery is None:
        words = OF_ORDERS[order.status]
        return Parcel(words, _steps(order, words, (), "scheduled"), slot=_slot(order, delivery))
    words = OF_DELIVERIES[delivery.status]
    seen = delivery.position
    last = delivery.checkpoints[-1] if delivery.checkpoints else None
    told = last if last and last.status in ("delivered", "attempt_failed") else None
    return Parcel(
        words=words,
        steps=_steps(order, words, delivery.checkpoints, delivery.status),
        eta=delivery.eta,
        late=delivery.distance_remaining_m is not None and delivery.eta is None,
        distance_m=delivery.distance_remaining_m,
        seen_at=seen.at if seen else None,
        scene=_scene(delivery),
        slot=_slot(order, delivery),
        to=_whereabouts(delivery),
        carrier=delivery.carrier,
        tracking_number=delivery.tracking_number,
        proof=told.proof if told else None,
        note=(told.note or "") if told else "",
    )


def _slot(order: OrderDocument, delivery: DeliveryDocument | None) -> Hours | None:
    slot = (delivery and delivery.slot) or order.slot
    return (slot.from_, slot.to) if slot else None


def _whereabouts(delivery: DeliveryDocument) -> str:
    """Where it goes to, as far as its buyer needs telling: a link may be passed on."""
    to = delivery.destination
    return f"{to.road}, {to.district}" if to else ""


def _steps(
    order: OrderDocument, words: Words, scans: Iterable[Checkpoint], status: Status
) -> tuple[Step, ...]:
    """What has happened, the latest of it now, and what is still ahead."""
    happened: list[tuple[str, datetime | None]] = [("Ordered", order.placed_at)]
    for said, told in groupby(scans, key=lambda scan: scan.status):
        happened.append((STEPS[said], next(told).at))
    ahead = TO_COME.get(status, ())
    if status in ("pending", "scheduled", "assigned", "rescheduled"):
        happened.append((words.headline, None))
    done = [Step(label, at, "done") for label, at in happened]
    if ahead:
        done[-1] = done[-1]._replace(state="now")
    return (*done, *(Step(STEPS[each], None, "ahead") for each in ahead))


def _scene(delivery: DeliveryDocument) -> Scene | None:
    seen = delivery.position
    if seen is None or delivery.status not in SEEN_ON_THE_MAP:
        return None
    sightings = [scan.position for scan in delivery.checkpoints if scan.position is not None]
    trail = tuple((each.lon, each.lat) for each in sightings)
    route = delivery.route.coordinates if delivery.route else ()
    at = delivery.destination.position if delivery.destination else None
    door = route[-1] if route else (at.lon, at.lat) if at else None
    return Scene(
        van=(seen.lon, seen.lat),
        heading=_heading(route, trail),
        trail=trail,
        route=route,
        door=door,
        distance_m=delivery.distance_remaining_m,
    )


def _heading(route: Sequence[Point], trail: Sequence[Point]) -> float | None:
    """Where it drives: along the first bit of its way, else as it last moved."""
    ahead, behind = _bearing(route), _bearing(trail[::-1])
    if ahead is None and behind is not None:
        return (behind + 180) % 360
    return ahead


def _bearing(line: Sequence[Point]) -> float | None:
    """Degrees clockwise from north to the first point that is a bit away from where a line
    begins."""
    for lon, lat in line[1:]:
        east = (lon - line[0][0]) * cos(radians(lat)) * DEGREE_M
        north = (lat - line[0][1]) * DEGREE_M
        if hypot(east, north) >= BIT_M:
            return degrees(atan2(east, north)) % 360
    return None
