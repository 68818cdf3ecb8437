"""Delivery's part of the CLI: `shop deliveries` and `shop warehouses`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer
from pydantic import ValidationError

from bus.console import AsJson, Open, show, show_one
from bus.messages import Address, Position
from delivery.commands import AddWarehouse, ListDeliveries, ListWarehouses, Warehouse
from delivery.contract import GetDelivery, Status

if TYPE_CHECKING:
    from bus.dispatch import Bus

DELIVERY_COLUMNS = ("delivery_id", "order_id", "status", "carrier", "tracking_number", "to")
WAREHOUSE_COLUMNS = ("warehouse_id", "name", "at", "position")


def deliveries(shop: Open) -> typer.Typer:
    """The commands of `shop deliveries`."""
    app = typer.Typer(help="Where the goods are.", no_args_is_help=True)

    @app.command("list")
    def list_(
        status: Status | None = None,
        limit: int = typer.Option(20, min=1, max=1000),
        as_json: bool = AsJson,
    ) -> None:
        """The deliveries, newest first."""
        with shop() as running:
            found = running.run(running.bus.ask(ListDeliveries(status=status, limit=limit)))
        rows = [json.loads(row) for row in found.data]
        if not as_json:
            rows = [{**row, "to": town(row.get("destination"))} for row in rows]
        show(rows, DELIVERY_COLUMNS, as_json=as_json)

    @app.command("show")
    def show_(delivery_id: str, as_json: bool = AsJson) -> None:
        """One delivery, with all that its carrier said."""
        with shop() as running:
            query = GetDelivery(delivery_id=delivery_id)
            found = json.loads(running.run(running.bus.ask(query)).body)
        show_one(found if as_json else in_lines(found), as_json=as_json)

    return app


def warehouses(shop: Open) -> typer.Typer:
    """The commands of `shop warehouses`."""
    app = typer.Typer(help="Where goods set out from.", no_args_is_help=True)

    @app.command()
    def add(
        warehouse_id: str = typer.Argument(help="An id of your own: `schaan`, say."),
        name: str = typer.Option(...),
        road: str = typer.Option(...),
        house_number: str = typer.Option(...),
        district: str = typer.Option(..., help="The town."),
        postcode: str = typer.Option(...),
        country: str = typer.Option(..., help="ISO 3166, two letters: LI."),
        sub_district: str | None = None,
        state: str | None = None,
        position: str | None = typer.Option(
            None, metavar="LAT,LON", help="Where it is exactly; else the town's middle."
        ),
        as_json: bool = AsJson,
    ) -> None:
        """Open a warehouse."""
        fields = {
            "house_number": house_number,
            "road": road,
            "sub_district": sub_district,
            "district": district,
            "state": state,
            "postcode": postcode,
            "country": country.upper(),
            "position": position_of(position),
        }
        command = meant(warehouse_id, name, fields)
        with shop() as running:
            added = running.run(running.bus.send(command)).answer
        show_one(row(added, as_json=as_json), as_json=as_json)

    @app.command("list")
    def list_(as_json: bool = AsJson) -> None:
        """All warehouses."""
        with shop() as running:
            found = running.run(running.bus.ask(ListWarehouses()))
        rows = [row(warehouse, as_json=as_json) for warehouse in found]
        show(rows, WAREHOUSE_COLUMNS, as_json=as_json)

    return app


async def open_warehouses(bus: Bus) -> frozenset[str]:
    """The ids of all warehouses, for whoever must not name another."""
    found = await bus.ask(ListWarehouses())
    return frozenset(warehouse.warehouse_id for warehouse in found)


def meant(warehouse_id: str, name: str, address: Mapping[str, Any]) -> AddWarehouse:
    """The command that the options make; raises `BadParameter` naming those that are wrong."""
    try:
        return AddWarehouse(warehouse_id=warehouse_id, name=name, address=Address(**address))
    except ValidationError as error:
        wrong = (f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise typer.BadParameter("; ".join(wrong)) from None


def position_of(text: str | None) -> Position | None:
    """Read `47.14,9.52`."""
    if text is None:
        return None
    try:
        lat, lon = map(float, text.split(","))
        return Position(lat=lat, lon=lon)
    except ValueError:  # pydantic's is one of them
        raise typer.BadParameter(
            f"{text} is no position: write LAT,LON in degrees, such as 47.14,9.52"
        ) from None


def row(warehouse: Warehouse, *, as_json: bool) -> dict[str, Any]:
    """A warehouse as it is printed."""
    fields = warehouse.model_dump(mode="json", exclude_none=True)
    if as_json:
        return fields
    where = warehouse.position
    return {
        "warehouse_id": warehouse.warehouse_id,
        "name": warehouse.name,
        "at": street(fields["address"]),
        "position": f"{where.lat},{where.lon}",
    }


def in_lines(delivery: Mapping[str, Any]) -> dict[str, Any]:
    """A delivery for people: a line a field, a line a checkpoint."""
    fields = dict(delivery)
    if "destination" in fields:
        fields["destination"] = street(fields["destination"])
    if items := fields.get("items"):
        fields["items"] = ", ".join(f"{item['quantity']} x {item['sku']}" for item in items)
    if position := fields.get("position"):
        fields["position"] = f"{position['lat']},{position['lon']} at {position['at']}"
    fields.pop("route", None)  # for maps, not for eyes
    for number, scan in enumerate(fields.pop("checkpoints"), start=1):
        note = f" ({scan['note']})" if "note" in scan else ""
        fields[f"checkpoint {number}"] = f"{scan['at']} {scan['status']}{note}"
    return fields


def street(address: Mapping[str, Any]) -> str:
    """An address in one line."""
    return f"{address['road']} {address['house_number']}, {address['postcode']} {town(address)}"


def town(address: Mapping[str, Any] | None) -> str:
    """The town of an address: `Vaduz LI`."""
    return f"{address['district']} {address['country']}" if address else ""
