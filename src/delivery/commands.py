"""What carriers and the shop's own people ask of delivery."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import (
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
)

from bus.messages import (
    DATE,
    Address,
    Command,
    Done,
    Id,
    Model,
    Moment,
    Page,
    Position,
    Query,
    Text,
    Window,
)
from delivery.clock import TimeZone
from delivery.contract import DeliveryDocument, Proof, Scan, Status

Day = Annotated[
    date,
    Field(
        ge=date(2000, 1, 1),
        lt=date(9999, 1, 1),
        json_schema_extra={"pattern": f"^{DATE}$"},
    ),
]
"""A day that somebody may mean."""

CarrierName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._\-]{0,79}$")]
"""What a key of scope `carrier` is called."""


class RecordCheckpoint(Command[Done[DeliveryDocument]], name="delivery.RecordCheckpoint"):
    """The carrier says how far a delivery is, `at` that time (now, when it doesn't say); with
    `delivered`, who took the goods. What no carrier has yet is theirs from then on.

    Refused with `unknown_delivery`, `checkpoint_in_future`, `delivery_ended` or
    `too_many_checkpoints`.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"properties": {"status": {"const": "delivered"}}},
            "else": {"properties": {"proof": {"type": "null"}}},
        }
    )

    delivery_id: Id
    status: Scan
    position: Position | None = None
    at: Moment | None = None
    note: Text | None = None
    proof: Proof | None = None

    @field_validator("proof")
    @classmethod
    def _proves_a_delivery(cls, proof: Proof | None, others: ValidationInfo) -> Proof | None:
        if proof is not None and others.data.get("status") not in ("delivered", None):
            raise ValueError("only what is delivered has somebody who took it: leave it out")
        return proof


class AssignDelivery(Command[Done[DeliveryDocument]], name="delivery.AssignDelivery"):
    """Give a delivery to a carrier, by the name of their key; to another one until the goods are
    picked up.

    Refused with `unknown_delivery`, `not_arranged`, `already_picked_up` or `delivery_ended`.
    """

    delivery_id: Id
    carrier: CarrierName


class RescheduleDelivery(Command[Done[DeliveryDocument]], name="delivery.RescheduleDelivery"):
    """Bring it at another time, in a window or in a slot, whose place it takes then: what is not on
    its way yet, or could not be brought, or could not be arranged at all.

    Refused with `unknown_delivery`, `on_the_road`, `window_over`, `delivery_ended`, and as a place
    in a slot is.
    """

    delivery_id: Id
    when: Window | Id


class RetryDelivery(Command[None], name="delivery.RetryDelivery"):
    """Nobody has chosen another time after a failed attempt: the timer does."""

    delivery_id: Id


class Warehouse(Model):
    """Where goods set out from, the time zone of its clocks (none: the shop's), and the carrier who
    fetches them there unless another is told to."""

    warehouse_id: str
    name: str
    address: Address
    position: Position
    carrier: str | None = None
    time_zone: str | None = None


class AddWarehouse(Command[Done[Warehouse]], name="delivery.AddWarehouse"):
    """Open a warehouse; maps says where it is, unless its address carries a position.

    Refused with `warehouse_exists` or `unknown_address`.
    """

    warehouse_id: Id
    name: Text
    address: Address
    carrier: CarrierName | None = None
    time_zone: TimeZone | None = None


class SetTimeZone(Command[Done[Warehouse]], name="delivery.SetTimeZone"):
    """Have a warehouse go by other clocks: its windows are theirs from now on. Refused with
    `unknown_warehouse`."""

    warehouse_id: Id
    time_zone: TimeZone


class SetCarrier(Command[Done[Warehouse]], name="delivery.SetCarrier"):
    """Have a carrier fetch what is sent from a warehouse from now on, or (`None`) whoever comes.
    Refused with `unknown_warehouse`."""

    warehouse_id: Id
    carrier: CarrierName | None = None


class ListWarehouses(Query[tuple[Warehouse, ...]], name="delivery.ListWarehouses"):
    """All warehouses, by id."""


class ListDeliveries(Query[Page], name="delivery.ListDeliveries"):
    """The deliveries, newest first, each a `DeliveryDocument`; a carrier's own, if one asks.

    `open`: those that have not ended, or only those that have. `date`: those whose window begins on
    that day. With `min_position`, once the list knows the log up to there. Refused with
    `unknown_delivery` to go on behind one that is not among them, and with `unknown_position`.
    """

    status: Status | None = None
    open: bool | None = None
    carrier: CarrierName | None = None
    warehouse_id: Id | None = None
    slot_id: Id | None = None
    date: Day | None = None
    limit: int = Field(default=20, ge=1, le=1000)
    starting_after: Id | None = None
    min_position: int = Field(default=0, ge=0)
