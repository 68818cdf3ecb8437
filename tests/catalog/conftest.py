"""A catalog at work on the real servers."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from pymongo import MongoClient

from bus.context import Context
from bus.platform import Platform
from bus.transport import InProcess, Loopback
from catalog.commands import ListProduct, Offered
from catalog.module import register
from tests.catalog.histories import PRICE
from tests.waiting import eventually

Stock = Callable[..., Awaitable[None]]


@pytest.fixture(params=[InProcess])
def transport(request: pytest.FixtureRequest) -> InProcess:
    """In-process, unless a module's `EITHER` asks for more."""
    made: InProcess = request.param()
    return made


EITHER = pytest.mark.parametrize("transport", [InProcess, Loopback], indirect=True)
"""Runs in-process, and again with every message serialised."""


@pytest.fixture
async def platform(
    mongo: MongoClient[dict[str, Any]], prefix: str, transport: InProcess
) -> AsyncIterator[Platform]:
    """A running platform with the catalog on it. (The catalog keeps nothing in Redis.)"""
    platform = Platform(mongo, None, prefix, transport)
    register(platform, most_shipments=2)
    await platform.start(work=True)
    yield platform
    await platform.stop()


@pytest.fixture
def home(platform: Platform) -> Context:
    return platform.contexts["catalog"]


@pytest.fixture
def stock(platform: Platform) -> Stock:
    """Lists a product for each SKU, with so many pieces: `await stock(MUG=5)`."""

    async def list_all(**pieces: int) -> None:
        for sku, on_hand in pieces.items():
            sold = Offered(sku=sku, name=sku.title(), price=PRICE, on_hand=on_hand)
            product = ListProduct(product_id=sku.lower(), name=sku.title(), variants=(sold,))
            await platform.bus.send(product)

    return list_all


async def until(look: Callable[[], Awaitable[bool]]) -> None:
    """Wait until it is so; fails when that takes too long."""
    so: bool = await eventually(look)
    assert so
