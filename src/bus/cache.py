"""Read models in Redis: bytes ready to send, each with its version; an older one never replaces a
newer.

Redis is never needed, nor ever believed: an entry says up to which position of the log it is
right, and who reads it asks `Freshness` whether that will do. So it does no harm when Redis misses
an entry, nor when it keeps one that nobody could replace. When it is away or slow the cache answers
nothing, at once, until it is back.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any, NamedTuple, TypeVar

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from bus.batch import Batch
from bus.faults import told
from bus.messages import now
from bus.metrics import CACHE

T = TypeVar("T")

TIMEOUT = 0.1
"""Seconds after which Redis counts as away."""

COOL_DOWN = 1.0
"""Seconds for which an away Redis is not asked."""

TOGETHER = 1000
"""Entries forgotten, recalled or kept at once."""

TTL = 24 * 3600
"""Seconds after which an entry that nobody renews is gone."""

PUT = """
local function order(entry)
  local version, position = string.match(entry or '', '^(%d+) (%d+) [^\\n]*\\n')
  return tonumber(version) or -1, tonumber(position)
end
for n = 1, #KEYS do
  local version, position = order(ARGV[n + 1])
  local there, known = order(redis.call('GET', KEYS[n]))
  if there < version or (there == version and known < position) then
    redis.call('SET', KEYS[n], ARGV[n + 1], 'EX', ARGV[1])
  end
end
"""
"""ARGV: seconds to live, then an entry for each key: `<version> <position> <owner>`, a line feed,
the bytes."""

log = structlog.get_logger(__name__)


class Entry(NamedTuple):
    """What is cached: the version shown, the position of the log up to which there is no newer one,
    whose it is, and the bytes."""

    version: int
    position: int
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
        self._hits, self._misses, self._unasked = map(CACHE.labels, ("hit", "miss", "away"))
        self._script = redis.register_script(PUT) if redis is not None else None

    @property
    def away(self) -> bool:
        """Whether Redis is not asked at the moment."""
        return self._redis is None or time.monotonic() < self._away_until

    async def get(self, key: str) -> Entry | None:
        """The entry, or `None` when it isn't there or Redis can't say."""
        entry = None
        if not self.away:
            value = await self._get(key)
            entry = None if value is None else entry_from(value)
        (self._hits if entry else self._unasked if self.away else self._misses).inc()
        return entry

    async def put(self, key: str, entry: Entry) -> None:
        """Keep an entry, unless a newer one is there. Never raises for Redis' sake."""
        if not self.away:
            await self._put((key, entry))

    async def put_all(self, entries: list[tuple[str, Entry]]) -> None:
        """Keep many entries, as `put` does each."""
        if not self.away:
            await self._put_many(entries)

    async def drop(self, keys: Sequence[str]) -> bool:
        """Forget entries; whether Redis has heard of it."""
        redis = self._redis
        if redis is None:
            return True
        for start in range(0, len(keys), TOGETHER):
            some = [f"{self._prefix}:{key}" for key in keys[start : start + TOGETHER]]
            if self.away or await self._guarded(partial(redis.unlink, *some)) is None:
                return False
        return True

    async def recall(self, keys: Sequence[str]) -> list[bytes | None]:
        """What `keep` has kept; `None` where that is nothing, or Redis can't say."""
        found: list[bytes | None] = []
        for start in range(0, len(keys), TOGETHER):
            some = list(keys[start : start + TOGETHER])
            found += [None] * len(some) if self.away else await self._get_many(some)
        return found

    async def keep(self, values: Mapping[str, tuple[bytes, datetime]]) -> None:
        """Keep plain bytes until then, or a day at most. Never raises for Redis' sake."""
        redis, at, left = self._redis, now(), iter(values.items())
        while redis is not None and not self.away and (some := list(islice(left, TOGETHER))):
            pipeline = redis.pipeline(transaction=False)
            for key, (value, until) in some:
                seconds = min(int((until - at).total_seconds()), TTL)
                if seconds > 0:
                    pipeline.set(f"{self._prefix}:{key}", value, ex=seconds)
            await self._guarded(pipeline.execute)

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
        if script is not None:
            keys = [f"{self._prefix}:{key}" for key, _ in entries]
            values = [
                b"%d %d %s\n%s" % (version, position, owner.encode(), body)
                for _, (version, position, owner, body) in entries
            ]
            await self._guarded(lambda: script(keys, [TTL, *values]))
        return [None] * len(entries)

    async def _guarded(self, call: Callable[[], Awaitable[T]]) -> T | None:
        try:
            async with asyncio.timeout(TIMEOUT):
                return await call()
        except (RedisError, OSError, TimeoutError) as error:
            self._away_until = time.monotonic() + COOL_DOWN
            log.warning("cache.away", seconds=COOL_DOWN, error=told(error))
            return None


def entry_from(value: bytes) -> Entry | None:
    """A stored entry; `None` for what is no entry, whoever put it there."""
    head, _, body = value.partition(b"\n")
    try:
        version, position, owner = head.split(b" ", 2)
        return Entry(int(version), int(position), owner.decode(), body) if body else None
    except ValueError:
        return None
