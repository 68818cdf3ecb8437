"""Read models in Redis: bytes ready to send, each with its version; an older one never replaces a
newer.

Redis is never needed. When it is away or slow the cache answers nothing, at once, until it is back.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, TypeVar

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from bus.batch import Batch

T = TypeVar("T")

TIMEOUT = 0.1
"""Seconds after which Redis counts as away."""

COOL_DOWN = 1.0
"""Seconds for which an away Redis is not asked."""

TTL = 24 * 3600
"""Seconds after which an entry that nobody renews is gone."""

PUT = """
for n = 1, #KEYS do
  local there = redis.call('GET', KEYS[n])
  local version = tonumber(ARGV[2 * n])
  if not there or tonumber(string.match(there, '^%d+')) < version then
    redis.call('SET', KEYS[n], ARGV[2 * n + 1], 'EX', ARGV[1])
  end
end
"""
"""ARGV: seconds to live, then version and value for each key; a value begins with its version."""

log = structlog.get_logger(__name__)


class Entry(NamedTuple):
    """What is cached: the version shown, whose it is, and the bytes."""

    version: int
    owner: str
    body: bytes


class Cache:
    """Entries under `<prefix>:<key>`."""

    def __init__(self, redis: Redis | None, prefix: str) -> None:
        self._redis = redis
        self._prefix = prefix
        self._away_until = 0.0
        self._get = Batch(self._get_many)
        self._put = Batch(self._put_many)
        self._script = redis.register_script(PUT) if redis is not None else None

    @property
    def away(self) -> bool:
        """Whether Redis is not asked at the moment."""
        return self._redis is None or time.monotonic() < self._away_until

    async def get(self, key: str) -> Entry | None:
        """The entry, or `None` when it isn't there or Redis can't say."""
        if self.away:
            return None
        value = await self._get(key)
        if value is None:
            return None
        head, _, body = value.partition(b"\n")
        version, _, owner = head.partition(b" ")
        return Entry(int(version), owner.decode(), body)

    async def put(self, key: str, entry: Entry) -> None:
        """Keep an entry, unless a newer one is there. Never raises for Redis' sake."""
        if not self.away:
            await self._put((key, entry))

    async def put_all(self, entries: list[tuple[str, Entry]]) -> None:
        """Keep many entries, as `put` does each."""
        if not self.away:
            await self._put_many(entries)

    async def _get_many(self, keys: list[str]) -> list[bytes | None]:
        redis = self._redis
        if redis is None:
            return [None] * len(keys)
        found: Any = await self._guarded(
            lambda: redis.mget([f"{self._prefix}:{key}" for key in keys])
        )
        return found if found is not None else [None] * len(keys)

    async def _put_many(self, entries: list[tuple[str, Entry]]) -> list[None]:
        script = self._script
        if script is None:
            return [None] * len(entries)
        arguments: list[Any] = [TTL]
        for _, (version, owner, body) in entries:
            arguments += (version, b"%d %s\n%s" % (version, owner.encode(), body))
        await self._guarded(
            lambda: script([f"{self._prefix}:{key}" for key, _ in entries], arguments)
        )
        return [None] * len(entries)

    async def _guarded(self, call: Callable[[], Awaitable[T]]) -> T | None:
        try:
            async with asyncio.timeout(TIMEOUT):
                return await call()
        except (RedisError, OSError, TimeoutError) as error:
            self._away_until = time.monotonic() + COOL_DOWN
            log.warning("cache.away", seconds=COOL_DOWN, error=repr(error))
            return None
