"""The catalog's part of the CLI."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from bus.console import AsJson, Open, Running, fail, progress, show, show_one
from bus.messages import Document, Money, NotFound
from catalog.commands import MAX_ON_HAND, ChangePrice
from catalog.intake import Outcome, take_in
from catalog.prices import price_of
from catalog.queries import GetCurrency, GetProduct, ListProducts
from catalog.stock_commands import CountStock, GetStock, StockLevel

if TYPE_CHECKING:
    from bus.dispatch import Bus

SHOWN_FAULTS = 1000
"""Faults of an import that are printed; more than anybody reads."""


def commands(shop: Open) -> typer.Typer:
    """`shop catalog ...`"""
    app = typer.Typer(help="Products, prices, pictures and stock.", no_args_is_help=True)

    @app.command("import")
    def take(
        file: Path = typer.Argument(
            help="A price list, .json or .csv.", exists=True, dir_okay=False
        ),
        images: Path | None = typer.Option(
            None, help="Where the pictures are.", exists=True, file_okay=False
        ),
        currency: str | None = typer.Option(
            None, help="What the prices are in: the shop's currency."
        ),
        stock: int = typer.Option(
            0, min=0, max=MAX_ON_HAND, help="Pieces of each SKU that is new."
        ),
        as_json: bool = AsJson,
    ) -> None:
        """Bring a price list into the catalog; a bad row is reported, and the rest go in."""
        with shop() as running, progress() as bars:
            bar = bars.add_task("rows", total=None)

            def on_progress(done: int, rows: int) -> None:
                bars.update(bar, completed=done, total=rows)

            wanted = currency.upper() if currency else None
            outcome = running.run(
                take_in(
                    running.bus, file,
                    images=images, currency=wanted, stock=stock, on_progress=on_progress,
                )
            )  # fmt: skip
        tell(outcome, as_json=as_json)

    @app.command("list")
    def list_all(
        q: str = typer.Option("", help="Words to find."),
        category: str = typer.Option("", help="Only this category."),
        as_json: bool = AsJson,
    ) -> None:
        """Every product, newest first."""

        async def collect(running: Running) -> list[dict[str, Any]]:
            head = await running.platform.contexts["catalog"].log.head()
            asked = ListProducts(q=q, category=category, limit=100, min_position=head)
            return [product async for product in products(running.bus, asked)]

        with shop() as running:
            found = running.run(collect(running))
        columns = ("product_id", "name", "brand", "category", "skus", "price", "available")
        show(found if as_json else [*map(line, found)], columns, as_json=as_json)

    @app.command("show")
    def show_product(
        id: str = typer.Argument(help="A product or a SKU."), as_json: bool = AsJson
    ) -> None:
        """A product, its prices and its stock."""
        with shop() as running:
            product, stock = running.run(look(running.bus, id))
        if as_json:
            levels = [level.model_dump() for level in stock]
            show_one({**product, "stock": levels}, as_json=True)
            return
        texts = ("product_id", "name", "brand", "category", "description")
        show_one({text: product[text] for text in texts}, as_json=False)
        columns = ("sku", "name", "price", "on_hand", "reserved", "allocated", "available")
        rows = [{**level.model_dump(), "price": str(level.price)} for level in stock]
        show(rows, columns, as_json=False)

    @app.command()
    def price(
        sku: str, amount: str = typer.Argument(help="Such as 10.50."), as_json: bool = AsJson
    ) -> None:
        """Sell a SKU at another price from now on."""

        async def change(bus: Bus) -> StockLevel:
            new = price_of(amount, await bus.ask(GetCurrency()))
            await known(bus, sku)
            await bus.send(ChangePrice(sku=sku, price=new))
            return await known(bus, sku)

        with shop() as running:
            level = running.run(change(running.bus))
        tell_level(level, as_json=as_json)

    @app.command()
    def stock(
        sku: str,
        quantity: int = typer.Argument(min=0, max=MAX_ON_HAND, help="Pieces in the house."),
        reason: str = typer.Option("counted", help="Why it is so many."),
        as_json: bool = AsJson,
    ) -> None:
        """Set how many pieces of a SKU there are in the house."""

        async def change(bus: Bus) -> StockLevel:
            await known(bus, sku)
            await bus.send(CountStock(sku=sku, on_hand=quantity, reason=reason))
            return await known(bus, sku)

        with shop() as running:
            level = running.run(change(running.bus))
        tell_level(level, as_json=as_json)

    return app


def tell(outcome: Outcome, *, as_json: bool) -> None:
    """What became of an import: the sum on stdout, faults on stderr; exit 1 if there are any."""
    for where, reason in outcome.faults[:SHOWN_FAULTS]:
        typer.echo(f"{where}: {reason}", err=True)
    if outcome.unused:
        typer.echo(f"not used: {', '.join(outcome.unused)}", err=True)
    counts = {
        "rows": outcome.rows,
        "products_new": outcome.new,
        "products_changed": outcome.changed,
        "products_unchanged": outcome.unchanged,
        "pictures": outcome.pictures,
        "faults": len(outcome.faults),
    }
    show_one(counts, as_json=as_json)
    if outcome.faults:
        fail(f"{len(outcome.faults)} of {outcome.rows} rows could not be imported")


def tell_level(level: StockLevel, *, as_json: bool) -> None:
    """How a SKU stands after a change."""
    fields = level.model_dump()
    show_one(fields if as_json else {**fields, "price": str(level.price)}, as_json=as_json)


async def products(bus: Bus, asked: ListProducts) -> AsyncIterator[dict[str, Any]]:
    """Every product that matches, page by page."""
    while True:
        page = await bus.ask(asked)
        for body in page.data:
            product: dict[str, Any] = json.loads(body)
            asked = asked.model_copy(update={"starting_after": product["product_id"]})
            yield product
        if not page.has_more:
            return


async def look(bus: Bus, id: str) -> tuple[dict[str, Any], tuple[StockLevel, ...]]:
    """A product by its own id or by one of its SKUs, and the stock of all its variants."""
    levels = await bus.ask(GetStock(skus=(id,)))
    try:
        found: Document = await bus.ask(
            GetProduct.model_construct(product_id=levels[0].product_id if levels else id)
        )
    except NotFound:
        raise NotFound("unknown_product", f"there is no product and no SKU {id}") from None
    product: dict[str, Any] = json.loads(found.body)
    skus = tuple(variant["sku"] for variant in product["variants"])
    return product, await bus.ask(GetStock(skus=skus))


async def known(bus: Bus, sku: str) -> StockLevel:
    """A SKU's stock; refused with `unknown_sku`."""
    found = await bus.ask(GetStock(skus=(sku,)))
    if not found:
        raise NotFound("unknown_sku", f"nothing is sold under SKU {sku}: see `shop catalog list`")
    return found[0]


def line(product: dict[str, Any]) -> dict[str, object]:
    """A product as a line of a table."""
    variants = product["variants"]
    prices = sorted((v["price"] for v in variants), key=lambda price: int(price["amount"]))
    return {
        **product,
        "skus": ", ".join(v["sku"] for v in variants),
        "price": str(Money(**prices[0])) if prices else "",
        "available": sum(v["available"] for v in variants),
    }
