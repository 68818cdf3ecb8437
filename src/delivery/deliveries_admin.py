"""Delivery's part of the CLI: `shop deliveries`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from bus.console import AsJson, Open, Running, moment, show, show_one
from bus.messages import Command, Done, Page, Principal
from delivery.admin import meant, street, town
from delivery.commands import (
    AssignDelivery,
    ListDeliveries,
    RecordCheckpoint,
    RescheduleDelivery,
)
from delivery.contract import DeliveryDocument, GetDelivery, Scan, Status
from delivery.options import day_of

ADMIN = Principal(scope="admin", name="cli")

COLUMNS = ("delivery_id", "order_id", "kind", "status", "carrier", "when", "tracking_number", "to")

DeliveryId = Annotated[str, typer.Argument(help="The delivery's id.")]


def commands(opened: Open) -> typer.Typer:
    """The commands of `shop deliveries`."""
    app = typer.Typer(help="Where the goods are, and who brings them when.", no_args_is_help=True)

    def say(command: Command[Done[DeliveryDocument]], as_json: bool) -> None:
        with opened() as running:
            found = running.run(running.bus.send(command, principal=ADMIN)).answer
        told = found.model_dump(mode="json", exclude_none=True)
        show_one(told if as_json else in_lines(told), as_json=as_json)

    @app.command("list")
    def list_(
        status: Annotated[Status | None, typer.Option(help="Only those in this status.")] = None,
        is_open: Annotated[
            bool | None, typer.Option("--open/--ended", help="Only those that have not ended.")
        ] = None,
        carrier: Annotated[str | None, typer.Option(help="Only this carrier's.")] = None,
        warehouse: Annotated[str | None, typer.Option(help="Only this warehouse's.")] = None,
        date: Annotated[
            str | None, typer.Option(help="Only those whose window begins then: 2026-11-23.")
        ] = None,
        slot: Annotated[str | None, typer.Option(help="Only those of this slot.")] = None,
        limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 20,
        as_json: bool = AsJson,
    ) -> None:
        """The deliveries, newest first."""
        filters = {
            "status": status,
            "open": is_open,
            "carrier": carrier,
            "warehouse_id": warehouse,
            "date": None if date is None else day_of(date),
            "slot_id": slot,
            "limit": limit,
        }
        query = meant(ListDeliveries, filters)
        with opened() as running:
            found = running.run(_list(running, query))
        show([row(each, as_json) for each in found], COLUMNS, as_json=as_json)

    @app.command("show")
    def show_(delivery_id: DeliveryId, as_json: bool = AsJson) -> None:
        """One delivery, with all that its carrier said."""
        with opened() as running:
            query = GetDelivery(delivery_id=delivery_id)
            found = json.loads(running.run(running.bus.ask(query, principal=ADMIN)).body)
        show_one(found if as_json else in_lines(found), as_json=as_json)

    @app.command()
    def assign(
        delivery_id: DeliveryId,
        carrier: Annotated[str, typer.Option(help="The name of the carrier's key.")],
        as_json: bool = AsJson,
    ) -> None:
        """Give a delivery to a carrier; to another one until the goods are picked up."""
        say(meant(AssignDelivery, {"delivery_id": delivery_id, "carrier": carrier}), as_json)

    @app.command()
    def reschedule(
        delivery_id: DeliveryId,
        start: Annotated[
            str | None,
            typer.Option("--from", metavar="TIME", help="2026-11-23T08:00+01:00; else in UTC."),
        ] = None,
        to: Annotated[str | None, typer.Option(metavar="TIME", help="Until when.")] = None,
        slot: Annotated[
            str | None, typer.Option(help="Or the slot whose place it takes: `shop slots list`.")
        ] = None,
        as_json: bool = AsJson,
    ) -> None:
        """Have it brought at another time, also after an attempt that failed."""
        if (slot is None) == (start is None or to is None):
            raise typer.BadParameter("say when: --from TIME --to TIME, or --slot ID")
        when = slot or {"from": moment(start or ""), "to": moment(to or "")}
        say(meant(RescheduleDelivery, {"delivery_id": delivery_id, "when": when}), as_json)

    @app.command()
    def checkpoint(
        delivery_id: DeliveryId,
        status: Annotated[Scan, typer.Argument(help="How far it is.")],
        at: Annotated[str | None, typer.Option(metavar="TIME", help="When; now.")] = None,
        note: Annotated[str | None, typer.Option(help="What there is to be said of it.")] = None,
        received_by: Annotated[str | None, typer.Option(help="Who took the goods.")] = None,
        as_json: bool = AsJson,
    ) -> None:
        """Say how far it is, in the place of a carrier who does not."""
        fields = {
            "delivery_id": delivery_id,
            "status": status,
            "at": None if at is None else moment(at),
            "note": note,
            "proof": None if received_by is None else {"name": received_by},
        }
        say(meant(RecordCheckpoint, fields), as_json)

    return app


async def _list(running: Running, query: ListDeliveries) -> list[dict[str, Any]]:
    head = await running.platform.contexts["delivery"].log.head()
    page: Page = await running.bus.ask(
        query.model_copy(update={"min_position": head}), principal=ADMIN
    )
    return [json.loads(each) for each in page.data]


def row(delivery: Mapping[str, Any], as_json: bool) -> Mapping[str, Any]:
    """A delivery as it is listed."""
    if as_json:
        return delivery
    slot = delivery.get("slot")
    return {
        **delivery,
        "when": f"{slot['from']} - {slot['to']}" if slot else None,
        "to": town(delivery.get("destination")),
    }


def in_lines(delivery: Mapping[str, Any]) -> dict[str, Any]:
    """A delivery for people: a line a field, a line a checkpoint."""
    fields = dict(delivery)
    for end in ("origin", "destination"):
        if end in fields:
            fields[end] = street(fields[end])
    if items := fields.get("items"):
        fields["items"] = ", ".join(f"{item['quantity']} x {item['sku']}" for item in items)
    if slot := fields.get("slot"):
        fields["slot"] = f"{slot['from']} - {slot['to']} ({slot['slot_id']})"
    if position := fields.get("position"):
        fields["position"] = f"{position['lat']},{position['lon']} at {position['at']}"
    fields.pop("route", None)  # for maps, not for eyes
    for number, scan in enumerate(fields.pop("checkpoints"), start=1):
        note = f" ({scan['note']})" if "note" in scan else ""
        by = f", received by {scan['proof']['name']}" if "proof" in scan else ""
        fields[f"checkpoint {number}"] = f"{scan['at']} {scan['status']}{by}{note}"
    return fields
