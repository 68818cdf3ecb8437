"""What the storeroom does when told to: load, decide, append."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bus.envelope import Envelope
from bus.messages import Event, NotFound, now
from bus.snapshots import Shape
from bus.streams import Happening, Kind, States, Stream, Streams
from catalog import item, reservation, shipping
from catalog import stock as rules
from catalog.contract import (
    AllocateStock,
    FindShort,
    GetOffers,
    Offer,
    Offers,
    ReleaseStock,
    ReserveStock,
    RestockStock,
    ShipStock,
)
from catalog.item import Item, ItemEvent, Level
from catalog.prices import price_at
from catalog.reservation import Reservation
from catalog.sourcing import MOST_SHIPMENTS, Items, lacking, pieces_of, servers, stocked
from catalog.stock_commands import (
    AdjustStock,
    AllowBackorder,
    CountStock,
    GetStock,
    LapseReservation,
    PlaceLevel,
    ReceiveStock,
    SetLowStock,
    StockLevel,
)

items = Kind("sku", item.evolve, Shape(Item))
reservations = Kind("reservation", reservation.evolve)


@dataclass(frozen=True, slots=True)
class Storeroom:
    """Keeps stock for those who have ordered it, at one warehouse or at no more than `most`, and
    counts what there is."""

    streams: Streams
    currency: str
    most: int = MOST_SHIPMENTS

    async def reserve(self, command: ReserveStock, envelope: Envelope[ReserveStock]) -> None:
        """All lines, or none."""
        own = reservations(command.reservation_id)
        skus = dict.fromkeys(line.sku for line in command.lines)

        def decide(kept: Reservation | None, found: Items) -> list[Event]:
            return reservation.reserve(kept, found, command, now(), self.most)

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
        """It has left the house, or a part of it."""
        id, part = command.reservation_id, command.warehouse_id
        await self._settle(id, lambda kept, _: shipping.ship(kept, id, part), envelope)

    async def restock(self, command: RestockStock, envelope: Envelope[RestockStock]) -> None:
        """Some of it came back."""
        await self._settle(
            command.reservation_id, lambda kept, _: shipping.restock(kept, command), envelope
        )

    async def lapse(self, command: LapseReservation, envelope: Envelope[LapseReservation]) -> None:
        """Nobody has paid in time."""
        id = command.reservation_id
        await self._settle(id, lambda kept, _: reservation.lapse(kept, id), envelope)

    async def offers(self, query: GetOffers, envelope: Envelope[GetOffers]) -> Offers:
        """What is sold under these SKUs, and who has it, from memory."""
        pieces = pieces_of(query.pieces)
        found = await self._found(pieces)
        offers = (offer(sku, one, self.currency, now()) for sku, one in found.items())
        return Offers(
            offers=tuple(each for each in offers if each is not None),
            stocked=stocked(found, pieces),
        )

    async def find_short(self, query: FindShort, envelope: Envelope[FindShort]) -> tuple[str, ...]:
        """What these warehouses could not send, by the rules of a reservation; from memory."""
        pieces = pieces_of(query.pieces)
        found = await self._found(pieces)
        near, first = query.warehouses, query.first_sends
        if servers(found, pieces, near, self.most, first_sends=first):
            return ()
        return lacking(found, pieces, near, first_sends=first)

    async def stock(self, query: GetStock, envelope: Envelope[GetStock]) -> tuple[StockLevel, ...]:
        """All counters of these SKUs."""
        skus = tuple(dict.fromkeys(query.skus))
        return tuple(
            level(sku, one, self.currency, now())
            for sku, one in (await self._found(skus)).items()
            if one is not None
        )

    async def count(self, command: CountStock, envelope: Envelope[CountStock]) -> None:
        """What is on hand is what was counted."""
        on_hand, why, place = command.on_hand, command.reason, command.warehouse_id
        await self._change(
            command.sku, lambda it: rules.count(it, command.sku, on_hand, why, place), envelope
        )

    async def adjust(self, command: AdjustStock, envelope: Envelope[AdjustStock]) -> None:
        """There is more or less than we thought."""
        change, why, place = command.change, command.reason, command.warehouse_id
        await self._change(
            command.sku, lambda it: rules.adjust(it, command.sku, change, why, place), envelope
        )

    async def receive(self, command: ReceiveStock, envelope: Envelope[ReceiveStock]) -> None:
        """More has come."""
        quantity, why, place = command.quantity, command.reason, command.warehouse_id
        await self._change(
            command.sku, lambda it: rules.receive(it, command.sku, quantity, why, place), envelope
        )

    async def allow_backorder(
        self, command: AllowBackorder, envelope: Envelope[AllowBackorder]
    ) -> None:
        """It may be sold before it is there, or no longer."""
        sku, allowed, why = command.sku, command.allowed, command.reason
        await self._change(
            sku, lambda it: rules.allow_backorder(it, sku, allowed=allowed, reason=why), envelope
        )

    async def set_low_stock(self, command: SetLowStock, envelope: Envelope[SetLowStock]) -> None:
        """How few are few."""
        sku, threshold, why = command.sku, command.threshold, command.reason
        await self._change(sku, lambda it: rules.set_low_stock(it, sku, threshold, why), envelope)

    async def _found(self, skus: Iterable[str]) -> Items:
        names = tuple(skus)
        loaded = await self.streams.load_all([items(sku) for sku in names])
        return dict(zip(names, loaded, strict=True))

    async def _change(
        self, sku: str, rule: Callable[[Item], list[Event]], envelope: Envelope[Any]
    ) -> None:
        await self.streams.decide(items(sku), lambda one: rule(known(one, sku)), envelope)

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


def offer(sku: str, one: Item | None, currency: str, at: datetime) -> Offer | None:
    """What is sold under a SKU; nothing where it is not for sale, or not in that currency."""
    price = price_at(one.prices, currency, at) if one is not None else None
    if one is None or price is None or not one.for_sale:
        return None
    return Offer(
        sku=sku,
        product_id=one.product_id,
        product_name=one.name,
        price=price,
        available=max(one.available, 0),
        backorder=one.backorder,
        weight_g=one.weight_g,
    )


def level(sku: str, one: Item, currency: str, at: datetime) -> StockLevel:
    """All counters of a SKU, together and place by place."""
    total = one.total
    return StockLevel(
        sku=sku,
        product_id=one.product_id,
        name=one.name,
        price=price_at(one.prices, currency, at),
        on_hand=total.on_hand,
        reserved=total.reserved,
        allocated=total.allocated,
        available=total.available,
        backorder=one.backorder,
        low_at=one.low_at,
        places=tuple(at_place(id, there) for id, there in sorted(one.levels.items())),
    )


def at_place(warehouse_id: str, there: Level) -> PlaceLevel:
    """The counters of one place."""
    return PlaceLevel(
        warehouse_id=warehouse_id,
        on_hand=there.on_hand,
        reserved=there.reserved,
        allocated=there.allocated,
        available=there.available,
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
