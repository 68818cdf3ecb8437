"""The event log of one context: dense positions, one decision one document, appended in groups.

This is the port that everything else stands on. Its one adapter keeps a log in a MongoDB
collection; the same adapter runs on mongomock for unit tests.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import chain
from operator import itemgetter
from typing import Any, TypeVar

import bson
from pymongo import ASCENDING
from pymongo.collection import Collection
from pymongo.database import Database

from bus.commits import Codec, Commit, Meta, Recorded, UnknownEvent, Write
from bus.envelope import Envelope
from bus.keyring import Keyring
from bus.messages import Busy, Event, TooLarge, now
from bus.mongo import Document, durable
from bus.pending import Pending
from bus.snapshots import Snapshots
from bus.tracing import recorder
from bus.writer import Writer, head_of

T = TypeVar("T")

MAX_EVENT_BYTES = 64 * 1024
MAX_COMMIT_BYTES = 1024 * 1024


class Log:
    """A context's log. Appends go through one writer thread; reads see what a majority has."""

    def __init__(
        self,
        context: str,
        database: Database[dict[str, Any]],
        events: Iterable[type[Event]],
        keyring: Keyring | None = None,
        *,
        capacity: int = 10_000,
    ) -> None:
        self.context = context
        self.codec = Codec(events, keyring)
        self.collection: Collection[dict[str, Any]] = durable(database["log"])
        self.snapshots = Snapshots(database)
        self._threads = ThreadPoolExecutor(8, thread_name_prefix=f"{context}-log")
        self._capacity = capacity
        self._on_commits: Callable[[list[Commit]], None] = lambda commits: None
        self._on_others: Callable[[list[Commit]], None] = lambda commits: None
        self._writer: Writer | None = None

    def open(
        self,
        on_commits: Callable[[list[Commit]], None] | None = None,
        on_others: Callable[[list[Commit]], None] | None = None,
    ) -> None:
        """Make the indexes and start the writer. `on_commits` hears, on the event loop and in
        order, what this process has committed; `on_others` what others had, where that was in the
        way."""
        if isinstance(self.collection, Collection):  # mongomock takes arrays for missing fields
            self.collection.create_index(
                [("writes.stream", ASCENDING), ("writes.version", ASCENDING)],
                unique=True,
                name="writes",
            )
        self.collection.create_index("command", unique=True, name="command")
        if on_commits is not None:
            self._on_commits = on_commits
        if on_others is not None:
            self._on_others = on_others
        self._writer = Writer(
            self.context, self.collection, self._capacity, self._encode, self._settle, self._hear
        )

    @property
    def waiting(self) -> int:
        """Decisions that wait to be written."""
        return self._writer.waiting if self._writer else 0

    async def close(self) -> None:
        """Write what is queued, then stop; what comes from now on is `Busy`."""
        writer, self._writer = self._writer, None
        if writer is not None:
            await self.run(writer.stop)
        await self.snapshots.close()
        await asyncio.to_thread(self._threads.shutdown)

    async def run(self, work: Callable[[], T]) -> T:
        """Do blocking database work off the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def append(
        self,
        envelope: Envelope[Any],
        writes: tuple[Write, ...],
        events: Sequence[Recorded],
        after: tuple[Pending, ...],
    ) -> Pending:
        """Queue one decision; its `outcome` is the commit, or raises `Conflict`, `Repeated`,
        `TooLarge` or `Busy`.

        `after` are the queued decisions that this one was made upon: should one of them fail, so
        does this. Raises `Busy` when the queue is full.
        """
        if self._writer is None:
            raise Busy(f"the {self.context} log is closed, for this process is about to end")
        meta = Meta(
            envelope.correlation,
            envelope.causation,
            str(envelope.principal),
            envelope.traceparent,
            envelope.fingerprint,
        )
        pending = Pending(envelope.id, writes, tuple(events), now(), meta, after)
        if not any(each.kind.whose for each in events):  # no key will have to be looked up
            self._encode([pending])  # while the writer is busy with what came before
        self._writer.submit(pending)
        return pending

    async def read(self, after: int, limit: int = 1000) -> list[Commit]:
        """The commits behind a position, oldest first, as far as they stand without a gap."""

        def fetch() -> list[Commit]:
            behind = self.collection.find({"_id": {"$gt": after}})
            found = list(behind.sort("_id", ASCENDING).limit(limit))
            self.codec.prepare(found)
            commits = []
            for expected, document in enumerate(found, start=after + 1):
                if document["_id"] != expected:
                    break  # never seen, as positions are claimed densely; but nobody must skip
                commits.append(self.codec.commit(document))
            return commits

        return await self.run(fetch)

    async def stream(self, name: str, after: int = 0) -> list[tuple[Event, int]]:
        """What happened on one stream behind a version, oldest first, with its versions."""

        def fetch() -> list[tuple[Event, int]]:
            return list(self._stream_events(name, after))

        return await self.run(fetch)

    async def history(self, name: str, kinds: Iterable[type[Event]] = ()) -> list[Commit]:
        """The commits that wrote a stream, oldest first; with `kinds`, those with such an event."""
        wanted: dict[str, Any] = {"writes.stream": name}
        if types := [kind.type_name for kind in kinds]:
            wanted["events.type"] = {"$in": types}

        def fetch() -> list[Commit]:
            # Sorted here, or MongoDB might walk the whole log by position to find a few of them.
            found = sorted(self.collection.find(wanted), key=itemgetter("_id"))
            self.codec.prepare(found)
            return [self.codec.commit(document) for document in found]

        return await self.run(fetch)

    async def outgrown(self, known: Iterable[tuple[str, int]]) -> set[tuple[str, int]]:
        """Those of these streams and versions that have a next version."""
        following = [
            {"writes": {"$elemMatch": {"stream": stream, "version": version + 1}}}
            for stream, version in known
        ]

        def look() -> set[tuple[str, int]]:
            found = self.collection.find({"$or": following}, {"writes": 1})
            return {
                (write["stream"], write["version"] - 1)
                for document in found
                for write in document["writes"]
            }

        return await self.run(look)

    async def find(self, command: str) -> Commit | None:
        """The commit of a command, if it has been decided."""
        document = await self.run(lambda: self.collection.find_one({"command": command}))
        return self.codec.commit(document) if document else None

    async def head(self) -> int:
        """The last position taken; 0 in an empty log."""
        return await self.run(lambda: head_of(self.collection))

    def _stream_events(self, name: str, after: int) -> Iterable[tuple[Event, int]]:
        behind = {"writes": {"$elemMatch": {"stream": name, "version": {"$gt": after}}}}
        found = list(self.collection.find(behind).sort("_id", ASCENDING))
        self.codec.prepare(found)
        for document in found:
            writes = document["writes"]
            for event in document["events"]:
                write = writes[event["stream"]]
                if write["stream"] == name:
                    yield self.codec.event(event["type"], event["data"]), write["version"]

    def _encode(self, group: Sequence[Pending]) -> None:
        """Make of decisions what is stored, or give the verdict that it cannot be. On the writer's
        thread if something is to be sealed: keys are looked up for a whole group at once."""
        seals = self.codec.sealers(chain.from_iterable(pending.events for pending in group))
        for pending in group:
            command, writes, events = pending.command, pending.writes, pending.events
            try:
                document = self.codec.document(
                    command, writes, events, pending.at, pending.meta, seals
                )
                body = bson.encode(document)
                if len(body) > MAX_EVENT_BYTES:
                    check_size(document, len(body))
                pending.body = body
            except Exception as error:  # whatever it is, it is this decision's own
                pending.verdict = error

    def _settle(self, group: list[Pending]) -> None:
        """Called on the event loop, once per written group."""
        if (tracer := recorder()) is not None:
            at, name = time.perf_counter(), f"append {self.context}"
            for pending in group:
                facts = {"storefold.outcome": pending.became}
                tracer.past(name, "client", pending.meta.trace, at - pending.since, facts)
        for pending in group:
            pending.settle()
        commits = [pending.verdict for pending in group if isinstance(pending.verdict, Commit)]
        if commits:
            self._on_commits(commits)

    def _hear(self, documents: list[Document]) -> None:
        """Called on the event loop, before what these commits have made old is settled."""
        with suppress(UnknownEvent):  # the feed will come upon it, and say so
            self._on_others([self.codec.commit(document) for document in documents])


def check_size(document: dict[str, Any], total: int) -> None:
    """Refuse with `TooLarge` what is over the caps; `total` is the document's size in bytes."""
    for event in document["events"]:
        size = len(bson.encode(event))
        if size > MAX_EVENT_BYTES:
            raise TooLarge(
                "too_large",
                f"{event['type']} takes {size} bytes, but an event may take {MAX_EVENT_BYTES}:"
                " ask for less at once",
            )
    if total > MAX_COMMIT_BYTES:
        raise TooLarge(
            "too_large",
            f"the decision takes {total} bytes, but a commit may take {MAX_COMMIT_BYTES}:"
            " ask for less at once",
        )
