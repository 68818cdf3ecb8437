"""What the shop's own people do to what is sold: load, decide, append."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from bus.envelope import Envelope
from bus.messages import Event, now
from bus.streams import Happening, Kind, States, Stream, Streams
from catalog import listing, product
from catalog.commands import (
    ArchiveProduct,
    CallOffPrice,
    ChangePrice,
    Listing,
    ListProduct,
    Picture,
    PublishProduct,
    StorePicture,
)
from catalog.contract import GetCurrency
from catalog.gallery import Gallery
from catalog.item import Item
from catalog.listing import Items
from catalog.price_list import call_off_price, change_price
from catalog.product import Product, ProductListed
from catalog.queries import HasProducts, PreviewProduct
from catalog.storeroom import items, known, placed

products = Kind("product", product.evolve)

Decision = Callable[[Product | None, Items], list[Event]]


class Grown(Exception):
    """A product has got a variant that was not looked for."""


@dataclass(frozen=True, slots=True)
class Shelves:
    """Decides what the shop sells, and at what price."""

    streams: Streams
    gallery: Gallery
    currency: str

    async def list_product(self, command: ListProduct, envelope: Envelope[ListProduct]) -> Listing:
        """A product and its variants in one commit: so a SKU belongs to one product only."""
        own = products(command.product_id)
        goods = {variant.sku: items(variant.sku) for variant in command.variants}

        def decide(states: States) -> list[Happening]:
            found = {sku: states[stream] for sku, stream in goods.items()}
            return placed(listing.offer(states[own], found, command, now()), own, goods)

        commit = await self.streams.decide_all((own, *goods.values()), decide, envelope)
        happened = commit.events if commit else ()
        new = any(each.kind is ProductListed for each in happened)
        return Listing(new=new, changes=len(happened))

    async def publish(self, command: PublishProduct, envelope: Envelope[PublishProduct]) -> None:
        """Buyers see it, and may buy it."""
        id, why = command.product_id, command.reason
        await self._with_goods(id, lambda it, goods: listing.publish(it, goods, id, why), envelope)

    async def archive(self, command: ArchiveProduct, envelope: Envelope[ArchiveProduct]) -> None:
        """Nobody sees it any more, nor buys it."""
        id, why = command.product_id, command.reason
        await self._with_goods(id, lambda it, goods: listing.archive(it, goods, id, why), envelope)

    async def change_price(self, command: ChangePrice, envelope: Envelope[ChangePrice]) -> None:
        """Another price from now on, or from a moment to come."""
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

    async def preview(self, query: PreviewProduct, envelope: Envelope[PreviewProduct]) -> Listing:
        """The decision that listing it would be, with nothing written."""
        wanted = query.product
        state = (await self.streams.load(products(wanted.product_id))).state
        skus = [variant.sku for variant in wanted.variants]
        found = await self.streams.load_all([items(sku) for sku in skus])
        events = listing.offer(state, dict(zip(skus, found, strict=True)), wanted, now())
        return Listing(new=state is None, changes=len(events))

    async def has_products(self, query: HasProducts, envelope: Envelope[HasProducts]) -> bool:
        """The log begins with the first product."""
        return await self.streams.log.head() > 0

    async def _with_goods(
        self,
        id: str,
        decision: Decision,
        envelope: Envelope[Any],
    ) -> None:
        """Decide on a product and all that is sold of it, in one commit."""
        own = products(id)
        while True:
            known = (await self.streams.load(own)).state
            goods = {each.sku: items(each.sku) for each in (known.variants if known else ())}
            on_all = partial(happenings, own, goods, decision)
            with suppress(Grown):
                await self.streams.decide_all((own, *goods.values()), on_all, envelope)
                return


def happenings(
    own: Stream[Product], goods: Mapping[str, Stream[Item]], decision: Decision, states: States
) -> list[Happening]:
    """What is decided on a product and all that is sold of it; raises `Grown`."""
    latest = states[own]
    if latest is not None and any(variant.sku not in goods for variant in latest.variants):
        raise Grown
    found = {sku: states[stream] for sku, stream in goods.items()}
    return placed(decision(latest, found), own, goods)
