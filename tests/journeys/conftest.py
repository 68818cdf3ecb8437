"""Shops that journeys go through: one whose goods and keys are there already, for most of them."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple
from uuid import uuid4

import pytest
from pymongo import MongoClient

from bus.messages import Address, Money, Position
from catalog.commands import ListProduct, Offered
from catalog.stock_commands import ReceiveStock
from delivery.commands import AddWarehouse
from shop import embedded
from shop.running import assembled
from shop.settings import Settings
from tests.journeys.processes import Process
from tests.journeys.shops import DOOR, TRANSPORTS, Shop, Web, calling

SKUS = [f"THING-{number}" for number in range(40)]
STOCK = 1000


HERE, THERE = "HERE", "THERE"
"""Goods of which all are kept at the near warehouse, and at the far one."""


class Keys(NamedTuple):
    """The keys of a shop: the web shop's, and those of two carriers."""

    web: str
    carrier: str
    vans: str


class Stocked(NamedTuple):
    """A shop with goods, a warehouse and keys, whose databases' names begin with `prefix`."""

    shop: Shop
    keys: Keys
    prefix: str
    mongo: MongoClient[dict[str, Any]]

    def charges(self, order: dict[str, Any]) -> list[tuple[str, str]]:
        """What the gateway's own books hold about an order: operation and outcome."""
        ledger = self.mongo[f"{self.prefix}_payment"]["gateway_ledger"]
        holds = [entry["_id"] for entry in ledger.find({"reference": order["order_id"]})]
        found = ledger.find({"$or": [{"_id": {"$in": holds}}, {"authorization": {"$in": holds}}]})
        return [(e["operation"], e["outcome"]["type"]) for e in found.sort("at", 1)]

    def kept(self, sku: str) -> int:
        """How many pieces of a SKU are kept for somebody, as the catalog decides on it."""
        (product,) = self.shop.rows("catalog", "show", sku)
        (level,) = product["stock"]
        return int(level["reserved"] + level["allocated"])


class Stock:
    """Makes stocked shops on the real servers, each with databases of its own."""

    def __init__(
        self, servers: embedded.Servers, mongo: MongoClient[dict[str, Any]], folders: Any
    ) -> None:
        self._servers = servers
        self._mongo = mongo
        self._folders = folders
        self._prefixes: list[str] = []

    def __call__(self, transport: str = "inprocess", **settings: str) -> Stocked:
        prefix = f"journey{uuid4().hex[:10]}"
        self._prefixes.append(prefix)
        assert self._servers.mongodb_url
        assert self._servers.redis_url
        folder = self._folders.mktemp("shop")
        named = {
            "SHOP_MONGODB_URL": self._servers.mongodb_url,
            "SHOP_REDIS_URL": self._servers.redis_url,
            "SHOP_MONGODB_PREFIX": prefix,
        }
        own = Settings(
            _env_file=None,
            data_dir=folder,
            mongodb_url=self._servers.mongodb_url,
            redis_url=self._servers.redis_url,
            mongodb_prefix=prefix,
        )
        with ThreadPoolExecutor(1) as another:  # this one may have an event loop at work
            keys = another.submit(lambda: asyncio.run(stocked(own))).result()
        return Stocked(Shop(folder, transport, **named, **settings), keys, prefix, self._mongo)

    def clear(self) -> None:
        """Leave nothing behind."""
        for name in self._mongo.list_database_names():
            if name.startswith(tuple(self._prefixes)):
                self._mongo.drop_database(name)


async def stocked(settings: Settings) -> Keys:
    """Fill an empty shop."""
    shop = assembled(settings)
    platform = shop.platform()
    await platform.start(work=False)
    try:
        address = {**DOOR, "house_number": "2", "position": Position(lat=47.1415, lon=9.5215)}
        await platform.bus.send(
            AddWarehouse(warehouse_id="vaduz", name="Vaduz", address=Address(**address))
        )
        far = {**address, "country": "CH", "position": Position(lat=47.367, lon=8.55)}
        await platform.bus.send(
            AddWarehouse(warehouse_id="zurich", name="Zürich", address=Address(**far))
        )
        price = Money(amount=1250, currency=settings.currency)
        await asyncio.gather(
            *(
                platform.bus.send(
                    ListProduct(
                        product_id=sku,
                        name=f"Thing {sku}",
                        variants=(Offered(sku=sku, name=sku, price=price, on_hand=pieces),),
                    )
                )
                for sku, pieces in (*((sku, STOCK) for sku in SKUS), (HERE, 0), (THERE, 0))
            )
        )
        for sku, place in ((HERE, "vaduz"), (THERE, "zurich")):
            await platform.bus.send(ReceiveStock(sku=sku, quantity=STOCK, warehouse_id=place))
        return Keys(
            await shop.keys().create("web", "shop"),
            await shop.keys().create("post", "carrier"),
            await shop.keys().create("vans", "carrier"),
        )
    finally:
        await platform.stop()
        await shop.redis().aclose()
        shop.mongo().close()


@pytest.fixture(scope="session")
def stock(
    servers: embedded.Servers,
    mongo: MongoClient[dict[str, Any]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Stock]:
    """Makes stocked shops."""
    maker = Stock(servers, mongo, tmp_path_factory)
    yield maker
    maker.clear()


def mostly(transport: str) -> Any:
    """The transport of most shops always, the others in the long runs."""
    marks = () if transport == "inprocess" else pytest.mark.long
    return pytest.param(transport, marks=marks)


@pytest.fixture(scope="session", params=map(mostly, TRANSPORTS))
def transport(request: pytest.FixtureRequest) -> str:
    """What carries messages between the contexts of a shop: every journey goes on each."""
    return str(request.param)


@pytest.fixture(scope="session")
def shop(stock: Stock, transport: str) -> Stocked:
    """The shop that most journeys share."""
    return stock(transport)


@pytest.fixture(scope="session")
def served(shop: Stocked) -> Iterator[Process]:
    """Its one process."""
    with shop.shop.serve() as process:
        yield process


@pytest.fixture
async def web(shop: Stocked, served: Process) -> AsyncIterator[Web]:
    """The web shop's server, calling it."""
    async with calling(served.address, shop.keys.web) as caller:
        yield caller


@pytest.fixture
async def carrier(shop: Stocked, served: Process) -> AsyncIterator[Web]:
    """The carrier, calling it."""
    async with calling(served.address, shop.keys.carrier) as caller:
        yield caller


@pytest.fixture
async def vans(shop: Stocked, served: Process) -> AsyncIterator[Web]:
    """Another carrier, calling it."""
    async with calling(served.address, shop.keys.vans) as caller:
        yield caller


_fresh = itertools.cycle(SKUS)


@pytest.fixture
def sku() -> str:
    """Goods that no other journey buys."""
    return next(_fresh)
