"""Read models in Redis: bytes ready to send, each with its version; an older one never replaces a
newer.

Redis is never needed. When it is away or slow the cache answers nothing, at once, until it is back.
"""

from __future__ import annotations

import asyncio
import time
import weakref
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

OWED = 10_000
"""Entries kept whole for a Redis that is away."""

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

        self._owed: dict[str, Entry] = {}
        self._paying: asyncio.Task[None] | None = None

    @property
    def away(self) -> bool:
        """Whether Redis is not asked at the moment.

        That is so while it owes an answer, and until it has been told what it missed: it still
        holds what was true before.
        """
        return self._redis is None or bool(self._owed) or time.monotonic() < self._away_until

    async def get(self, key: str) -> Entry | None:
        """The entry, or `None` when it isn't there or Redis can't say."""
        if self.away:
            return None
        value = await self._get(key)
        if value is None:
            return None
        head, _, body = value.partition(b"\n")
        if not body:
            return None
        version, _, owner = head.partition(b" ")
        return Entry(int(version), owner.decode(), body)

    async def put(self, key: str, entry: Entry) -> None:
        """Keep an entry, unless a newer one is there. Never raises for Redis' sake."""
        if self.away:
            self._owe([(key, entry)])
        else:
            await self._put((key, entry))

    async def put_all(self, entries: list[tuple[str, Entry]]) -> None:
        """Keep many entries, as `put` does each."""
        if self.away:
            self._owe(entries)
        else:
            await self._put_many(entries)

    def _owe(self, entries: list[tuple[str, Entry]]) -> None:
        """Remember what Redis has to be told when it is back."""
        if self._redis is None:
            return
        for key, entry in entries:
            known = self._owed.get(key)
            if known is None or known.version < entry.version:
                # Of very many, only that what Redis holds is old: an empty entry is never right.
                self._owed[key] = entry if len(self._owed) < OWED else entry._replace(body=b"")
        if self._paying is None or self._paying.done():
            self._paying = asyncio.create_task(_pay(weakref.ref(self)))

    async def pay(self) -> bool:
        """Tell Redis what it missed; whether it has heard all of it."""
        owed, rest = list(self._owed.items()), 500
        for first in range(0, len(owed), rest):
            some = owed[first : first + rest]
            if not await self._send(some):
                return False
            for key, entry in some:
                if self._owed.get(key) is entry:
                    del self._owed[key]
        return not self._owed

    async def _get_many(self, keys: list[str]) -> list[bytes | None]:
        redis = self._redis
        if redis is None:
            return [None] * len(keys)
        found: Any = await self._guarded(
            lambda: redis.mget([f"{self._prefix}:{key}" for key in keys])
        )
        return found if found is not None else [None] * len(keys)

    async def _put_many(self, entries: list[tuple[str, Entry]]) -> list[None]:
        if not await self._send(entries):
            self._owe(entries)
        return [None] * len(entries)

    async def _send(self, entries: list[tuple[str, Entry]]) -> bool:
        """Whether Redis has heard it."""
        script = self._script
        if script is None:
            return False
        arguments: list[Any] = [TTL]
        for _, (version, owner, body) in entries:
            arguments += (version, b"%d %s\n%s" % (version, owner.encode(), body))

        async def put() -> bool:
            await script([f"{self._prefix}:{key}" for key, _ in entries], arguments)
            return True

        return bool(await self._guarded(put))

    async def _guarded(self, call: Callable[[], Awaitable[T]]) -> T | None:
        try:
            async with asyncio.timeout(TIMEOUT):
                return await call()
        except (RedisError, OSError, TimeoutError) as error:
            self._away_until = time.monotonic() + COOL_DOWN
            log.warning("cache.away", seconds=COOL_DOWN, error=repr(error))
            return None


async def _pay(reference: weakref.ref[Cache]) -> None:
    """Tell Redis what it missed, as soon as it listens; ends with the cache."""
    while True:
        await asyncio.sleep(COOL_DOWN)
        cache = reference()
        if cache is None or await cache.pay():
            return
        del cache
