"""The price list's part of the CLI."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bus.console import AsJson, Open, moment, show, show_one
from bus.messages import NotFound, Principal
from catalog.commands import CallOffPrice, ChangePrice
from catalog.contract import GetCurrency
from catalog.prices import price_of
from catalog.queries import GetPrices, GetSheet, SheetVariant

if TYPE_CHECKING:
    from bus.dispatch import Bus

ADMIN = Principal(scope="admin", name="cli")

Reason = Annotated[str, typer.Option(help="Why.")]
Currency = Annotated[str | None, typer.Option(help="Such as USD; the shop's unless said.")]
When = "2026-12-01T08:00+01:00; UTC unless it says otherwise."

STANDING = ("sku", "price", "from")

Sku = Annotated[str, typer.Argument(help="The SKU of a variant: MUG-BLUE, say.")]


def commands(app: typer.Typer, shop: Open) -> None:
    """`shop catalog price`, `price-off` and `prices`."""

    @app.command()
    def price(
        sku: Sku,
        amount: Annotated[str, typer.Argument(help="Such as 10.50.")],
        currency: Currency = None,
        starts: Annotated[
            str | None, typer.Option("--from", help=f"When it starts, if not now: {When}")
        ] = None,
        reason: Reason = "",
        as_json: bool = AsJson,
    ) -> None:
        """Sell a SKU at another price, from now on or from a moment to come."""
        at = None if starts is None else moment(starts)

        async def change(bus: Bus) -> SheetVariant:
            new = price_of(amount, currency.upper() if currency else await bus.ask(GetCurrency()))
            await known(bus, sku)
            order = ChangePrice(sku=sku, price=new, starts=at, reason=reason)
            await bus.send(order, principal=ADMIN)
            return await known(bus, sku)

        with shop() as running:
            variant = running.run(change(running.bus))
        tell(variant, as_json=as_json)

    @app.command("price-off")
    def price_off(
        sku: Sku,
        starts: Annotated[
            str, typer.Argument(metavar="TIME", help=f"When it was to start: {When}")
        ],
        currency: Currency = None,
        reason: Reason = "",
        as_json: bool = AsJson,
    ) -> None:
        """Call off a price that was to start then."""
        at = moment(starts)

        async def call_off(bus: Bus) -> SheetVariant:
            ours = currency.upper() if currency else await bus.ask(GetCurrency())
            await known(bus, sku)
            order = CallOffPrice(sku=sku, currency=ours, starts=at, reason=reason)
            await bus.send(order, principal=ADMIN)
            return await known(bus, sku)

        with shop() as running:
            variant = running.run(call_off(running.bus))
        tell(variant, as_json=as_json)

    @app.command()
    def prices(
        sku: Sku,
        currency: Annotated[str | None, typer.Option(help="Only this one, such as USD.")] = None,
        as_json: bool = AsJson,
    ) -> None:
        """What a SKU has cost, costs and is to cost, the latest first; who said so, and why."""
        asked = GetPrices(sku=sku, currency=currency.upper() if currency else None)
        with shop() as running:
            found = running.run(running.bus.ask(asked, principal=ADMIN))
        rows = [entry.model_dump(mode="json") for entry in found]
        if not as_json:
            rows = [
                {**row, "price": e.price, "from": e.starts.isoformat()}
                for row, e in zip(rows, found, strict=True)
            ]
        show(rows, ("from", "price", "state", "at", "who", "why"), as_json=as_json)


async def known(bus: Bus, sku: str) -> SheetVariant:
    """What is sold under a SKU; refused with `unknown_sku`."""
    try:
        sheet = await bus.ask(GetSheet(id=sku), principal=ADMIN)
    except NotFound:
        sheet = None
    for variant in sheet.variants if sheet is not None else ():
        if variant.sku == sku:
            return variant
    raise unknown(sku)


def unknown(sku: str) -> NotFound:
    """The refusal of a SKU under which nothing is sold."""
    return NotFound("unknown_sku", f"nothing is sold under SKU {sku}: see `shop catalog list`")


def tell(variant: SheetVariant, *, as_json: bool) -> None:
    """What a SKU costs now and will."""
    if as_json:
        show_one(variant.model_dump(mode="json"), as_json=True)
    else:
        show(standing(variant), STANDING, as_json=False)


def standing(variant: SheetVariant) -> list[dict[str, object]]:
    """A SKU's prices as lines of a table."""
    return [
        {
            "sku": variant.sku,
            "price": each.price,
            "from": each.starts.isoformat() if each.starts else "the beginning",
        }
        for each in variant.prices
    ]
