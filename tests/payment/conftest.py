"""A shop that has only payment, on the real servers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from bus.platform import Platform
from bus.retries import Retries
from bus.transport import InProcess
from payment.builtin import BuiltinGateway
from payment.gateway import Gateway
from payment.module import register
from tests.payment.shop import Open, Shop


@pytest.fixture
def database(mongo: MongoClient[dict[str, Any]], prefix: str) -> Database[dict[str, Any]]:
    return mongo[f"{prefix}_payment"]


@pytest.fixture
def opened(
    mongo: MongoClient[dict[str, Any]], prefix: str, database: Database[dict[str, Any]]
) -> Open:
    @asynccontextmanager
    async def start(
        gateway: Gateway | None = None,
        transport: type[InProcess] = InProcess,
        attempts: int = 8,
    ) -> AsyncIterator[Shop]:
        platform = Platform(mongo, None, prefix, transport(), Retries(attempts))
        register(platform, gateway or BuiltinGateway(database, slow=0), currency="EUR")
        await platform.start(work=True)
        try:
            yield Shop(platform, database)
        finally:
            await platform.stop()

    return start
