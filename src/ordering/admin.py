"""Ordering's part of the CLI: `shop orders` and `shop returns`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from bus.console import AsJson, Open, Running, moment, money, show, show_one
from bus.messages import Command, Done, Page, Principal
from ordering import replay_admin
from ordering.commands import ApproveReturn, GetReturn, ListReturns, ReceiveReturn, RejectReturn
from ordering.contract import (
    CancelOrder,
    GetHistory,
    GetOrder,
    GetOrderAsOf,
    Item,
    ListOrders,
    ReturnDocument,
)

ADMIN = Principal(scope="admin", name="cli")

OrderId = Annotated[str, typer.Argument(help="The order's id.")]
ReturnId = Annotated[str, typer.Argument(help="The return's id.")]


def commands(opened: Open) -> typer.Typer:
    """The commands of `shop orders`."""
    app = typer.Typer(help="What became of orders; and calling one off.", no_args_is_help=True)

    @app.command("list")
    def list_orders(
        status: Annotated[str | None, typer.Option(help="Only those in this status.")] = None,
        buyer: Annotated[str | None, typer.Option(help="Only this buyer's.")] = None,
        limit: Annotated[int, typer.Option(min=1, max=100, help="How many.")] = 20,
        as_json: bool = AsJson,
    ) -> None:
        """The newest orders."""
        query = ListOrders.model_validate({"status": status, "buyer_id": buyer, "limit": limit})
        with opened() as running:
            orders = running.run(_list(running, query))
        columns = ["order_id", "placed_at", "buyer_id", "status", "payment", "fulfillment", "total"]
        show(orders if as_json else [_row(order) for order in orders], columns, as_json=as_json)

    @app.command("show")
    def show_order(
        order_id: OrderId,
        as_of: Annotated[
            str | None, typer.Option(help="As it was then: 2026-11-23T12:00Z.")
        ] = None,
        as_json: bool = AsJson,
    ) -> None:
        """One order, as it is or as it was."""
        query = GetOrder(order_id=order_id)
        with opened() as running:
            if as_of is None:
                found = running.run(running.bus.ask(query, principal=ADMIN)).body
            else:
                then = GetOrderAsOf(order_id=order_id, at=moment(as_of))
                found = running.run(running.bus.ask(then, principal=ADMIN)).body
        order = json.loads(found)
        show_one(order if as_json else _plain(order), as_json=as_json)

    @app.command()
    def history(order_id: OrderId, as_json: bool = AsJson) -> None:
        """Everything that happened to an order, oldest first."""
        with opened() as running:
            found = running.run(running.bus.ask(GetHistory(order_id=order_id), principal=ADMIN))
        rows = [happening.model_dump(mode="json") for happening in found]
        show(rows, ["position", "version", "at", "type"], as_json=as_json)

    @app.command()
    def cancel(
        order_id: OrderId,
        reason: Annotated[str | None, typer.Option(help="Why.")] = None,
        as_json: bool = AsJson,
    ) -> None:
        """Call an order off; the money goes back first."""
        command = CancelOrder(order_id=order_id, reason=reason)
        with opened() as running:
            done = running.run(running.bus.send(command, principal=ADMIN))
        order = done.answer.model_dump(mode="json", exclude_none=True)
        show_one(order if as_json else _plain(order), as_json=as_json)

    replay_admin.commands(app, opened)
    return app


def returns(opened: Open) -> typer.Typer:
    """The commands of `shop returns`."""
    app = typer.Typer(help="What buyers send back.", no_args_is_help=True)

    def say(command: Command[Done[ReturnDocument]], as_json: bool) -> None:
        with opened() as running:
            found = running.run(running.bus.send(command, principal=ADMIN)).answer
        show_one(_return(found.model_dump(mode="json"), as_json), as_json=as_json)

    @app.command("list")
    def list_returns(
        status: Annotated[str | None, typer.Option(help="Only those in this status.")] = None,
        order: Annotated[str | None, typer.Option(help="Only this order's.")] = None,
        limit: Annotated[int, typer.Option(min=1, max=100, help="How many.")] = 20,
        as_json: bool = AsJson,
    ) -> None:
        """The newest returns."""
        query = ListReturns.model_validate({"status": status, "order_id": order, "limit": limit})
        with opened() as running:
            found = running.run(_list(running, query))
        columns = [
            "return_id",
            "order_id",
            "requested_at",
            "status",
            "items",
            "refund",
            "reason",
            "pickup",
        ]
        show([_return(each, as_json) for each in found], columns, as_json=as_json)

    @app.command("show")
    def show_return(return_id: ReturnId, as_json: bool = AsJson) -> None:
        """One return."""
        query = GetReturn(return_id=return_id)
        with opened() as running:
            found = running.run(running.bus.ask(query, principal=ADMIN))
        show_one(_return(found.model_dump(mode="json"), as_json), as_json=as_json)

    @app.command()
    def approve(return_id: ReturnId, as_json: bool = AsJson) -> None:
        """Have the buyer send the goods."""
        say(ApproveReturn(return_id=return_id), as_json)

    @app.command()
    def reject(
        return_id: ReturnId,
        reason: Annotated[str, typer.Option(help="Why; the buyer is told.")],
        as_json: bool = AsJson,
    ) -> None:
        """Give nothing for it."""
        say(RejectReturn(return_id=return_id, reason=reason), as_json)

    @app.command()
    def receive(
        return_id: ReturnId,
        write_off: Annotated[
            list[str] | None,
            typer.Option(metavar="SKU=QTY", help="What is not fit to be sold again."),
        ] = None,
        as_json: bool = AsJson,
    ) -> None:
        """The goods are back: pay for them, and put what is fit on the shelf again."""
        spoilt = tuple(map(_counted, write_off or ()))
        say(ReceiveReturn(return_id=return_id, write_off=spoilt), as_json)

    return app


async def _list(running: Running, query: ListOrders | ListReturns) -> list[dict[str, Any]]:
    head = await running.platform.contexts["ordering"].log.head()
    page: Page = await running.bus.ask(
        query.model_copy(update={"min_position": head}), principal=ADMIN
    )
    return [json.loads(each) for each in page.data]


def _counted(text: str) -> Item:
    """So many pieces of a SKU, as a person types it: `MUG-BLUE=2`."""
    sku, _, quantity = text.rpartition("=")
    try:
        return Item(sku=sku, quantity=int(quantity))
    except ValueError:
        raise typer.BadParameter(f"{text} is no SKU and quantity: write MUG-BLUE=2") from None


def _return(found: Mapping[str, Any], as_json: bool) -> dict[str, object]:
    """A return as it is printed."""
    told = {name: value for name, value in found.items() if value is not None}
    if as_json:
        return told
    items = ", ".join(f"{item['quantity']} x {item['sku']}" for item in found["items"])
    row: dict[str, object] = {**told, "items": items, "refund": money(found["refund"])}
    if pickup := found.get("pickup"):
        window = pickup.get("window")
        when = f", {window['from']} - {window['to']}" if window else ""
        row["pickup"] = f"{pickup['delivery_id']} is {pickup['status']}{when}"
    return row


def _row(order: Mapping[str, Any]) -> dict[str, object]:
    return {
        **order,
        "payment": order["payment_status"],
        "fulfillment": order["fulfillment_status"],
        "total": money(order["total"]),
    }


def _shipment(found: Mapping[str, Any]) -> str:
    """What one warehouse sends: `2 x MUG from zurich, scheduled (dlv_1-2)`."""
    items = ", ".join(f"{item['quantity']} x {item['sku']}" for item in found["items"])
    return f"{items} from {found['warehouse_id']}, {found['status']} ({found['delivery_id']})"


def _plain(order: Mapping[str, Any]) -> dict[str, object]:
    """The order's fields as people read them."""
    amounts = ("product_cost", "delivery_cost", "total", "refunded")
    items = ", ".join(f"{i['quantity']} x {i['sku']} {i['name']}" for i in order["items"])
    address = {key: value for key, value in order["destination"].items() if key != "position"}
    shipments = order.get("shipments") or ()
    return {
        **{name: value for name, value in order.items() if name != "shipments"},
        **{f"shipment {n}": _shipment(each) for n, each in enumerate(shipments, start=1)},
        **{name: money(order[name]) for name in amounts},
        "items": items,
        "destination": ", ".join(map(str, address.values())),
    }
