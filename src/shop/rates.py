"""How much one client may ask for: counted here, at once, and told to the other replicas through
Redis, in the background."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable

import structlog
from limits import RateLimitItem
from limits.aio.storage import RedisStorage
from redis.asyncio import Redis
from redis.exceptions import RedisError

from bus.faults import told
from bus.problems import Problem
from bus.tasks import ended

PAUSE = 0.2
"""Seconds between two tellings; while Redis is away, `COOL_DOWN` more."""

COOL_DOWN = 1.0

WITHIN = 0.5
"""Seconds after which Redis counts as away."""

REMEMBERED = 10_000
"""Clients counted at once, at most: who has not asked for longest is forgotten."""

log = structlog.get_logger(__name__)


class _Window:
    """What one client asked for in one stretch of time: here, of that what is told already, and
    elsewhere."""

    __slots__ = ("elsewhere", "here", "number", "told")

    def __init__(self, number: int) -> None:
        self.number = number
        self.here = self.told = self.elsewhere = 0


class Rates:
    """A limit that holds for each client by itself, over all replicas if there is a Redis.

    A replica knows of the others' requests `PAUSE` late: so much more than the limit may get
    through. Without Redis each replica grants the whole limit.
    """

    def __init__(
        self,
        limit: RateLimitItem,
        redis: Redis | None = None,
        prefix: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._limit = limit
        self._span = limit.get_expiry()
        self._clock = clock
        self._windows: dict[str, _Window] = {}  # who has begun one last stands last
        self._untold: dict[str, _Window] = {}
        self._telling: asyncio.Task[None] | None = None
        self._storage = None if redis is None else shared(redis, f"{prefix}:rates")

    def spend(self, who: str) -> None:
        """Count one request; raises `Problem` 429 when it is one too many."""
        window = self._window(who)
        if window.here + window.elsewhere >= self._limit.amount:
            raise self._refusal(window)
        window.here += 1
        if self._storage is not None:
            self._untold[who] = window
            if self._telling is None or self._telling.done():
                self._telling = asyncio.create_task(self._tell(self._storage))

    async def close(self) -> None:
        """Tell nobody any more."""
        if self._telling is not None:
            await ended((self._telling,))

    def _window(self, who: str) -> _Window:
        number = int(self._clock() // self._span)
        window = self._windows.get(who)
        if window is None or window.number != number:
            self._windows.pop(who, None)
            while len(self._windows) >= REMEMBERED:
                del self._windows[next(iter(self._windows))]
            window = self._windows[who] = _Window(number)
        return window

    def _refusal(self, window: _Window) -> Problem:
        left = (window.number + 1) * self._span - self._clock()
        return Problem(
            429,
            "too_many_requests",
            f"you may ask {self._limit}, and have: wait as long as Retry-After says",
            headers={"Retry-After": str(max(1, math.ceil(left)))},
        )

    async def _tell(self, storage: RedisStorage) -> None:
        while self._untold:
            await asyncio.sleep(PAUSE)
            untold, self._untold = self._untold, {}
            try:
                async with asyncio.timeout(WITHIN):
                    for who, window in untold.items():
                        news, window.told = window.here - window.told, window.here
                        key = self._limit.key_for(who, window.number)
                        # Kept for longer than it counts: clocks differ.
                        everybody = await storage.incr(key, 2 * self._span, news)
                        window.elsewhere = max(window.elsewhere, everybody - window.told)
            except (RedisError, OSError, TimeoutError) as error:
                log.warning("rates.redis_away", error=told(error))
                await asyncio.sleep(COOL_DOWN)


def shared(redis: Redis, prefix: str) -> RedisStorage:
    """Counters in Redis, over the connections that are there already."""
    return RedisStorage(
        "async+redis://",
        implementation="redispy",
        key_prefix=prefix,
        connection_pool=redis.connection_pool,  # type: ignore[arg-type]
    )
