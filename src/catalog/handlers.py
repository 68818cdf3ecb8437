"""What a command or question to the catalog does: load, decide, append."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bus.envelope import Envelope
from bus.messages import Event, Money, NotFound, Refused
from bus.streams import Happening, Kind, States, Stream, Streams
from catalog import item, product, reservation
from catalog.commands import (
    ChangePrice,
    CountStock,
    GetCurrency,
    GetStock,
    HasProducts,
    LapseReservation,
    Listing,
    ListProduct,
    Picture,
    StockLevel,
    StorePicture,
)
from catalog.contract import (
    AllocateStock,
    GetOffers,
    Offer,
    ReleaseStock,
    ReserveStock,
    RestockStock,
    ShipStock,
)
from catalog.gallery import Gallery
from catalog.item import Item, ItemEvent
from catalog.prices import MAX_PRICE
from catalog.product import ProductListed
from catalog.reservation import Items, Reservation

products = Kind("product", product.evolve)
items = Kind("sku", item.evolve)
reservations = Kind("reservation", reservation.evolve)


@dataclass(frozen=True, slots=True)
class Storeroom:
    """Keeps stock for those who have ordered it."""

    streams: Streams

    async def reserve(self, command: ReserveStock, envelope: Envelope[ReserveStock]) -> None:
        """All lines, or none."""
        own = reservations(command.reservation_id)
        skus = dict.fromkeys(line.sku for line in command.lines)

        def decide(kept: Reservation | None, found: Items) -> list[Event]:
            return reservation.reserve(kept, found, command)

        await self._decide(own, skus, decide, envelope, new=own)

    async def allocate(self, command: AllocateStock, envelope: Envelope[AllocateStock]) -> None:
        """It is paid for."""
        id = command.reservation_id
        await self._settle(id, lambda kept, found: reservation.allocate(kept, found, id), envelope)

    async def release(self, command: ReleaseStock, envelope: Envelope[ReleaseStock]) -> None:
        """Nobody wants it any more."""
        id = command.reservation_id
        await self._settle(id, lambda kept, _: reservation.release(kept, id), envelope)

    async def ship(self, command: ShipStock, envelope: Envelope[ShipStock]) -> None:
        """It has left the house."""
        id = command.reservation_id
        await self._settle(id, lambda kept, _: reservation.ship(kept, id), envelope)

    async def restock(self, command: RestockStock, envelope: Envelope[RestockStock]) -> None:
        """Some of it came back."""
        await self._settle(
            command.reservation_id, lambda kept, _: reservation.restock(kept, command), envelope
        )

    async def lapse(self, command: LapseReservation, envelope: Envelope[LapseReservation]) -> None:
        """Nobody has paid in time."""
        id = command.reservation_id
        await self._settle(id, lambda kept, _: reservation.lapse(kept, id), envelope)

    async def offers(self, query: GetOffers, envelope: Envelope[GetOffers]) -> tuple[Offer, ...]:
        """What is sold under these SKUs, from memory."""
        skus = tuple(dict.fromkeys(query.skus))
        found = await self.streams.load_all([items(sku) for sku in skus])
        return tuple(
            Offer(
                sku=sku,
                product_id=one.product_id,
                product_name=one.name,
                price=one.price,
                available=one.available,
            )
            for sku, one in zip(skus, found, strict=True)
            if one is not None
        )

    async def stock(self, query: GetStock, envelope: Envelope[GetStock]) -> tuple[StockLevel, ...]:
        """All counters of these SKUs."""
        skus = tuple(dict.fromkeys(query.skus))
        found = await self.streams.load_all([items(sku) for sku in skus])
        return tuple(
            StockLevel(
                sku=sku,
                product_id=one.product_id,
                name=one.name,
                price=one.price,
                on_hand=one.on_hand,
                reserved=one.reserved,
                allocated=one.allocated,
                available=one.available,
            )
            for sku, one in zip(skus, found, strict=True)
            if one is not None
        )

    async def _settle(
        self,
        id: str,
        decision: Callable[[Reservation | None, Items], list[Event]],
        envelope: Envelope[Any],
    ) -> None:
        own = reservations(id)
        kept = (await self.streams.load(own)).state
        # What a reservation holds never changes once it stands.
        await self._decide(own, kept.pieces if kept else (), decision, envelope)

    async def _decide(
        self,
        own: Stream[Reservation],
        skus: Iterable[str],
        decision: Callable[[Reservation | None, Items], list[Event]],
        envelope: Envelope[Any],
        *,
        new: Stream[Reservation] | None = None,
    ) -> None:
        goods = {sku: items(sku) for sku in skus}

        def happenings(states: States) -> list[Happening]:
            found = {sku: states[stream] for sku, stream in goods.items()}
            return placed(decision(states[own], found), own, goods)

        await self.streams.decide_all((own, *goods.values()), happenings, envelope, new=new)


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
            return placed(product.offer(states[own], found, command), own, goods)

        commit = await self.streams.decide_all((own, *goods.values()), happenings, envelope)
        happened = commit.events if commit else ()
        new = any(each.kind is ProductListed for each in happened)
        return Listing(new=new, changes=len(happened))

    async def change_price(self, command: ChangePrice, envelope: Envelope[ChangePrice]) -> None:
        """Another price from now on."""
        self._check(command.price)
        await self.streams.decide(
            items(command.sku),
            lambda one: item.change_price(known(one, command.sku), command.sku, command.price),
            envelope,
        )

    async def count_stock(self, command: CountStock, envelope: Envelope[CountStock]) -> None:
        """What is on hand is what was counted."""
        sku, on_hand, reason = command.sku, command.on_hand, command.reason
        await self.streams.decide(
            items(sku), lambda one: item.count(known(one, sku), sku, on_hand, reason), envelope
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

    def _check(self, price: Money) -> None:
        if price.currency != self.currency:
            raise Refused(
                "wrong_currency",
                f"the price is in {price.currency}, but this shop sells in {self.currency}: "
                f"give it in {self.currency}",
            )
        if price.amount > MAX_PRICE:
            raise Refused(
                "invalid_price", f"a piece may cost {MAX_PRICE} minor units, not {price.amount}"
            )


def placed(
    events: Iterable[Event], own: Stream[Any], goods: Mapping[str, Stream[Item]]
) -> list[Happening]:
    """Each event on its stream: an item's on the SKU's, the others on the decision's own."""
    return [(goods[event.sku] if isinstance(event, ItemEvent) else own, event) for event in events]


def known(found: Item | None, sku: str) -> Item:
    """The item; refused with `unknown_sku` when nothing is sold under it."""
    if found is None:
        raise NotFound("unknown_sku", f"nothing is sold under SKU {sku}: list it first", sku=sku)
    return found
