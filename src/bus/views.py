"""Read models: a view is a pure function from document and event to document, kept in MongoDB."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from pydantic import TypeAdapter
from pymongo import DESCENDING, UpdateOne
from pymongo.database import Database
from pymongo.errors import BulkWriteError

from bus.commits import Commit
from bus.messages import Event
from bus.mongo import durable

D = TypeVar("D")

QUICK, CALM = 0.02, 0.25
"""Seconds between writes, when little happens and when much does: what changes several times
meanwhile is written once."""

MUCH = 250
"""Commits at once that are much."""

WARM = 10_000
"""Documents kept in memory by the reader that writes a view."""

DUPLICATE = 11000


@dataclass(frozen=True)
class View(Generic[D]):
    """A read model over one log. A new `version` is built afresh, beside the old one."""

    name: str
    version: int
    shape: type[D]
    """What a document is: a pydantic model or a dataclass."""
    ids: Mapping[type[Any], Callable[[Any], str]]
    """The events it wants, and the document that each of them changes."""
    evolve: Callable[[D | None, Any], D]
    indexes: Sequence[Sequence[tuple[str, int]]] = ()
    """Compound indexes, on fields of the document (`doc.buyer_id`) or `first`, its first
    position."""


class Stored(NamedTuple, Generic[D]):
    """A document of a view: the version of its stream and the positions at which it began and is
    now."""

    id: str
    doc: D
    version: int
    position: int
    first: int


class Documents(Generic[D]):
    """A view's documents in MongoDB: `view_<name>_v<version>`. A document never goes back in
    position."""

    def __init__(self, view: View[D], database: Database[dict[str, Any]]) -> None:
        self.view = view
        self.key = f"{view.name}:v{view.version}"
        self.collection = durable(database[f"view_{view.name}_v{view.version}"])
        self._adapter: TypeAdapter[D] = TypeAdapter(view.shape)

    def make_indexes(self) -> None:
        """Create what the queries need. Blocks."""
        for keys in self.view.indexes:
            self.collection.create_index(list(keys))

    async def get(self, id: str) -> Stored[D] | None:
        """One document."""
        return (await self.get_many([id])).get(id)

    async def get_many(self, ids: Sequence[str]) -> dict[str, Stored[D]]:
        """Those of the documents that there are, by id."""
        found = await self.find({"_id": {"$in": list(ids)}}, limit=len(ids))
        return {stored.id: stored for stored in found}

    async def find(
        self,
        query: Mapping[str, Any],
        *,
        limit: int,
        sort: Sequence[tuple[str, int]] = (("first", DESCENDING),),
    ) -> list[Stored[D]]:
        """Documents that match; newest first unless told otherwise. Fields are under `doc.`."""

        def fetch() -> list[Stored[D]]:
            return [
                self.read(found)
                for found in self.collection.find(query).sort(list(sort)).limit(limit)
            ]

        return await asyncio.to_thread(fetch)

    async def put(self, documents: Sequence[Stored[D]]) -> None:
        """Write documents, except where a newer one stands."""
        writes = [
            UpdateOne(
                {"_id": stored.id, "position": {"$lt": stored.position}},
                {
                    "$set": {
                        "doc": self._adapter.dump_python(stored.doc),
                        "version": stored.version,
                        "position": stored.position,
                    },
                    "$setOnInsert": {"first": stored.first},
                },
                upsert=True,
            )
            for stored in documents
        ]

        def write() -> None:
            try:
                self.collection.bulk_write(writes, ordered=False)
            except BulkWriteError as error:
                details: Any = error.details
                # The guard refused: a newer one stands already.
                if any(failure["code"] != DUPLICATE for failure in details["writeErrors"]):
                    raise

        await asyncio.to_thread(write)

    def read(self, found: Mapping[str, Any]) -> Stored[D]:
        """A stored document."""
        doc = self._adapter.validate_python(found["doc"], strict=False)
        return Stored(found["_id"], doc, found["version"], found["position"], found["first"])


class ViewWork(Generic[D]):
    """The work of the reader that keeps a view: fold each chunk of commits, write it in one go."""

    def __init__(
        self, documents: Documents[D], written: Callable[[Sequence[Stored[D]]], Any] | None = None
    ) -> None:
        self._documents = documents
        self._view = documents.view
        self._written = written
        self._warm: OrderedDict[str, Stored[D]] = OrderedDict()
        self._position = 0

    async def begin(self, position: int) -> None:
        """Start behind a position."""
        self._position = position

    async def take(self, commits: Sequence[Commit]) -> None:
        """Fold, write, and tell what was written."""
        changes = self._changes(commits)
        missing = [id for id in changes if id not in self._warm]
        if missing:
            self._warm.update(await self._documents.get_many(missing))
        changed = [
            stored
            for id, events in changes.items()
            if (stored := self._fold(id, events)) is not None
        ]
        if changed:
            await self._documents.put(changed)
            if self._written is not None:
                await self._written(changed)
        while len(self._warm) > WARM:
            self._warm.popitem(last=False)
        self._position = commits[-1].position
        await asyncio.sleep(QUICK + (CALM - QUICK) * min(len(commits) / MUCH, 1))

    def done_to(self) -> int:
        """Everything taken is done."""
        return self._position

    async def stop(self) -> None:
        """Nothing is under way between two chunks."""

    def _changes(self, commits: Sequence[Commit]) -> dict[str, list[tuple[Event, int, int]]]:
        changes: dict[str, list[tuple[Event, int, int]]] = {}
        for commit in commits:
            for happened in commit.events:
                id_of = self._view.ids.get(happened.kind)
                if id_of is not None:
                    event = happened.event
                    change = (event, happened.version, commit.position)
                    changes.setdefault(id_of(event), []).append(change)
        return changes

    def _fold(self, id: str, events: list[tuple[Event, int, int]]) -> Stored[D] | None:
        before = self._warm.get(id)
        known = before.position if before else 0
        doc, version, position = (before.doc, before.version, known) if before else (None, 0, 0)
        for event, at_version, at in events:
            if at > known:  # else the document has seen it
                doc, version, position = self._view.evolve(doc, event), at_version, at
        if doc is None or position == known:
            return None
        stored = Stored(id, doc, version, position, before.first if before else events[0][2])
        self._warm[id] = stored
        self._warm.move_to_end(id)
        return stored
