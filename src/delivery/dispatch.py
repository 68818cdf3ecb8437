"""Who brings a delivery, and who may know of it."""

from __future__ import annotations

from datetime import datetime

from bus.messages import Principal, Refused
from delivery.contract import DeliveryAssigned, DeliveryScheduled
from delivery.delivery import Delivery, DeliveryEvent, has_ended


def carrier_of(asker: Principal) -> str | None:
    """The carrier who asks; `None`: the shop itself, or a client who may ask of all it knows."""
    return asker.name if asker.scope == "carrier" else None


def may_see(delivery: Delivery, carrier: str | None) -> bool:
    """A carrier sees what is theirs; the shop itself sees all."""
    return carrier is None or (delivery.assigned and delivery.carrier == carrier)


def may_report(delivery: Delivery, carrier: str | None) -> bool:
    """A carrier reports on what is theirs, or on what no carrier has yet."""
    return not delivery.assigned or may_see(delivery, carrier)


def assigned_to(
    carrier: str | None, whose: Delivery | DeliveryScheduled, now: datetime
) -> list[DeliveryEvent]:
    """The carrier has it, if there is one."""
    if carrier is None:
        return []
    return [
        DeliveryAssigned(
            delivery_id=whose.delivery_id,
            reference=whose.reference,
            kind=whose.kind,
            carrier=carrier,
            at=now,
        )
    ]


def assign(delivery: Delivery, carrier: str, now: datetime) -> list[DeliveryEvent]:
    """Have this carrier bring it; another one than before as long as nobody has the goods."""
    if delivery.assigned and delivery.carrier == carrier:
        return []
    if delivery.ended:
        raise has_ended(delivery)
    id = delivery.delivery_id
    if delivery.status == "pending":
        raise Refused(
            "not_arranged",
            f"nothing is arranged for delivery {id} yet: say first when it is to be brought, with"
            f" `shop deliveries reschedule {id}`",
        )
    if delivery.assigned and delivery.picked_up:
        raise Refused(
            "already_picked_up",
            f"{delivery.carrier} has the goods of delivery {id} already: have them bring them, or"
            " return them to you first",
            carrier=delivery.carrier,
        )
    return assigned_to(carrier, delivery, now)
