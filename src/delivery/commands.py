"""What carriers and the shop's own people ask of delivery."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, Field

from bus.messages import Address, Command, Done, Id, Model, Page, Position, Query, Text
from delivery.contract import DeliveryDocument, Scan, Status


def _in_utc(moment: datetime) -> datetime:
    """In UTC and whole milliseconds, as events keep it."""
    if not 2000 <= moment.year < 9999:
        raise ValueError("must be a time between the years 2000 and 9999")
    utc = moment.astimezone(UTC)
    return utc.replace(microsecond=utc.microsecond // 1000 * 1000)


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]


class RecordCheckpoint(Command[Done[DeliveryDocument]], name="delivery.RecordCheckpoint"):
    """The carrier says how far a delivery is, `at` that time (now, when it doesn't say).

    Refused with `unknown_delivery`, `checkpoint_in_future` or `delivery_ended`.
    """

    delivery_id: Id
    status: Scan
    position: Position | None = None
    at: Moment | None = None
    note: Text | None = None


class Warehouse(Model):
    """Where goods set out from."""

    warehouse_id: str
    name: str
    address: Address
    position: Position


class AddWarehouse(Command[Done[Warehouse]], name="delivery.AddWarehouse"):
    """Open a warehouse; maps says where it is, unless its address carries a position.

    Refused with `warehouse_exists` or `unknown_address`.
    """

    warehouse_id: Id
    name: Text
    address: Address


class ListWarehouses(Query[tuple[Warehouse, ...]], name="delivery.ListWarehouses"):
    """All warehouses, by id."""


class ListDeliveries(Query[Page], name="delivery.ListDeliveries"):
    """The deliveries, newest first, each a `DeliveryDocument`."""

    status: Status | None = None
    limit: int = Field(default=20, ge=1, le=1000)
