"""Where the events wait that a reader could not handle, with those of the same stream behind
them."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

import structlog
from pymongo.database import Database

from bus.envelope import Envelope
from bus.messages import now
from bus.mongo import durable

log = structlog.get_logger(__name__)


class Failure(NamedTuple):
    """Why an event could not be handled."""

    error: str
    traceback: str
    attempts: int


class Parking:
    """The parked streams of one reader, in its context's `parked` collection."""

    def __init__(self, database: Database[dict[str, Any]], reader: str) -> None:
        self._collection = durable(database["parked"])
        self._reader = reader
        self._streams: set[str] = set()

    async def load(self) -> None:
        """Learn which streams are parked."""
        self._streams = set(
            await asyncio.to_thread(
                lambda: self._collection.distinct("stream", {"reader": self._reader})
            )
        )

    def holds(self, stream: str) -> bool:
        """Whether a stream is parked."""
        return stream in self._streams

    async def park(
        self, stream: str, position: int, index: int, envelope: Envelope[Any], failure: Failure
    ) -> None:
        """Set an event aside that failed, and its stream with it."""
        await self._store(stream, position, index, envelope, failure._asdict())
        self._streams.add(stream)
        log.error(
            "reader.parked",
            reader=self._reader,
            stream=stream,
            position=position,
            error=failure.error,
        )

    async def behind(self, stream: str, position: int, index: int, envelope: Envelope[Any]) -> None:
        """Set an event aside because its stream is parked."""
        await self._store(stream, position, index, envelope, {"attempts": 0})

    async def _store(
        self, stream: str, position: int, index: int, envelope: Envelope[Any], what: dict[str, Any]
    ) -> None:
        document = {
            "reader": self._reader,
            "stream": stream,
            "position": position,
            "index": index,
            "type": envelope.message.type_name,
            "at": now(),
            **what,
        }
        key = f"{self._reader}/{position}/{index}"
        await asyncio.to_thread(
            lambda: self._collection.update_one(
                {"_id": key}, {"$setOnInsert": document}, upsert=True
            )
        )
