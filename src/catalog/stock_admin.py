"""The stock's part of the CLI."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from bus.console import AsJson, Open, Running, show, show_one
from bus.messages import Command, NotFound
from catalog.commands import MAX_ON_HAND
from catalog.contract import ANYWHERE
from catalog.price_admin import ADMIN, Reason, unknown
from catalog.queries import ListSheets
from catalog.stock_commands import (
    AdjustStock,
    AllowBackorder,
    CountStock,
    GetStock,
    ReceiveStock,
    SetLowStock,
    StockLevel,
)

if TYPE_CHECKING:
    from bus.dispatch import Bus

Warehouse = Annotated[str, typer.Option(help=f"Where they are; {ANYWHERE}: at none in particular.")]

LEVEL = ("sku", "on_hand", "reserved", "allocated", "available", "backorder", "low_at")
PLACE = ("warehouse_id", "on_hand", "reserved", "allocated", "available")

AT_ONCE = 1000
"""SKUs whose stock is asked for in one go."""


Warehouses = Callable[["Bus"], Awaitable[Collection[str]]]
"""Which warehouses there are: that is not for the catalog to know."""

Sku = Annotated[str, typer.Argument(help="The SKU of a variant: MUG-BLUE, say.")]


def commands(app: typer.Typer, shop: Open, warehouses: Warehouses) -> None:
    """`shop catalog stock`, `receive`, `adjust`, `backorder`, `low-stock` and `low`."""

    def done(
        sku: Sku,
        order: Callable[[], Command[None]] | None,
        as_json: bool,
        place: str = ANYWHERE,
    ) -> None:
        """Have it done, if anything, to a SKU that there is; and say how that stands."""

        async def change(bus: Bus) -> StockLevel:
            level = await known(bus, sku)
            if order is not None:
                # Where pieces are already, they can be counted though the warehouse has closed.
                if place not in {each.warehouse_id for each in level.places}:
                    await check_place(bus, place, warehouses)
                await bus.send(order(), principal=ADMIN)
            return await known(bus, sku)

        with shop() as running:
            level = running.run(change(running.bus))
        tell(level, as_json=as_json)

    @app.command()
    def stock(
        sku: Sku,
        quantity: Annotated[
            int | None,
            typer.Argument(min=0, max=MAX_ON_HAND, help="Pieces that were counted there."),
        ] = None,
        warehouse: Warehouse = ANYWHERE,
        reason: Annotated[str, typer.Option(help="Why it is so many.")] = "counted",
        as_json: bool = AsJson,
    ) -> None:
        """Say how many pieces of a SKU there are, or set how many were counted."""
        counted = (
            None
            if quantity is None
            else partial(
                CountStock, sku=sku, on_hand=quantity, warehouse_id=warehouse, reason=reason
            )
        )
        done(sku, counted, as_json, warehouse)

    @app.command()
    def receive(
        sku: Sku,
        pieces: Annotated[int, typer.Argument(min=1, max=MAX_ON_HAND, help="How many came.")],
        warehouse: Warehouse = ANYWHERE,
        reason: Annotated[str, typer.Option(help="From whom, say.")] = "received",
        as_json: bool = AsJson,
    ) -> None:
        """Pieces of a SKU have come from a supplier."""
        order = partial(
            ReceiveStock, sku=sku, quantity=pieces, warehouse_id=warehouse, reason=reason
        )
        done(sku, order, as_json, warehouse)

    # -3 is a number here, and no option.
    @app.command(context_settings={"ignore_unknown_options": True})
    def adjust(
        sku: Sku,
        change: Annotated[
            int,
            typer.Argument(min=-MAX_ON_HAND, max=MAX_ON_HAND, help="So many more; -3: fewer."),
        ],
        reason: Annotated[str, typer.Option(help="Why: broken, stolen, found.")],
        warehouse: Warehouse = ANYWHERE,
        as_json: bool = AsJson,
    ) -> None:
        """There are more or fewer pieces of a SKU than we thought."""
        order = partial(AdjustStock, sku=sku, change=change, warehouse_id=warehouse, reason=reason)
        done(sku, order, as_json, warehouse)

    @app.command()
    def backorder(
        sku: Sku,
        allowed: Annotated[Literal["on", "off"], typer.Argument(help="on or off.")],
        reason: Reason = "",
        as_json: bool = AsJson,
    ) -> None:
        """Sell a SKU before it is there, or no longer."""
        on = allowed == "on"
        done(sku, partial(AllowBackorder, sku=sku, allowed=on, reason=reason), as_json)

    @app.command("low-stock")
    def low_stock(
        sku: Sku,
        threshold: Annotated[
            int, typer.Argument(min=0, max=MAX_ON_HAND, help="So many are few; 0: never.")
        ],
        reason: Reason = "",
        as_json: bool = AsJson,
    ) -> None:
        """Say from how few available pieces on a SKU is low."""
        order = partial(SetLowStock, sku=sku, threshold=threshold, reason=reason)
        done(sku, order, as_json)

    @app.command()
    def low(as_json: bool = AsJson) -> None:
        """The SKUs to order: they are low, or sold before they are there."""

        async def collect(running: Running) -> list[StockLevel]:
            head = await running.platform.contexts["catalog"].log.head()
            found = [level async for level in levels(running.bus, head)]
            return [level for level in found if level.low]

        with shop() as running:
            found = running.run(collect(running))
        show([level.model_dump(mode="json") for level in found], LEVEL, as_json=as_json)


async def check_place(bus: Bus, place: str, warehouses: Warehouses) -> None:
    """Refuse pieces at a warehouse that there is not, with `unknown_warehouse`: nobody would ever
    be sold one."""
    if place == ANYWHERE or place in (there := await warehouses(bus)):
        return
    named = f", or name one of these: {', '.join(sorted(there))}" if there else ""
    raise NotFound(
        "unknown_warehouse",
        f"there is no warehouse {place}: open it with `shop warehouses add`{named}",
    )


async def known(bus: Bus, sku: str) -> StockLevel:
    """A SKU's stock; refused with `unknown_sku`."""
    found = await bus.ask(GetStock(skus=(sku,)), principal=ADMIN)
    if not found:
        raise unknown(sku)
    return found[0]


async def levels(bus: Bus, head: int) -> AsyncIterator[StockLevel]:
    """The stock of every SKU there is, by the products' order."""
    asked = ListSheets(min_position=head)
    skus: list[str] = []
    while True:
        page = await bus.ask(asked, principal=ADMIN)
        skus += (variant.sku for sheet in page.data for variant in sheet.variants)
        while len(skus) >= AT_ONCE or (skus and page.last is None):
            for level in await bus.ask(GetStock(skus=tuple(skus[:AT_ONCE])), principal=ADMIN):
                yield level
            del skus[:AT_ONCE]
        if page.last is None:
            return
        asked = asked.model_copy(update={"starting_after": page.last})


def tell(level: StockLevel, *, as_json: bool) -> None:
    """How a SKU stands, and place by place where there is more than one."""
    if as_json:
        show_one(level.model_dump(mode="json"), as_json=True)
        return
    show_one({**level.model_dump(exclude={"places"}), "price": str(level.price)}, as_json=False)
    if any(place.warehouse_id != ANYWHERE for place in level.places):
        show([place.model_dump() for place in level.places], PLACE, as_json=False)
