"""The doorbell between processes: Redis pub/sub says that a log has grown. A hint only; polls cover
its loss."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from bus.faults import told
from bus.tasks import ended

QUIET = 0.005
"""Seconds between two rings: what grows meanwhile is told in one."""

log = structlog.get_logger(__name__)


class Doorbell:
    """One channel for all logs of a shop; a message is `<process> <context> ...`."""

    def __init__(
        self, redis: Redis | None, prefix: str, process: str, heard: Callable[[str], None]
    ) -> None:
        self._redis = redis
        self._channel = f"{prefix}:doorbell"
        self._process = process
        self._heard = heard
        self._rung: set[str] = set()
        self._ringing = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Ring and listen in the background."""
        if self._redis is not None:
            self._tasks = [
                asyncio.create_task(self._ring(self._redis)),
                asyncio.create_task(self._listen(self._redis)),
            ]

    async def stop(self) -> None:
        """Fall silent."""
        await ended(self._tasks)

    def ring(self, context: str) -> None:
        """Tell the other processes that this context's log has grown; returns at once."""
        self._rung.add(context)
        self._ringing.set()

    async def _ring(self, redis: Redis) -> None:
        while True:
            await self._ringing.wait()
            self._ringing.clear()
            rung, self._rung = self._rung, set()
            try:
                await redis.publish(self._channel, " ".join((self._process, *rung)))
                await asyncio.sleep(QUIET)
            except (RedisError, OSError):
                await asyncio.sleep(1)  # nobody hears it; the polls will do

    async def _listen(self, redis: Redis) -> None:
        while True:
            try:
                async with redis.pubsub() as pubsub:
                    await pubsub.subscribe(self._channel)
                    async for message in pubsub.listen():
                        if message["type"] == "message":
                            process, *contexts = message["data"].decode().split()
                            if process != self._process:
                                for context in contexts:
                                    self._heard(context)
            except (RedisError, OSError) as error:
                log.info("doorbell.away", error=told(error))
                await asyncio.sleep(1)
