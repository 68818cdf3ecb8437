"""From basket to order: what it costs, and an order at that price."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from bus.context import Context
from bus.dispatch import Bus
from bus.envelope import Envelope
from bus.messages import Done, Refused, derived_id, now
from bus.signing import Signer
from catalog.contract import FindShort, GetOffers, Lot, Offers
from delivery.contract import DeliveryQuote, HoldSlot, QuoteDelivery
from ordering import commands as steps
from ordering import pricing, rules
from ordering.contract import Item, OrderDocument, PlaceOrder, Quote, QuoteBasket, Slot
from ordering.order import OrderPlaced
from ordering.promise import Promise, at_promised_prices, check_promise, promised
from ordering.rules import known
from ordering.views import orders, present
from payment.contract import GetBalance

QUOTE = "quote"
"""What the tokens are for that quotes are named by."""


class Placing:
    """Quotes baskets, and takes orders in."""

    def __init__(
        self,
        bus: Bus,
        home: Context,
        signer: Signer,
        *,
        quote_validity: timedelta,
        expiry: timedelta,
        reservation_ttl: timedelta,
    ) -> None:
        self._bus = bus
        self._home = home
        self._signer = signer
        self._quote_validity = quote_validity
        self._expiry = expiry
        self._reservation_ttl = reservation_ttl

    async def quote(self, query: QuoteBasket, envelope: Envelope[QuoteBasket]) -> Quote:
        """What the basket costs now, and for a while. Writes nothing: the promise is in its id."""
        priced, found = await self._price(query, envelope, with_slots=True)
        enough = pricing.in_stock(query.items, found.offers)
        if all(enough) and pricing.must_be_shared(found, priced.way):
            priced, enough = await self._shared(query, priced, envelope)
        until = now() + self._quote_validity
        promise = promised(priced, query, envelope.principal.name, until)
        quote_id = await self._signer.sign(QUOTE, promise.model_dump(mode="json"))
        return pricing.quote(priced, enough, quote_id, until)

    async def place(self, command: PlaceOrder, envelope: Envelope[Any]) -> Done[OrderDocument]:
        """Quote again, then commit the order at those prices, or at those agreed on or promised."""
        order_id = f"ord_{derived_id('order', envelope.id)}"
        if command.slot_id is not None and await self._home.streams.earlier(envelope) is not None:
            return await self._as_placed(order_id)  # and no place is held for another body's
        try:
            placed = await self._placed(order_id, command, envelope)
        except Refused:
            # What is refused today may have been accepted yesterday, under the same key.
            if await self._home.streams.earlier(envelope) is None:
                raise
            return await self._as_placed(order_id)
        decided = await self._home.streams.decide(
            orders(order_id), lambda order: rules.place(order, placed), envelope, new=True
        )
        if decided.commit is None or decided.repeated:
            return await self._as_placed(order_id)
        order = known(decided.state, order_id)
        return Done(answer=present(order, decided.version), position=decided.commit.position)

    async def _shared(
        self, query: QuoteBasket, priced: pricing.Priced, envelope: Envelope[QuoteBasket]
    ) -> tuple[pricing.Priced, tuple[bool, ...]]:
        """What several warehouses can send together, by the rules of a reservation. Slots are those
        of the quoted one, which then has to send a part."""
        way = priced.way
        asked = FindShort(pieces=lots(query.items), warehouses=way.warehouses)
        short = await self._bus.ask(asked, envelope)
        if way.slots:
            first = {"warehouses": pricing.first_of_all(way), "first_sends": True}
            lacking = await self._bus.ask(asked.model_copy(update=first), envelope)
            way = way.model_copy(update={"slots": ()}) if lacking else way
        enough = tuple(item.sku not in short for item in query.items)
        return priced._replace(way=way), enough

    async def _as_placed(self, order_id: str) -> Done[OrderDocument]:
        """The first answer again: the order as it was when it was placed."""
        history = await self._home.log.history(orders(order_id).name)
        (placed,) = history[0].events
        order = orders.evolve(None, placed.event)
        return Done(
            answer=present(order, placed.version), position=history[0].position, repeated=True
        )

    async def _placed(
        self, order_id: str, command: PlaceOrder, envelope: Envelope[Any]
    ) -> OrderPlaced:
        if command.quote_id is None:
            priced, _ = await self._price(command, envelope)
        else:
            priced = await self._as_promised(command, command.quote_id, envelope)
        total, way = priced.total, priced.way
        pricing.check_total(total, command.expected_total)
        pricing.check_payable(total)
        if command.payment.method == "store_credit":
            query = GetBalance(buyer_id=command.buyer_id)
            pricing.check_credit(total, await self._bus.ask(query, envelope))
        at = now()
        expires_at = at + self._expiry
        # Last, so that nothing is held for what is refused.
        slot = await self._held(order_id, command.slot_id, way, expires_at, envelope)
        return OrderPlaced(
            order_id=order_id,
            client=envelope.principal.name,
            buyer_id=command.buyer_id,
            items=priced.items,
            destination=command.destination,
            product_cost=priced.goods,
            delivery_cost=way.cost,
            total=total,
            means=command.payment,
            payment_id=order_id.replace("ord_", "pay_"),
            delivery_id=order_id.replace("ord_", "dlv_"),
            warehouse_id=way.warehouse_id,
            warehouses=way.warehouses if slot is None else pricing.first_of_all(way),
            slot=slot,
            agreed=isinstance(command, steps.PlaceAgreedOrder) or command.quote_id is not None,
            at=at,
            reserved_until=at + self._reservation_ttl,
            expires_at=expires_at,
        )

    async def _as_promised(
        self, command: PlaceOrder, quote_id: str, envelope: Envelope[Any]
    ) -> pricing.Priced:
        """The basket at the prices of a quote. Who sends it is decided anew, as for any order."""
        signed = await self._signer.read(QUOTE, quote_id)
        promise = Promise.model_validate(signed, strict=False)
        check_promise(promise, command, envelope.principal.name, now())
        items = at_promised_prices(promise, command.items)
        priced, _ = await self._price(command.model_copy(update={"items": items}), envelope)
        way = priced.way.model_copy(update={"cost": promise.way_costs})
        return priced._replace(way=way)

    async def _held(
        self,
        order_id: str,
        slot_id: str | None,
        way: DeliveryQuote,
        until: datetime,
        envelope: Envelope[Any],
    ) -> Slot | None:
        """The slot that was chosen, with a place in it kept for as long as the order may wait for
        its money. Should the order never be written, it lapses."""
        if slot_id is None:
            return None
        wanted = HoldSlot(
            slot_id=slot_id,
            reference=order_id,
            warehouse_id=way.warehouse_id,
            zone_id=way.zone_id,
            until=until,
        )
        return pricing.slot_of(await self._bus.send(wanted, envelope))

    async def _price(
        self,
        basket: QuoteBasket | PlaceOrder,
        envelope: Envelope[Any],
        *,
        with_slots: bool = False,
    ) -> tuple[pricing.Priced, Offers]:
        """The basket at today's prices, and what they were made of."""
        found = await self._bus.ask(GetOffers(pieces=lots(basket.items)), envelope)
        items = pricing.price_items(basket.items, found.offers)
        goods = pricing.product_cost(items)
        weight_g, unweighed = pricing.weigh(basket.items, found.offers)
        wanted = QuoteDelivery(
            destination=basket.destination,
            goods=goods,
            stocked=found.stocked,
            weight_g=weight_g,
            unweighed=unweighed,
            with_slots=with_slots,
        )
        way = await self._bus.ask(wanted, envelope)
        return pricing.with_delivery(items, goods, way), found


def lots(items: Iterable[Item]) -> tuple[Lot, ...]:
    """The pieces of a basket, as the catalog counts them."""
    return tuple(Lot(sku=item.sku, quantity=item.quantity) for item in items)
