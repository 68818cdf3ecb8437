"""Read models: a view is a pure function from document and event to document, kept in MongoDB."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from pydantic import TypeAdapter
from pymongo import DESCENDING, UpdateOne
from pymongo.database import Database
from pymongo.errors import BulkWriteError, OperationFailure

from bus.cache import Entry
from bus.keyring import Keyring
from bus.mongo import Document, durable
from bus.personal import OPEN, SEAL, ids_in
from bus.retries import Overtaken
from bus.tasks import in_thread

D = TypeVar("D")

DUPLICATE, INVALID, GONE = 11000, 121, 175


@dataclass(frozen=True)
class View(Generic[D]):
    """A read model over one log. A new `version` is built afresh, beside the old one."""

    name: str
    version: int
    shape: type[D]
    """What a document is: a pydantic model or a dataclass."""
    ids: Mapping[type[Any], Callable[[Any], str]]
    """The events it wants, and the document that each of them changes: that of the thing whose
    stream it is on, by the id in the stream's name."""
    evolve: Callable[[D | None, Any], D]
    indexes: Sequence[Sequence[tuple[str, int]]] = ()
    """Compound indexes, on fields of the document (`doc.buyer_id`) or `first`, its first
    position."""
    cached: Callable[[D, int, int], Entry] | None = None
    """What is cached of a document at a version, right up to a position; nothing unless given."""
    whose: Callable[[D], str | None] | None = None
    """Whom a document is about, if it has `Personal` fields: they are sealed where it is kept."""

    @property
    def key(self) -> str:
        """What tells it from other views, and from this one in other versions."""
        return f"{self.name}:v{self.version}"

    def cache_key(self, id: str) -> str:
        """Where a document is cached. Another version never sees it, whatever shape it has."""
        return f"{self.key}:{id}"


class Stored(NamedTuple, Generic[D]):
    """A document of a view: the version of its stream and the positions at which it began and is
    now."""

    id: str
    doc: D
    version: int
    position: int
    first: int
    build: str | None = None
    """The build of the view that it stands in."""


class Build(NamedTuple):
    """Which build of a view its documents are: none, if they have only grown since the view began;
    else a rebuild's, which had come to a position when it took the place of what was there."""

    id: str | None = None
    position: int = 0


class Rebuilt(Overtaken):
    """Another build of the view has taken the place of the one that was to be written."""


class Documents(Generic[D]):
    """A view's documents in MongoDB: `view_<name>_v<version>`, unless told otherwise. A document
    never goes back in position."""

    def __init__(
        self,
        view: View[D],
        database: Database[dict[str, Any]],
        collection: str | None = None,
        keyring: Keyring | None = None,
    ) -> None:
        self.view = view
        self.keyring = keyring if view.whose else None
        self._context = {OPEN: self.keyring.open} if self.keyring else None
        self.key = view.key
        self.collection = durable(database[collection or f"view_{view.name}_v{view.version}"])
        self._adapter: TypeAdapter[D] = TypeAdapter(view.shape)

    def make_indexes(self) -> None:
        """Create what the queries need. Blocks."""
        for keys in self.view.indexes:
            self.collection.create_index(list(keys))

    async def build(self) -> Build:
        """Which build this is. The server sees to it that no document of another one gets in."""

        def look() -> Build:
            named = {"name": self.collection.name}
            for found in self.collection.database.list_collections(filter=named):
                if rule := found["options"].get("validator"):
                    return Build(rule["build"], int(rule["$comment"]))
            return Build()

        return await in_thread(look)

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
            return self.read_all(self.collection.find(query).sort(list(sort)).limit(limit))

        try:
            return await asyncio.to_thread(fetch)
        except OperationFailure as error:
            if error.code != GONE:
                raise
            return await asyncio.to_thread(fetch)  # from the build that has taken its place

    async def put(self, documents: Sequence[Stored[D]]) -> set[str]:
        """Write documents; returns the ids of those that were refused, for one as new or newer
        stands. Raises `Rebuilt`."""

        def write() -> set[str]:
            writes = [
                UpdateOne(
                    {"_id": stored.id, "position": {"$lt": stored.position}},
                    {"$set": document},
                    upsert=True,
                )
                for stored, document in zip(documents, self.written(documents), strict=True)
            ]
            try:
                self.collection.bulk_write(writes, ordered=False)
            except BulkWriteError as error:
                details: Any = error.details
                failures = details["writeErrors"]
                codes = {failure["code"] for failure in failures}
                if INVALID in codes:
                    raise Rebuilt(self.key) from error
                if codes != {DUPLICATE}:
                    raise
                return {documents[failure["index"]].id for failure in failures}
            return set()

        return await in_thread(write)

    def written(self, documents: Iterable[Stored[D]]) -> list[Document]:
        """Documents as MongoDB keeps them, but for their `_id`s. Blocks where one is sealed."""
        if self.keyring is None or (whose := self.view.whose) is None:
            return [self._written(stored, None) for stored in documents]
        owners = [(stored, whose(stored.doc)) for stored in documents]
        sealers = self.keyring.sealers({owner for _, owner in owners if owner})
        return [
            self._written(stored, {SEAL: sealers[owner]} if owner else None)
            for stored, owner in owners
        ]

    def read_all(self, found: Iterable[Document]) -> list[Stored[D]]:
        """Stored documents. Blocks where one is sealed."""
        rows = list(found)
        if self.keyring is not None:
            self.keyring.prepare({id for row in rows for id in ids_in(row["doc"])})
        return [self._read(row) for row in rows]

    def plain(self, found: Document) -> Document:
        """A stored document with nothing sealed in it. Blocks."""
        if self.keyring is None:
            return found
        (stored,) = self.read_all([found])
        return {**found, "doc": self._adapter.dump_python(stored.doc)}

    def _written(self, stored: Stored[D], context: dict[str, Any] | None) -> Document:
        return {
            "doc": self._adapter.dump_python(stored.doc, context=context),
            "version": stored.version,
            "position": stored.position,
            "first": stored.first,
            "build": stored.build,
        }

    def _read(self, found: Mapping[str, Any]) -> Stored[D]:
        doc = self._adapter.validate_python(found["doc"], strict=False, context=self._context)
        version, position, first = found["version"], found["position"], found["first"]
        return Stored(found["_id"], doc, version, position, first, found.get("build"))
