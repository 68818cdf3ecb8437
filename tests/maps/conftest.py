"""A memory on the real servers."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database
from redis.asyncio import Redis

from bus import cache as caches
from bus.cache import Cache
from maps import memory as memories
from maps.memory import Memory


@pytest.fixture
def database(mongo: MongoClient[dict[str, Any]], prefix: str) -> Database[dict[str, Any]]:
    return mongo[f"{prefix}_maps"]


@pytest.fixture
async def memory(
    database: Database[dict[str, Any]], redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Memory]:
    """One that waits for its servers, however busy the machine."""
    monkeypatch.setattr(caches, "TIMEOUT", 10.0)
    monkeypatch.setattr(memories, "PATIENCE", 10.0)
    async with Redis.from_url(redis_url) as redis:
        opened = Memory(database, Cache(redis, "test"))
        yield opened
        await opened.close()
