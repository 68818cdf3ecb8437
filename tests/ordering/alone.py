"""Ordering alone, at work, for tests to talk to: of the others it hears what the test says."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

from pymongo import MongoClient
from redis.asyncio import Redis

from bus.context import Context
from bus.envelope import Envelope, sealed
from bus.messages import Command, Done, Event, Money, Principal, Query, Refused, now
from bus.platform import Platform
from bus.signing import Signer
from bus.streams import Kind
from bus.transport import InProcess, Transport
from catalog.contract import (
    AllocateStock,
    AllocationFailed,
    FindShort,
    GetOffers,
    Offer,
    Offers,
    ReleaseStock,
    ReserveStock,
    RestockStock,
    ShipStock,
    StockDenied,
    StockReserved,
)
from delivery.contract import (
    CancelDelivery,
    DeliveryCancelled,
    DeliveryDelivered,
    DeliveryPickedUp,
    DeliveryQuote,
    DeliveryReturned,
    DeliveryScheduled,
    FreeSlot,
    HoldSlot,
    QuoteDelivery,
    ScheduleDelivery,
    Slot,
)
from ordering.contract import Item, Means, OrderDocument, PlaceOrder
from ordering.module import register
from ordering.order import Order
from ordering.views import orders
from payment.contract import (
    AuthorizePayment,
    Balance,
    CancelPayment,
    CapturePayment,
    GetBalance,
    PaymentActionRequired,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentDeclined,
    PaymentLapsed,
    PaymentRefunded,
    PaymentVoided,
    RefundPayment,
)
from tests.ordering.histories import DELIVERY, DOOR, NOTHING, PRICE
from tests.waiting import eventually

R = TypeVar("R")

WEBSHOP = Principal(scope="shop", name="webshop")
RIVAL = Principal(scope="shop", name="rival")

SIGNER = Signer(lambda: [b"key"])

Answer = Callable[[Any], Event | None]


def _silent(state: object, event: Event) -> None:
    """What others think of their own events is not ordering's business."""


def stays_silent(command: Command[Any]) -> Event | None:
    """No answer, for now."""
    return None


def reserved(asked: ReserveStock) -> Event:
    return StockReserved(
        reservation_id=asked.reservation_id, lines=asked.lines, expires_at=asked.expires_at
    )


def denied(asked: ReserveStock) -> Event:
    skus = tuple(line.sku for line in asked.lines)
    return StockDenied(reservation_id=asked.reservation_id, reason="out_of_stock", skus=skus)


def authorized(asked: AuthorizePayment) -> Event:
    return PaymentAuthorized(
        payment_id=asked.payment_id,
        reference=asked.reference,
        attempt=asked.attempt,
        amount=asked.amount,
    )


def declined(asked: AuthorizePayment) -> Event:
    return PaymentDeclined(
        payment_id=asked.payment_id,
        reference=asked.reference,
        attempt=asked.attempt,
        reason="card_declined",
    )


def scheduled(asked: ScheduleDelivery) -> Event:
    return DeliveryScheduled(
        delivery_id=asked.delivery_id,
        reference=asked.reference,
        warehouse_id=asked.warehouse_id,
        destination=asked.destination,
        carrier="house",
        tracking_number="1",
    )


def voided(asked: CancelPayment) -> Event:
    return PaymentVoided(payment_id=asked.payment_id, reference=asked.reference)


def refunded(asked: RefundPayment) -> Event:
    return PaymentRefunded(
        payment_id=asked.payment_id,
        reference=asked.payment_id.replace("pay_", "ord_"),
        amount=asked.amount,
        refund_id=asked.refund_id,
    )


def nobody_comes(asked: CancelDelivery) -> Event:
    return DeliveryCancelled(delivery_id=asked.delivery_id, reference=asked.reference)


@dataclass
class Others:
    """Catalog, payment and delivery as a test wants them."""

    answers: dict[type[Command[Any]], Answer] = field(
        default_factory=lambda: {
            ReserveStock: reserved,
            AllocateStock: stays_silent,
            ReleaseStock: stays_silent,
            ShipStock: stays_silent,
            AuthorizePayment: authorized,
            CapturePayment: stays_silent,
            CancelPayment: voided,
            ScheduleDelivery: scheduled,
            CancelDelivery: nobody_comes,
            FreeSlot: stays_silent,
            RestockStock: stays_silent,
            RefundPayment: refunded,
        }
    )
    told: list[Command[Any]] = field(default_factory=list)
    under: list[str] = field(default_factory=list)
    """The ids under which it was told."""
    price: Money = PRICE
    way_costs: Money = DELIVERY
    stocked: tuple[str, ...] | None = None
    """Who has all of what is asked for; `None`: any may send it."""
    short_anywhere: tuple[str, ...] = ()
    short_in_slot: tuple[str, ...] = ()
    """What is short where several would send it, and where the first of them has to."""
    asked_for: list[FindShort] = field(default_factory=list)
    credit: Money = NOTHING
    """What every buyer has of store credit."""
    looked_up: list[str] = field(default_factory=list)
    """The buyers whose store credit was asked for."""
    refuses: Refused | None = None
    """What a quote for the way is refused with."""
    slot: Slot | None = None
    """The one slot there is."""
    held: list[HoldSlot] = field(default_factory=list)
    """The places that were held in it."""

    async def offers(self, query: GetOffers, envelope: Envelope[GetOffers]) -> Offers:
        """Everything is a mug, but for SKUs that begin with NO."""
        offers = (
            Offer(sku=lot.sku, product_id="p", product_name="Mug", price=self.price, available=9)
            for lot in query.pieces
            if not lot.sku.startswith("NO")
        )
        return Offers(offers=tuple(offers), stocked=self.stocked)

    async def short(self, query: FindShort, envelope: Envelope[FindShort]) -> tuple[str, ...]:
        self.asked_for.append(query)
        return self.short_in_slot if query.first_sends else self.short_anywhere

    async def way(self, query: QuoteDelivery, envelope: Envelope[QuoteDelivery]) -> DeliveryQuote:
        if self.refuses is not None:
            raise self.refuses
        return DeliveryQuote(
            cost=self.way_costs,
            warehouse_id="vaduz",
            distance_m=1000,
            duration_s=60,
            warehouses=("vaduz", "sargans"),
            slots=(self.slot,) if self.slot is not None and query.with_slots else (),
        )

    async def hold(self, command: HoldSlot, envelope: Envelope[HoldSlot]) -> Slot:
        if self.slot is None or command.slot_id != self.slot.slot_id:
            raise Refused("unknown_slot", f"there is no slot {command.slot_id}")
        self.held.append(command)
        return self.slot

    async def balance(self, query: GetBalance, envelope: Envelope[GetBalance]) -> Balance:
        self.looked_up.append(query.buyer_id)
        return Balance(
            buyer_id=query.buyer_id,
            balance=self.credit,
            held=self.credit.zero(),
            available=self.credit,
        )

    def told_to(self, kind: type[Command[Any]]) -> list[Any]:
        """The commands of a kind that ordering has sent."""
        return [command for command in self.told if type(command) is kind]


class Alone:
    """Ordering at work, with the others' logs beside it."""

    def __init__(self, platform: Platform, others: Others, home: Context) -> None:
        self.platform = platform
        self.bus = platform.bus
        self.others = others
        self.home = home

    async def say(self, event: Event) -> None:
        """One of the others tells what has happened."""
        context = self.platform.contexts[event.type_name.partition(".")[0]]
        subject = getattr(event, "reference", None) or event.reservation_id  # type: ignore[attr-defined]
        stream = Kind("subject", _silent)(subject)
        await context.streams.decide(
            stream, lambda _: [event], sealed(AllocateStock(reservation_id="x"))
        )

    async def place(
        self,
        principal: Principal = WEBSHOP,
        key: str | None = None,
        body: str = "body",
        **changes: Any,
    ) -> Done[OrderDocument]:
        """Place an order for two mugs, under an idempotency key if one is given."""
        order = PlaceOrder.model_validate({**ORDER, **changes})
        if key is None:
            return await self.bus.send(order, principal=principal)
        found: Done[OrderDocument] = await self.bus.deliver(
            sealed(order, id=key, principal=principal, fingerprint=body)
        )
        return found

    async def send(self, command: Command[R], principal: Principal = WEBSHOP) -> R:
        return await self.bus.send(command, principal=principal)

    async def ask(self, query: Query[R], principal: Principal = WEBSHOP) -> R:
        return await self.bus.ask(query, principal=principal)

    async def state(self, order_id: str) -> Order:
        """The order by replay of its stream."""
        state: Order | None = None
        for event, _ in await self.home.log.stream(orders(order_id).name):
            state = orders.evolve(state, event)
        assert state is not None
        return state

    async def completed(self, **changes: Any) -> OrderDocument:
        """An order that is delivered and paid for."""
        order = (await self.place(**changes)).answer
        whose: Any = {"delivery_id": order.delivery_id, "reference": order.order_id}
        await self.comes_to(order.order_id, fulfillment_status="scheduled")
        await self.say(DeliveryPickedUp(**whose, at=now()))
        await self.comes_to(order.order_id, fulfillment_status="shipped")
        await self.say(
            PaymentCaptured(
                payment_id=order.payment_id, reference=order.order_id, amount=order.total
            )
        )
        await self.say(DeliveryDelivered(**whose, at=now()))
        await self.comes_to(order.order_id, status="completed")
        return order

    async def comes_to(self, order_id: str, **fields: str) -> Order:
        """The order, as soon as it has come so far."""

        async def look() -> Any:
            order = await self.state(order_id)
            there = all(getattr(order, field) == value for field, value in fields.items())
            return order if there else None

        found: Order = await eventually(look)
        return found

    async def happened(self, order_id: str) -> list[str]:
        """The names of what has happened to an order."""
        return [
            event.type_name.partition(".")[2]
            for event, _ in await self.home.log.stream(orders(order_id).name)
        ]


ORDER: dict[str, Any] = {
    "buyer_id": "b1",
    "items": (Item(sku="MUG", quantity=2),),
    "destination": DOOR,
    "payment": Means(method="card", token="pm_card_visa"),
}
"""A body for `PlaceOrder`: 2 x 10.50 and 50.00 for the way make 71.00."""

Open = Callable[..., AbstractAsyncContextManager[Alone]]


@asynccontextmanager
async def at_work(
    mongo: MongoClient[dict[str, Any]],
    prefix: str,
    redis_url: str | None,
    *,
    transport: Transport | None = None,
    others: Others | None = None,
    expiry: timedelta = timedelta(minutes=30),
    quote_validity: timedelta = timedelta(minutes=15),
    work: bool = True,
) -> AsyncIterator[Alone]:
    """Ordering at work on these databases."""
    redis = Redis.from_url(redis_url) if redis_url else None
    platform = Platform(mongo, redis, prefix, transport or InProcess())
    others = others or Others()
    for name, events in PUBLIC.items():
        platform.context(name, events=events)
    platform.bus.handle(GetOffers, others.offers)
    platform.bus.handle(FindShort, others.short)
    platform.bus.handle(QuoteDelivery, others.way)
    platform.bus.handle(GetBalance, others.balance)
    platform.bus.handle(HoldSlot, others.hold)
    home = register(
        platform,
        signer=SIGNER,
        quote_validity=quote_validity,
        expiry=expiry,
        reservation_ttl=expiry,
    )
    alone = Alone(platform, others, home)

    async def hear(command: Command[Any], envelope: Envelope[Any]) -> None:
        others.told.append(command)
        others.under.append(envelope.id)
        answer = others.answers[type(command)](command)
        if answer is not None:
            await alone.say(answer)

    for command in others.answers:
        platform.bus.handle(command, hear)
    await platform.start(work=work)
    try:
        yield alone
    finally:
        await platform.stop()
        if redis is not None:
            await redis.aclose()


PUBLIC: dict[str, tuple[type[Event], ...]] = {
    "catalog": (StockReserved, StockDenied, AllocationFailed),
    "payment": (
        PaymentAuthorized,
        PaymentDeclined,
        PaymentActionRequired,
        PaymentCaptured,
        PaymentLapsed,
        PaymentVoided,
        PaymentRefunded,
    ),
    "delivery": (
        DeliveryScheduled,
        DeliveryPickedUp,
        DeliveryDelivered,
        DeliveryReturned,
        DeliveryCancelled,
    ),
}
