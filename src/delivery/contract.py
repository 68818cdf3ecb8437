"""What delivery says to others: what it costs to bring goods, and where they are on the way. They
belong to a `reference`; what that is (an order), delivery does not know."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from bus.messages import (
    ERASED,
    Address,
    Command,
    Document,
    Event,
    Id,
    Model,
    Money,
    Personal,
    PersonalAddress,
    PersonalText,
    Position,
    Query,
    Text,
    Window,
)

Scan = Literal[
    "picked_up", "en_route", "arrived", "attempt_failed", "delivered", "returned_to_sender"
]
"""What a carrier says of a delivery, in the order in which it goes."""

Status = Literal["pending", "scheduled", "assigned", Scan, "rescheduled", "cancelled"]
"""`pending`: asked for, but nothing is arranged; `assigned`: a carrier has it, but not the goods
yet; `rescheduled`: an attempt has failed, and there is to be another one."""

DeliveryKind = Literal["delivery", "return"]
"""From a warehouse to a buyer's door, or from there back to a warehouse."""


class Slot(Model):
    """A window of time in which goods can be brought."""

    slot_id: Id
    from_: datetime = Field(alias="from")
    to: datetime


class DeliveryQuote(Model):
    """What it costs to bring the goods, from where, and how far (m) and long (s) it is by road.
    `warehouses` are all from which a road leads there, nearest first; `slots` those that have a
    place left, if they were asked for."""

    cost: Money
    warehouse_id: str
    zone_id: str | None = None
    distance_m: int
    duration_s: int
    slots: tuple[Slot, ...]
    warehouses: tuple[str, ...] = ()


class QuoteDelivery(Query[DeliveryQuote], name="delivery.QuoteDelivery"):
    """What does it cost to bring goods worth `goods` there, by road? From the nearest warehouse of
    those that are `stocked` with them; of all, if none of them is or nothing is said. They weigh
    `weight_g` grams, but for `unweighed` pieces of which nobody knows.

    Refused with `unknown_address`, `no_warehouse`, `unreachable`, `outside_zones`, `too_heavy` or
    `unknown_tariff`.
    """

    destination: Address
    goods: Money
    stocked: tuple[Id, ...] | None = None
    weight_g: int = Field(default=0, ge=0)
    unweighed: int = Field(default=0, ge=0)
    with_slots: bool = False


class HoldSlot(Command[Slot], name="delivery.HoldSlot"):
    """Keep a place for a reference until then, to be booked when the delivery is scheduled: in a
    slot of the zone or, where that has none of its own, of the warehouse. Held again, nothing
    changes, or it is kept for longer.

    Refused with `unknown_slot`, `slot_over`, `slot_full`, and with `slot_given_back` when it was
    freed before.
    """

    slot_id: Id
    reference: Id
    warehouse_id: Id
    zone_id: Id | None = None
    until: datetime


class FreeSlot(Command[None], name="delivery.FreeSlot"):
    """The place that is held for the reference is not needed: nothing will be delivered."""

    slot_id: Id
    reference: Id


class Packed(Model):
    """So many pieces of a SKU that are in a delivery."""

    sku: Id
    quantity: int = Field(ge=1)


class ScheduleDelivery(Command[None], name="delivery.ScheduleDelivery"):
    """Have the goods brought; `DeliveryScheduled` tells when that is arranged, and in which slot:
    in none if the place that was held has lapsed and somebody else has it. `recipient` is the id
    under which what is personal is kept: of whoever lives there. Refused with `delivery_exists`."""

    delivery_id: Id
    reference: Id
    recipient: Id | None = None
    warehouse_id: Id
    destination: Address
    slot_id: Id | None = None
    items: tuple[Packed, ...] = Field(default=(), max_length=1000)


class SchedulePickup(Command[None], name="delivery.SchedulePickup"):
    """Have goods fetched at a door and brought to a warehouse, in this window if it matters. Like
    any other delivery, it is told of from `DeliveryScheduled` on, of kind `return`.

    Refused with `unknown_warehouse`.
    """

    delivery_id: Id
    reference: Id
    recipient: Id | None = None
    warehouse_id: Id
    origin: Address
    window: Window | None = None
    items: tuple[Packed, ...] = ()


class CancelDelivery(Command[None], name="delivery.CancelDelivery"):
    """Nobody needs to come, and the place in the slot is free. Does nothing once the carrier has
    picked the goods up; of goods that are back, a place that is still to come is free."""

    delivery_id: Id
    reference: Id
    kind: DeliveryKind = "delivery"
    slot_id: Id | None = None


class Proof(Model):
    """Who took the goods, and what else there is to be said of that."""

    name: Text
    note: Text | None = None


SealedProof = Annotated[Proof, Personal(Proof(name=ERASED))]

Whereabouts = Annotated[Position | None, Personal(None)]
"""Where the goods were seen, which in the end is where somebody lives."""


class Checkpoint(Model):
    """What the carrier saw, where and when; with `delivered`, who took the goods."""

    status: Scan
    position: Whereabouts = None
    at: datetime
    note: PersonalText | None = None
    proof: SealedProof | None = None


class Sighting(Position):
    """Where the goods were last seen, and when."""

    at: datetime


class Line(Model):
    """A GeoJSON LineString (RFC 7946): its points are (lon, lat)."""

    type: Literal["LineString"] = "LineString"
    coordinates: tuple[tuple[float, float], ...]


class DeliveryDocument(Model):
    """A delivery as its buyer sees it; `order_id` is its reference, `items` what is in it.
    `slot_lost` is the slot it was to come in and could not, for nobody had kept it.

    `carrier` is `house` as long as none has it. `attempts` are those that failed. `eta`,
    `distance_remaining_m` and `route`, from where the goods were last seen to the door, are told
    while they are on the road and a way is known; `eta` only as long as it is to come: goods that
    are late and have not been seen since arrive nobody knows when.
    """

    delivery_id: str
    order_id: str
    kind: DeliveryKind = "delivery"
    status: Status
    carrier: str
    tracking_number: str
    warehouse_id: str | None = None
    origin: Address | None = None
    destination: Address | None = None
    items: tuple[Packed, ...] | None = None
    attempts: int | None = None
    slot: Slot | None = None
    slot_lost: str | None = None
    position: Sighting | None = None
    eta: datetime | None = None
    distance_remaining_m: int | None = None
    route: Line | None = None
    checkpoints: tuple[Checkpoint, ...] = ()


class GetDelivery(Query[Document], name="delivery.GetDelivery"):
    """Where is this delivery? A `DeliveryDocument`; refused with `unknown_delivery`."""

    delivery_id: Id


class AwaitDelivery(Query[Document | None], name="delivery.AwaitDelivery"):
    """The delivery as soon as it looks different from what is `known` (the tag of a document), as
    `GetDelivery` has it; `None` when it does not within `seconds`, or when there is none yet."""

    delivery_id: Id
    known: str = ""
    seconds: int = Field(ge=0, le=60)


class DeliveryScheduled(Event, name="delivery.DeliveryScheduled", whose="recipient"):
    """It is arranged that the goods are brought; `origin` is the door they are fetched from, if not
    the warehouse itself, `slot_lost` the slot in which they cannot come."""

    delivery_id: str
    reference: str
    kind: DeliveryKind = "delivery"
    warehouse_id: str
    recipient: str | None = None
    origin: PersonalAddress | None = None
    destination: PersonalAddress
    carrier: str
    tracking_number: str
    slot: Slot | None = None
    items: tuple[Packed, ...] = ()
    at: datetime | None = None
    slot_lost: str | None = None


class Milestone(Event):
    """Something that whoever asked for a delivery wants to know of it."""

    delivery_id: str
    reference: str
    kind: DeliveryKind = "delivery"


class DeliveryAssigned(Milestone, name="delivery.DeliveryAssigned"):
    """This carrier has it: from now on it is theirs alone."""

    carrier: str
    at: datetime


class DeliveryPickedUp(Milestone, name="delivery.DeliveryPickedUp"):
    """The carrier has the goods."""

    at: datetime


class DeliveryAttemptFailed(Milestone, name="delivery.DeliveryAttemptFailed"):
    """Nobody was there to take the goods, for the `attempt`-th time."""

    attempt: int
    at: datetime


class DeliveryRescheduled(Milestone, name="delivery.DeliveryRescheduled"):
    """They are to be brought at another time; `attempt` is how many have failed by now."""

    attempt: int
    slot: Slot
    at: datetime


class DeliveryDelivered(Milestone, name="delivery.DeliveryDelivered"):
    """The goods are where they were to be brought."""

    at: datetime


class DeliveryReturned(Milestone, name="delivery.DeliveryReturned"):
    """The carrier brought the goods back to where they came from, or never got them."""

    at: datetime


class DeliveryCancelled(Milestone, name="delivery.DeliveryCancelled"):
    """Nobody comes."""
