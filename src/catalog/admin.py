"""The catalog's part of the CLI."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from bus.console import AsJson, Open, Running, show, show_one
from bus.messages import NotFound
from catalog import import_admin, price_admin, stock_admin
from catalog.commands import ArchiveProduct, PublishProduct
from catalog.price_admin import ADMIN, Reason
from catalog.queries import GetChanges, GetSheet, ListSheets, ProductSheet, SheetVariant
from catalog.stock_admin import Warehouses
from catalog.stock_commands import GetStock, StockLevel

if TYPE_CHECKING:
    from bus.dispatch import Bus

AnyId = Annotated[str, typer.Argument(help="A product or a SKU.")]
ProductId = Annotated[str, typer.Argument(help="A product.")]

PRODUCT = ("product_id", "status", "name", "brand", "category", "skus", "price", "available")
VARIANT = ("sku", "name", "for_sale", "weight_g", "attributes")


def commands(shop: Open, warehouses: Warehouses) -> typer.Typer:
    """`shop catalog ...`"""
    app = typer.Typer(help="Products, prices, pictures and stock.", no_args_is_help=True)
    import_admin.commands(app, shop, warehouses)

    @app.command("list")
    def list_all(
        q: str = typer.Option("", help="Words to find."),
        category: str = typer.Option("", help="Only this category."),
        status: str | None = typer.Option(None, help="Only draft, published or archived ones."),
        as_json: bool = AsJson,
    ) -> None:
        """Every product, newest first."""
        wanted = {"q": q, "category": category, "status": status}

        async def collect(running: Running) -> list[ProductSheet]:
            head = await running.platform.contexts["catalog"].log.head()
            asked = ListSheets.model_validate({**wanted, "min_position": head})
            return [sheet async for sheet in sheets(running.bus, asked)]

        with shop() as running:
            found = running.run(collect(running))
        rows = [sheet.model_dump(mode="json") if as_json else line(sheet) for sheet in found]
        show(rows, PRODUCT, as_json=as_json)

    @app.command("show")
    def show_product(id: AnyId, as_json: bool = AsJson) -> None:
        """A product, its variants, prices and stock."""
        with shop() as running:
            sheet, stock = running.run(look(running.bus, id))
        levels = [level.model_dump(mode="json") for level in stock]
        if as_json:
            show_one({**sheet.model_dump(mode="json"), "stock": levels}, as_json=True)
            return
        show_one(about(sheet), as_json=False)
        show([detail(each) for each in sheet.variants], VARIANT, as_json=False)
        standing = [row for each in sheet.variants for row in price_admin.standing(each)]
        show(standing, price_admin.STANDING, as_json=False)
        show(levels, stock_admin.LEVEL, as_json=False)

    @app.command()
    def publish(id: ProductId, reason: Reason = "", as_json: bool = AsJson) -> None:
        """Show a draft or an archived product to buyers."""
        with shop() as running:
            sheet = running.run(settle(running.bus, PublishProduct, id, reason))
        tell_status(sheet, as_json=as_json)

    @app.command()
    def archive(id: ProductId, reason: Reason = "", as_json: bool = AsJson) -> None:
        """Show a product to nobody any more, and sell nothing of it."""
        with shop() as running:
            sheet = running.run(settle(running.bus, ArchiveProduct, id, reason))
        tell_status(sheet, as_json=as_json)

    @app.command()
    def history(id: AnyId, as_json: bool = AsJson) -> None:
        """All that was changed of a product and its SKUs: when, by whom, what and why."""
        with shop() as running:
            found = running.run(running.bus.ask(GetChanges(id=id), principal=ADMIN))
        rows = [change.model_dump(mode="json") for change in found]
        show(rows, ("at", "who", "id", "what", "why"), as_json=as_json)

    price_admin.commands(app, shop)

    stock_admin.commands(app, shop, warehouses)
    return app


async def sheets(bus: Bus, asked: ListSheets) -> AsyncIterator[ProductSheet]:
    """Every product that matches, page by page."""
    while True:
        found = await bus.ask(asked, principal=ADMIN)
        for sheet in found.data:
            yield sheet
        if found.last is None:
            return
        asked = asked.model_copy(update={"starting_after": found.last})


async def look(bus: Bus, id: str) -> tuple[ProductSheet, tuple[StockLevel, ...]]:
    """A product by its own id or by one of its SKUs, and the stock of all its variants."""
    sheet = await bus.ask(GetSheet(id=id), principal=ADMIN)
    skus = tuple(variant.sku for variant in sheet.variants)
    return sheet, await bus.ask(GetStock(skus=skus), principal=ADMIN)


async def settle(
    bus: Bus, order: type[PublishProduct | ArchiveProduct], id: str, reason: str
) -> ProductSheet:
    """Publish or archive a product, by its own id; how it stands then."""
    sheet = await bus.ask(GetSheet(id=id), principal=ADMIN)
    if sheet.product_id != id:
        raise NotFound(
            "unknown_product", f"{id} is a SKU of product {sheet.product_id}: name the product"
        )
    await bus.send(order(product_id=id, reason=reason), principal=ADMIN)
    return await bus.ask(GetSheet(id=id), principal=ADMIN)


def tell_status(sheet: ProductSheet, *, as_json: bool) -> None:
    """How a product stands after a change."""
    show_one(sheet.model_dump(mode="json") if as_json else about(sheet), as_json=as_json)


def about(sheet: ProductSheet) -> dict[str, object]:
    """What a product's page says, as people read it."""
    texts = ("product_id", "status", "name", "brand", "category")
    return {
        **{text: getattr(sheet, text) for text in texts},
        "categories": ", ".join(sheet.categories),
        "attributes": named(sheet.attributes),
        "pictures": len(sheet.pictures),
        "description": sheet.description,
    }


def detail(variant: SheetVariant) -> dict[str, object]:
    """A variant as a line of a table."""
    for_sale = "yes" if variant.for_sale else "no"
    return {**dict(variant), "for_sale": for_sale, "attributes": named(variant.attributes)}


def line(sheet: ProductSheet) -> dict[str, object]:
    """A product as a line of a table, with its lowest price of now."""
    costs = [variant.costs for variant in sheet.variants if variant.costs is not None]
    return {
        **dict(sheet),
        "skus": ", ".join(variant.sku for variant in sheet.variants),
        "price": min(costs, key=lambda price: price.amount, default=""),
        "available": sum(variant.available for variant in sheet.variants),
    }


def named(attributes: Mapping[str, str]) -> str:
    """Attributes as people read them: `colour: blue, size: L`."""
    return ", ".join(f"{name}: {value}" for name, value in attributes.items())
