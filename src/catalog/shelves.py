"""What the shop's own people do to what is sold: load, decide, append."""

from __future__ import annotations

from dataclasses import dataclass

from bus.envelope import Envelope
from bus.messages import Money, Refused, now
from bus.streams import Happening, Kind, States, Streams
from catalog import product
from catalog.commands import (
    CallOffPrice,
    ChangePrice,
    Listing,
    ListProduct,
    Picture,
    StorePicture,
)
from catalog.gallery import Gallery
from catalog.price_list import call_off_price, change_price
from catalog.prices import MAX_PRICE
from catalog.product import ProductListed
from catalog.queries import GetCurrency, HasProducts
from catalog.storeroom import items, known, placed

products = Kind("product", product.evolve)


@dataclass(frozen=True, slots=True)
class Shelves:
    """Decides what the shop sells, in its one currency."""

    streams: Streams
    gallery: Gallery
    currency: str

    async def list_product(self, command: ListProduct, envelope: Envelope[ListProduct]) -> Listing:
        """A product and its variants in one commit: so a SKU belongs to one product only."""
        for variant in command.variants:
            self._check(variant.price)
        own = products(command.product_id)
        goods = {variant.sku: items(variant.sku) for variant in command.variants}

        def happenings(states: States) -> list[Happening]:
            found = {sku: states[stream] for sku, stream in goods.items()}
            return placed(product.offer(states[own], found, command, now()), own, goods)

        commit = await self.streams.decide_all((own, *goods.values()), happenings, envelope)
        happened = commit.events if commit else ()
        new = any(each.kind is ProductListed for each in happened)
        return Listing(new=new, changes=len(happened))

    async def change_price(self, command: ChangePrice, envelope: Envelope[ChangePrice]) -> None:
        """Another price from now on, or from a moment to come."""
        self._check(command.price)
        sku, price, starts, why = command.sku, command.price, command.starts, command.reason
        await self.streams.decide(
            items(sku),
            lambda one: change_price(known(one, sku), sku, price, now(), starts, why),
            envelope,
        )

    async def call_off_price(self, command: CallOffPrice, envelope: Envelope[CallOffPrice]) -> None:
        """A price that was to come does not."""
        sku, currency, starts = command.sku, command.currency, command.starts
        await self.streams.decide(
            items(sku),
            lambda one: call_off_price(
                known(one, sku), sku, currency, starts, now(), command.reason
            ),
            envelope,
        )

    async def store_picture(
        self, command: StorePicture, envelope: Envelope[StorePicture]
    ) -> Picture:
        """Kept once, however often it comes."""
        return await self.gallery.store(command.content)

    async def get_currency(self, query: GetCurrency, envelope: Envelope[GetCurrency]) -> str:
        """The shop's one currency."""
        return self.currency

    async def has_products(self, query: HasProducts, envelope: Envelope[HasProducts]) -> bool:
        """The log begins with the first product."""
        return await self.streams.log.head() > 0

    @staticmethod
    def _check(price: Money) -> None:
        if price.amount > MAX_PRICE:
            raise Refused(
                "invalid_price", f"a piece may cost {MAX_PRICE} minor units, not {price.amount}"
            )
