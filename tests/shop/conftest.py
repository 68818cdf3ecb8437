"""A shop in the test's process: all contexts, the whole surface, the real servers."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from PIL import Image
from pymongo import MongoClient

from bus.messages import Address, Money, Position
from bus.tracing import record
from catalog.commands import ListProduct, Offered, StorePicture
from delivery.commands import AddWarehouse
from ordering.routes import BASKET
from shop import embedded
from shop.protocol import Protocol
from shop.running import assembled
from shop.settings import Settings
from shop.spans import OpenTelemetry
from shop.web import surface
from tests.shop import issuers
from tests.shop.clients import Client, Running

MUGS = ("MUG-BLUE", "MUG-RED")


@asynccontextmanager
async def replica(servers: embedded.Servers, prefix: str, folder: Path) -> AsyncIterator[Running]:
    """One process of a shop, so to speak."""
    (folder / "issuer.json").write_bytes(issuers.key_set())
    parts = assembled(
        Settings(
            _env_file=None,
            data_dir=folder,
            mongodb_url=servers.mongodb_url,
            redis_url=servers.redis_url,
            mongodb_prefix=prefix,
            jwt_issuer=issuers.NAME,
            jwt_audience=issuers.AUDIENCE,
            jwt_jwks=str(folder / "issuer.json"),
        )
    )
    running = Running(
        surface(parts.platform(), parts.doors(), parts.endpoints()),
        parts.platform(),
        parts.keys(),
        parts.endpoints(),
    )
    await running.platform.start(work=True)
    yield running
    await running.platform.stop()
    await parts.doors().close()
    await parts.redis().aclose()
    parts.mongo().close()


@pytest.fixture(scope="session")
async def shop(
    servers: embedded.Servers, mongo: MongoClient[dict[str, Any]], tmp_path_factory: Any
) -> AsyncIterator[Running]:
    """A shop with mugs (1890), plenty of them, and one as dear as can be."""
    prefix = f"surface{uuid4().hex[:10]}"
    async with replica(servers, prefix, tmp_path_factory.mktemp("surface")) as running:
        await _stocked(running)
        yield running
    for database in mongo.list_database_names():
        if database.startswith(prefix):
            mongo.drop_database(database)


@pytest.fixture
async def another(
    shop: Running, servers: embedded.Servers, tmp_path: Path
) -> AsyncIterator[Running]:
    """Another replica of it."""
    prefix = shop.platform.contexts["ordering"].database.name.removesuffix("_ordering")
    async with replica(servers, prefix, tmp_path) as running:
        yield running


async def _stocked(shop: Running) -> None:
    send = shop.platform.bus.send
    price = Money(amount=1890, currency="EUR")
    mugs = [Offered(sku=sku, name=sku.title(), price=price, on_hand=1_000_000) for sku in MUGS]
    drawn = BytesIO()
    Image.new("RGB", (32, 32), "navy").save(drawn, "PNG")
    picture = await send(StorePicture(content=drawn.getvalue()))
    await send(ListProduct(product_id="mug", name="Mug", variants=tuple(mugs), pictures=(picture,)))
    dear = Offered(sku="DEAR", name="Dear", price=Money(amount=10**9, currency="EUR"), on_hand=9)
    await send(ListProduct(product_id="dear", name="Dear", variants=(dear,)))
    scarce = Offered(sku="SCARCE", name="Scarce", price=price, on_hand=1)
    await send(ListProduct(product_id="scarce", name="Scarce", variants=(scarce,)))
    vaduz = Position(lat=47.1415, lon=9.5215)
    address = Address(**{**BASKET["destination"], "district": "Vaduz"}, position=vaduz)
    await send(AddWarehouse(warehouse_id="vaduz", name="Vaduz", address=address))


@pytest.fixture
async def web(shop: Running) -> Client:
    """A web shop's server that has no orders yet."""
    return await shop.client()


@pytest.fixture
async def carrier(shop: Running) -> Client:
    """A carrier."""
    return await shop.client("carrier")


@pytest.fixture
def issuer() -> issuers.Known:
    """An issuer of tokens that is trusted."""
    return issuers.Known()


@pytest.fixture
def exporter() -> Iterator[InMemorySpanExporter]:
    """What this process records."""
    kept = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    record(OpenTelemetry(provider))
    yield kept
    record(None)
    provider.shutdown()


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Protocol]:
    """The server's ends of the connections, as they are made."""
    found: list[Protocol] = []
    begin = Protocol.connection_made

    def noted(self: Protocol, transport: asyncio.Transport) -> None:
        found.append(self)
        begin(self, transport)

    monkeypatch.setattr(Protocol, "connection_made", noted)
    return found
