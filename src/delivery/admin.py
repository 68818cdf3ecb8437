"""Delivery's part of the CLI: `shop warehouses`; `shop deliveries` is beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import typer
from pydantic import ValidationError

from bus.console import AsJson, Open, show, show_one
from bus.messages import Message, Position, unfit
from delivery.commands import AddWarehouse, ListWarehouses, SetCarrier, SetTimeZone, Warehouse

if TYPE_CHECKING:
    from bus.dispatch import Bus

M = TypeVar("M", bound=Message)

WAREHOUSE_COLUMNS = ("warehouse_id", "name", "at", "position", "carrier", "time_zone")


def warehouses(shop: Open) -> typer.Typer:
    """The commands of `shop warehouses`."""
    app = typer.Typer(help="Where goods set out from.", no_args_is_help=True)

    @app.command()
    def add(
        warehouse_id: str = typer.Argument(help="An id of your own: `schaan`, say."),
        name: str = typer.Option(..., help="As people call it."),
        road: str = typer.Option(..., help="Its street."),
        house_number: str = typer.Option(..., help="Its number there."),
        district: str = typer.Option(..., help="The town."),
        postcode: str = typer.Option(..., help="As it is written there."),
        country: str = typer.Option(..., help="ISO 3166, two letters: LI."),
        sub_district: str | None = typer.Option(None, help="A part of the town."),
        state: str | None = typer.Option(None, help="Where addresses have one."),
        position: str | None = typer.Option(
            None, metavar="LAT,LON", help="Where it is exactly; else the town's middle."
        ),
        carrier: str | None = typer.Option(
            None, help="Who fetches what is sent from there: the name of their key."
        ),
        time_zone: str | None = typer.Option(
            None, help="Of its clocks: Europe/Vaduz, say; else the shop's (SHOP_TIME_ZONE)."
        ),
        as_json: bool = AsJson,
    ) -> None:
        """Open a warehouse."""
        address = {
            "house_number": house_number,
            "road": road,
            "sub_district": sub_district,
            "district": district,
            "state": state,
            "postcode": postcode,
            "country": country.upper(),
            "position": position_of(position),
        }
        fields = {
            "warehouse_id": warehouse_id,
            "name": name,
            "address": address,
            "carrier": carrier,
            "time_zone": time_zone,
        }
        command = meant(AddWarehouse, fields)
        with shop() as running:
            added = running.run(running.bus.send(command)).answer
        show_one(row(added, as_json=as_json), as_json=as_json)

    @app.command("time-zone")
    def set_time_zone(
        warehouse_id: str = typer.Argument(help="Its id."),
        time_zone: str = typer.Argument(help="An IANA time zone: Europe/Vaduz, say."),
        as_json: bool = AsJson,
    ) -> None:
        """Have a warehouse go by other clocks; slots that are booked stay when they are."""
        command = meant(SetTimeZone, {"warehouse_id": warehouse_id, "time_zone": time_zone})
        with shop() as running:
            changed = running.run(running.bus.send(command)).answer
        show_one(row(changed, as_json=as_json), as_json=as_json)

    @app.command("carrier")
    def set_carrier(
        warehouse_id: str = typer.Argument(help="Its id."),
        carrier: str | None = typer.Argument(None, help="The name of their key; nobody's: none."),
        as_json: bool = AsJson,
    ) -> None:
        """Have a carrier fetch all that is sent from a warehouse from now on."""
        command = meant(SetCarrier, {"warehouse_id": warehouse_id, "carrier": carrier})
        with shop() as running:
            changed = running.run(running.bus.send(command)).answer
        show_one(row(changed, as_json=as_json), as_json=as_json)

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


def meant(kind: type[M], fields: Mapping[str, Any]) -> M:
    """The message that the options make; raises `BadParameter` naming those that are wrong."""
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        raise typer.BadParameter(unfit(error)) from None


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
        "carrier": warehouse.carrier,
        "time_zone": warehouse.time_zone or "the shop's",
    }


def street(address: Mapping[str, Any]) -> str:
    """An address in one line."""
    return f"{address['road']} {address['house_number']}, {address['postcode']} {town(address)}"


def town(address: Mapping[str, Any] | None) -> str:
    """The town of an address: `Vaduz LI`."""
    return f"{address['district']} {address['country']}" if address else ""
