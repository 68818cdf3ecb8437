"""What services outside have answered, kept for a while: in Redis, and in MongoDB, so that a Redis
that is lost costs time only.

Keys are hashes: whoever reads there finds bare positions, and not whose they are or how to get
from an address to one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import structlog
from pymongo import ReplaceOne
from pymongo.database import Database
from pymongo.errors import PyMongoError

from bus.batch import Batch
from bus.cache import Cache
from bus.faults import told
from bus.messages import now
from bus.metrics import BREAKER_OPEN, REMEMBERED
from bus.mongo import Document
from bus.tasks import ended, in_thread
from maps.breaker import Breaker

PATIENCE = 0.25
"""Seconds for which MongoDB is waited for: the service itself is asked sooner than that."""

COOL_DOWN = 1.0
"""Seconds for which MongoDB is not asked when it was too slow."""

LARGEST = 256 * 1024
"""Bytes of an answer that is kept."""

Answers = Mapping[str, bytes]

log = structlog.get_logger(__name__)


class Kept(NamedTuple):
    """Answers by their keys, and until when they are believed."""

    answers: Answers
    until: datetime


class Memory:
    """Keeps answers in the collection `answers` of `database`, and before that in `cache`."""

    def __init__(self, database: Database[Document], cache: Cache) -> None:
        self._collection = database["answers"]
        self._cache = cache
        self._breaker = Breaker(failures=1, cool_down=COOL_DOWN)
        self._open = BREAKER_OPEN.labels("maps_memory")
        places = ("redis", "mongodb", "nowhere")
        self._in_redis, self._in_mongodb, self._nowhere = map(REMEMBERED.labels, places)
        self._recall = Batch(self._recall_many)
        self._store = Batch(self._store_many)
        self._storing: set[asyncio.Task[None]] = set()
        self._indexed = False

    async def recall(self, keys: Sequence[str]) -> Answers:
        """The answers kept under these keys, and maybe others; nothing when that takes long."""
        return await self._recall(keys)

    def keep(self, answers: Answers, lifetime: timedelta) -> None:
        """Keep answers. Nobody waits for it, and it may fail: then they are asked for again."""
        small = {key: body for key, body in answers.items() if len(body) <= LARGEST}
        if small:
            storing = asyncio.create_task(self._store(Kept(small, now() + lifetime)))
            self._storing.add(storing)
            storing.add_done_callback(self._storing.discard)

    async def close(self) -> None:
        """Have kept what is on its way, unless that takes long."""
        if self._storing:
            await asyncio.wait(self._storing, timeout=PATIENCE)
        await ended(self._storing)

    async def _recall_many(self, questions: list[Sequence[str]]) -> list[Answers]:
        keys = list(dict.fromkeys(key for question in questions for key in question))
        cached = await self._cache.recall(keys)
        found = {key: body for key, body in zip(keys, cached, strict=True) if body is not None}
        missing = [key for key in keys if key not in found]
        self._in_redis.inc(len(found))
        if missing and self._breaker.admits():
            stored = await self._look_up(missing)
            self._in_mongodb.inc(len(stored))
            found |= stored
        self._nowhere.inc(len(keys) - len(found))
        return [found] * len(questions)

    async def _look_up(self, keys: list[str]) -> Answers:
        """What MongoDB has. The cache has it then, too."""
        try:
            async with asyncio.timeout(PATIENCE):
                stored = await asyncio.to_thread(self._find, keys)
        except (PyMongoError, TimeoutError) as error:
            self._away(error)
            return {}
        self._back()
        await self._cache.keep({each["_id"]: (each["body"], each["until"]) for each in stored})
        return {each["_id"]: each["body"] for each in stored}

    async def _store_many(self, kept: list[Kept]) -> list[None]:
        entries = {key: (body, until) for answers, until in kept for key, body in answers.items()}
        await self._cache.keep(entries)
        if self._breaker.admits():
            try:
                await in_thread(lambda: self._write(entries))
                self._back()
            except PyMongoError as error:
                self._away(error)
        return [None] * len(kept)

    def _find(self, keys: list[str]) -> list[Any]:
        query = {"_id": {"$in": keys}, "until": {"$gt": now()}}
        return list(self._collection.find(query, max_time_ms=int(PATIENCE * 1000)))

    def _write(self, entries: Mapping[str, tuple[bytes, datetime]]) -> None:
        if not self._indexed:
            self._collection.create_index("until", expireAfterSeconds=0)
            self._indexed = True
        self._collection.bulk_write(
            [
                ReplaceOne({"_id": key}, {"body": body, "until": until}, upsert=True)
                for key, (body, until) in entries.items()
            ],
            ordered=False,
        )

    def _back(self) -> None:
        self._breaker.succeeded()
        self._open.set(self._breaker.open)

    def _away(self, error: Exception) -> None:
        self._breaker.failed()
        self._open.set(self._breaker.open)
        log.warning("maps.memory_away", seconds=COOL_DOWN, error=told(error))
