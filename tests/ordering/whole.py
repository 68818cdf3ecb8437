"""The whole shop in this process, with a gateway that does as a test says, and books to check."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal, TypeVar

from dependency_injector import providers
from pymongo.database import Database

from bus.messages import Address, Command, Event, Money, Position, Principal, Query
from bus.platform import Platform
from catalog.commands import ListProduct, Offered
from catalog.contract import ANYWHERE
from catalog.stock_commands import GetStock, ReceiveStock, StockLevel
from delivery.commands import AddWarehouse, RecordCheckpoint
from delivery.contract import Scan
from ordering.contract import (
    TERMINAL,
    CancelOrder,
    Item,
    Means,
    OrderDocument,
    PayOrder,
    PlaceOrder,
)
from ordering.order import Order, OrderPlaced, evolve
from ordering.views import orders, present
from payment.builtin import BuiltinGateway
from payment.gateway import Outcome
from shop.container import Shop
from shop.settings import Settings
from tests.ordering.shelves import Shelf, shelved
from tests.waiting import eventually

R = TypeVar("R")

WEBSHOP = Principal(scope="shop", name="webshop")

SKU = "MUG"

PIECES = 100

DOOR = Address(
    house_number="1",
    road="Feldkircher Strasse",
    district="Schaan",
    postcode="9494",
    country="LI",
    position=Position(lat=47.167366, lon=9.509978),
)
WAREHOUSE = DOOR.model_copy(update={"position": Position(lat=47.1415, lon=9.5215)})
ZURICH = WAREHOUSE.model_copy(
    update={"district": "Zürich", "country": "CH", "position": Position(lat=47.367, lon=8.55)}
)
WAREHOUSES = {"vaduz": WAREHOUSE, "zurich": ZURICH}
"""The nearest first."""


class Halting(BuiltinGateway):
    """The built-in gateway, whose answers to authorizations (or the calls) can be held up."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        super().__init__(database, slow=0)
        self.halts: Literal["before", "after"] | None = None
        self.under_way = asyncio.Event()
        self.goes_on = asyncio.Event()

    async def authorize(self, key: str, amount: Money, token: str, reference: str) -> Outcome:
        if self.halts == "before":
            await self._halt()
        outcome = await super().authorize(key, amount, token, reference)
        if self.halts == "after":
            await self._halt()
        return outcome

    async def _halt(self) -> None:
        self.under_way.set()
        await self.goes_on.wait()


class Whole:
    """A running shop."""

    def __init__(self, platform: Platform, gateway: Halting, payments: Database[Any]) -> None:
        self.platform = platform
        self.bus = platform.bus
        self.gateway = gateway
        self.goods = {SKU: {ANYWHERE: PIECES}}
        """How many pieces there are to sell of what, and where."""
        self.begun: list[asyncio.Task[Any]] = []
        """What is under way when the shop stops; it is waited for."""
        self._ledger = payments["gateway_ledger"]

    async def stock_up(self, pieces: int = PIECES, **places: int) -> None:
        """A warehouse, and one thing to sell: so many pieces, or so many in each of `places`."""
        for id, address in (WAREHOUSES if places else {"vaduz": WAREHOUSE}).items():
            await self.bus.send(AddWarehouse(warehouse_id=id, name=id, address=address))
        self.goods = {}
        await self.sell(SKU, **(places or {ANYWHERE: pieces}))

    async def sell(self, sku: str, **places: int) -> None:
        """One more thing to sell."""
        price = Money(amount=12_50, currency="EUR")
        mug = Offered(sku=sku, name=sku, price=price, on_hand=places.get(ANYWHERE, 0))
        await self.bus.send(ListProduct(product_id=sku, name="Mug", variants=(mug,)))
        for place in places.keys() - {ANYWHERE}:
            await self.bus.send(ReceiveStock(sku=sku, quantity=places[place], warehouse_id=place))
        self.goods[sku] = places

    async def place(
        self,
        token: str = "pm_card_visa",
        quantity: int = 1,
        slot_id: str | None = None,
        quote_id: str | None = None,
        **pieces: int,
    ) -> OrderDocument:
        """So many pieces of the one thing, or so many `pieces` of several."""
        wanted = pieces or {SKU: quantity}
        order = PlaceOrder(
            buyer_id="b1",
            items=tuple(Item(sku=sku, quantity=number) for sku, number in wanted.items()),
            destination=DOOR,
            payment=Means(method="card", token=token),
            slot_id=slot_id,
            quote_id=quote_id,
        )
        return (await self.send(order)).answer

    async def pay(self, order: OrderDocument, token: str = "pm_card_visa") -> None:
        await self.send(PayOrder(order_id=order.order_id, method="card", token=token))

    async def cancel(self, order: OrderDocument) -> None:
        await self.send(CancelOrder(order_id=order.order_id))

    async def carrier(self, order: OrderDocument, *scans: Scan, shipment: int = 1) -> None:
        id = order.delivery_id if shipment == 1 else f"{order.delivery_id}-{shipment}"
        for scan in scans:
            await self.bus.send(RecordCheckpoint(delivery_id=id, status=scan))

    async def send(self, command: Command[R]) -> R:
        return await self.bus.send(command, principal=WEBSHOP)

    async def ask(self, query: Query[R]) -> R:
        return await self.bus.ask(query, principal=WEBSHOP)

    async def events(self, context: str, stream: str) -> list[Event]:
        log = self.platform.contexts[context].log
        return [event for event, _ in await log.stream(stream)]

    async def all_orders(self) -> list[OrderDocument]:
        """Every order there is, as it was placed."""
        commits = await self.platform.contexts["ordering"].log.read(0, limit=10_000)
        events = [happened.event for commit in commits for happened in commit.events]
        return [present(evolve(None, e), 1) for e in events if isinstance(e, OrderPlaced)]

    async def happened(self, order: OrderDocument) -> list[str]:
        """The names of what has happened to an order."""
        found = await self.events("ordering", f"order-{order.order_id}")
        return [event.type_name.partition(".")[2] for event in found]

    async def state(self, order: OrderDocument) -> Order:
        state: Order | None = None
        for event in await self.events("ordering", f"order-{order.order_id}"):
            state = orders.evolve(state, event)
        assert state is not None
        return state

    async def comes_to(self, order: OrderDocument, **fields: str) -> Order:
        """The order, as soon as it has come so far."""

        async def look() -> Any:
            state = await self.state(order)
            return state if all(getattr(state, k) == v for k, v in fields.items()) else None

        found: Order = await eventually(look)
        return found

    async def comes_to_rest(self, order: OrderDocument) -> Order:
        """The order, once nothing is under way any more."""

        async def look() -> Any:
            state = await self.state(order)
            return state if at_rest(state) else None

        found: Order = await eventually(look)
        return found

    async def stock(self) -> StockLevel:
        (level,) = await self.ask(GetStock(skus=(SKU,)))
        return level

    async def stock_becomes(self, **fields: int) -> None:
        async def look() -> Any:
            level = await self.stock()
            return all(getattr(level, k) == v for k, v in fields.items())

        await eventually(look)

    async def place_becomes(self, sku: str, place: str, counters: tuple[int, int, int]) -> None:
        """On hand, allocated and reserved in a place."""

        async def look() -> Any:
            (level,) = await self.ask(GetStock(skus=(sku,)))
            (found,) = (each for each in level.places if each.warehouse_id == place)
            return (found.on_hand, found.allocated, found.reserved) == counters

        await eventually(look)

    def calls(self, order: OrderDocument, operation: str) -> set[str]:
        """The authorizations of an order that the gateway has made, captured, voided, refunded."""
        found = self._ledger.find(
            {
                "operation": operation,
                "outcome.type": "approved",
                "authorization": {"$regex": f"^{order.payment_id}:"},
            }
        )
        return {call["authorization"] for call in found}

    def held(self, order: OrderDocument) -> set[str]:
        """What is set aside for an order at this moment."""
        settled = self.calls(order, "capture") | self.calls(order, "void")
        return self.calls(order, "authorize") - settled

    def charged(self, order: OrderDocument) -> set[str]:
        """What was taken for an order and not given back."""
        return self.calls(order, "capture") - self.calls(order, "refund")

    def parked(self) -> list[dict[str, Any]]:
        """What some reader has given up on."""
        return [
            each
            for context in self.platform.contexts.values()
            for each in context.database["parked"].find()
        ]

    async def check_books(self, *placed: OrderDocument) -> None:
        """What must hold once these orders, which are all there are, have come to rest."""
        assert self.parked() == []
        shelves: Counter[Shelf] = Counter()
        for order in placed:
            state = await self.state(order)
            held, charged = self.held(order), self.charged(order)
            if state.payment_status == "partially_refunded":
                charged |= self.calls(order, "capture")
            assert len(held) + len(charged) == (state.status in ("confirmed", "completed")), state
            paid = state.payment_status in ("captured", "partially_refunded")
            assert len(charged) == paid, state
            shelves += shelved(state)
        for sku, places in self.goods.items():
            for place, pieces in places.items():
                gone, kept, waiting = (
                    sum(n for shelf, n in shelves.items() if shelf.holds(sku, place, how))
                    for how in ("gone", "kept", "waiting")
                )
                await self.place_becomes(sku, place, (pieces - gone, kept, waiting))


def at_rest(order: Order) -> bool:
    """Whether all that can be done without anybody's doing has been done."""
    if any(each.status == "received" for each in order.returns):
        return False
    if order.status in TERMINAL:
        return True
    if order.status == "pending":
        return order.payment_status in ("declined", "requires_action")
    if any(each.status == "unfulfilled" for each in order.shipments):
        return False
    if order.status == "confirmed":
        return order.fulfillment_status == "scheduled" or (
            order.payment_status == "captured" and order.fulfillment_status == "shipped"
        )
    return False


def settings_of(mongodb_url: str, redis_url: str, prefix: str, **settings: Any) -> Settings:
    """The settings of a shop on these servers."""
    return Settings(
        _env_file=None,
        mongodb_url=mongodb_url,
        redis_url=redis_url,
        mongodb_prefix=prefix,
        **settings,
    )


def put_together(settings: Settings) -> tuple[Shop, Whole]:
    """A shop with the test's gateway, not started yet."""
    shop = Shop(settings=settings)
    payments = shop.mongo()[f"{settings.mongodb_prefix}_payment"]
    gateway = Halting(payments)
    shop.gateway.override(providers.Object(gateway))
    shop.contexts()
    return shop, Whole(shop.platform(), gateway, payments)


@asynccontextmanager
async def running(settings: Settings, *, work: bool = True) -> AsyncIterator[Whole]:
    """A shop at work."""
    shop, whole = put_together(settings)
    await whole.platform.start(work=work)
    try:
        yield whole
    finally:
        whole.gateway.goes_on.set()
        await whole.platform.stop()
        await asyncio.gather(*whole.begun)  # else it would open Redis again
        await shop.redis().aclose()
        shop.mongo().close()
