"""A shop in memory to import into: the same decisions and states, without a log."""

from datetime import UTC, datetime
from typing import Any

from bus.messages import SYSTEM, Event, Principal
from catalog import item, listing, pictures, product
from catalog.commands import Listing, ListProduct, Picture, StorePicture
from catalog.contract import GetCurrency
from catalog.item import Item, ItemEvent
from catalog.prices import price_at
from catalog.product import Product
from catalog.queries import PreviewProduct
from catalog.stock_commands import GetStock
from catalog.storeroom import level

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Desk:
    """Takes what an import hands in; `written` is what has happened."""

    def __init__(self, currency: str = "EUR") -> None:
        self.currency = currency
        self.items: dict[str, Item] = {}
        self.products: dict[str, Product] = {}
        self.pictures: set[str] = set()
        self.written: list[Event] = []
        self.principals: set[str] = set()

    async def send(self, command: Any, /, *, principal: Principal = SYSTEM) -> Any:
        self.principals.add(str(principal))
        if isinstance(command, StorePicture):
            checked = pictures.check(command.content)
            self.pictures.add(checked.digest)
            return Picture(digest=checked.digest, width=checked.width, height=checked.height)
        assert isinstance(command, ListProduct)
        new = command.product_id not in self.products
        events = self._decide(command)
        for event in events:
            self._happen(command.product_id, event)
        self.written += events
        return Listing(new=new, changes=len(events))

    async def ask(self, query: Any, /, *, principal: Principal = SYSTEM) -> Any:
        match query:
            case GetCurrency():
                return self.currency
            case PreviewProduct(product=wanted):
                new = wanted.product_id not in self.products
                return Listing(new=new, changes=len(self._decide(wanted)))
            case GetStock(skus=skus):
                found = [(sku, self.items[sku]) for sku in skus if sku in self.items]
                return tuple(level(sku, one, self.currency, NOW) for sku, one in found)
        raise AssertionError(query)

    def prices(self, currency: str = "EUR") -> dict[str, int]:
        """What every SKU costs, in minor units."""
        found = {sku: price_at(one.prices, currency, NOW) for sku, one in self.items.items()}
        return {sku: price.amount for sku, price in found.items() if price is not None}

    def _decide(self, wanted: ListProduct) -> list[Event]:
        goods = {variant.sku: self.items.get(variant.sku) for variant in wanted.variants}
        return listing.offer(self.products.get(wanted.product_id), goods, wanted, NOW)

    def _happen(self, id: str, event: Event) -> None:
        if isinstance(event, ItemEvent):
            self.items[event.sku] = item.evolve(self.items.get(event.sku), event)
        else:
            assert isinstance(event, product.ProductEvent)
            self.products[id] = product.evolve(self.products.get(id), event)
