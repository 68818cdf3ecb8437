"""Snapshots: the states of long streams, kept beside the log, so that nobody has to replay a stream
from its beginning.

They are a shortcut and no more. What cannot be read, or was made of another shape or by other
rules, is passed over, and the collection may be dropped at any time.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property, partial
from hashlib import blake2b
from typing import Any, Generic, NamedTuple, TypeVar

import structlog
from pydantic import TypeAdapter, ValidationError
from pymongo import ReplaceOne
from pymongo.database import Database

from bus.faults import told
from bus.mongo import Document, durable
from bus.tasks import ended, in_thread

S = TypeVar("S")

log = structlog.get_logger(__name__)

EVERY = 100
"""Versions of a stream from one snapshot of it to the next."""


class Shape(Generic[S]):
    """How the states of a kind of stream are kept: a pydantic model or a dataclass, with nothing
    personal in it. `rules` counts up when the same events come to lead to another state."""

    def __init__(self, state: type[S], *, rules: int = 1) -> None:
        self._state = state
        self._rules = rules

    @cached_property
    def stamp(self) -> str:
        """What tells snapshots of this shape, by these rules, from all others."""
        schema = json.dumps([self._rules, self._adapter.json_schema()], sort_keys=True)
        return blake2b(schema.encode(), digest_size=12).hexdigest()

    def dump(self, state: S) -> bytes:
        """A state as it is kept."""
        return self._adapter.dump_json(state)

    def load(self, kept: bytes) -> S:
        """A state that was kept; raises pydantic's `ValidationError`."""
        return self._adapter.validate_json(kept)

    @cached_property
    def _adapter(self) -> TypeAdapter[S]:
        return TypeAdapter(self._state)


class Snapshot(NamedTuple):
    """A state that a stream was in, at a version of it."""

    shape: Shape[Any]
    state: Any
    version: int

    def replace(self, stream: str) -> ReplaceOne[Document]:
        """What puts it in the place of an older one."""
        kept = self.shape.dump(self.state)
        document = {"stamp": self.shape.stamp, "version": self.version, "state": kept}
        return ReplaceOne({"_id": stream}, document, upsert=True)


class Snapshots:
    """The snapshots of one log's streams, the latest of each."""

    def __init__(self, database: Database[Document]) -> None:
        self._collection = durable(database["snapshots"])
        self._log = durable(database["log"])
        self._due: dict[str, Snapshot] = {}
        self._writing: asyncio.Task[None] | None = None

    async def find(self, stream: str, shape: Shape[S]) -> tuple[S | None, int]:
        """A state that the stream has been in, and the version; `None` and 0 where none is kept, or
        none that the log has come to: it may have been restored without its snapshots."""
        found = await in_thread(lambda: self._found(stream, shape.stamp))
        if found is not None:
            with suppress(ValidationError, KeyError):
                return shape.load(found["state"]), found["version"]
        return None, 0

    def _found(self, stream: str, stamp: str) -> Document | None:
        found = self._collection.find_one({"_id": stream, "stamp": stamp})
        if found is None:
            return None
        write = {"stream": stream, "version": found["version"]}
        return found if self._log.find_one({"writes": {"$elemMatch": write}}, {"_id": 1}) else None

    def keep(self, stream: str, shape: Shape[S], state: S, version: int) -> None:
        """Keep a state that is committed, in a moment. If nothing comes of it, the next one will
        do."""
        self._due[stream] = Snapshot(shape, state, version)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())

    async def close(self) -> None:
        """Leave what is not written yet."""
        await ended([self._writing])

    async def _write(self) -> None:
        while self._due:
            due, self._due = self._due, {}
            try:
                await in_thread(partial(self._replace, due))
            except Exception as error:  # the next one will do
                log.warning("snapshots.not_kept", streams=len(due), error=told(error))

    def _replace(self, due: Mapping[str, Snapshot]) -> None:
        writes = [snapshot.replace(stream) for stream, snapshot in due.items()]
        self._collection.bulk_write(writes, ordered=False)
