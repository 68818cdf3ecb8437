"""Read models: a view is a pure function from document and event to document, kept in MongoDB."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar, cast

from pydantic import TypeAdapter
from pymongo import DESCENDING, UpdateOne
from pymongo.database import Database
from pymongo.errors import BulkWriteError, OperationFailure

from bus.cache import Cache, Entry
from bus.commits import Commit
from bus.messages import Event
from bus.mongo import Document, durable
from bus.partitions import partition_of
from bus.retries import Overtaken
from bus.tasks import in_thread

D = TypeVar("D")

QUICK, CALM = 0.02, 0.25
"""Seconds between writes, when little happens and when much does: what changes several times
meanwhile is written once."""

MUCH = 250
"""Commits at once that are much."""

WARM = 10_000
"""Documents kept in memory by the reader that writes a view."""

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


class Change(NamedTuple):
    """An event that changes a document: at a version of its stream, at a position of the log."""

    event: Event
    version: int
    position: int


class Documents(Generic[D]):
    """A view's documents in MongoDB: `view_<name>_v<version>`, unless told otherwise. A document
    never goes back in position."""

    def __init__(
        self, view: View[D], database: Database[dict[str, Any]], collection: str | None = None
    ) -> None:
        self.view = view
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
            return [
                self.read(found)
                for found in self.collection.find(query).sort(list(sort)).limit(limit)
            ]

        try:
            return await asyncio.to_thread(fetch)
        except OperationFailure as error:
            if error.code != GONE:
                raise
            return await asyncio.to_thread(fetch)  # from the build that has taken its place

    async def put(self, documents: Sequence[Stored[D]]) -> set[str]:
        """Write documents; returns the ids of those that were refused, for one as new or newer
        stands. Raises `Rebuilt`."""
        writes = [
            UpdateOne(
                {"_id": stored.id, "position": {"$lt": stored.position}},
                {"$set": self.document(stored)},
                upsert=True,
            )
            for stored in documents
        ]

        def write() -> set[str]:
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

    def document(self, stored: Stored[D]) -> Document:
        """A document as MongoDB keeps it, but for its `_id`."""
        return {
            "doc": self._adapter.dump_python(stored.doc),
            "version": stored.version,
            "position": stored.position,
            "first": stored.first,
            "build": stored.build,
        }

    def read(self, found: Mapping[str, Any]) -> Stored[D]:
        """A stored document."""
        doc = self._adapter.validate_python(found["doc"], strict=False)
        version, position, first = found["version"], found["position"], found["first"]
        return Stored(found["_id"], doc, version, position, first, found.get("build"))


class ViewWork(Generic[D]):
    """The work of the reader that keeps a view: fold each chunk of commits, write it in one go.

    A document belongs to the partition of its id.
    """

    def __init__(self, documents: Documents[D], cache: Cache) -> None:
        self._documents = documents
        self._view = documents.view
        self._cache = cache
        self._warm: OrderedDict[str, Stored[D]] = OrderedDict()
        self._taken: dict[int, int] = {}
        self._builds: dict[int, str | None] = {}

    async def begin(self, partition: int, position: int) -> None:
        """Keep the documents of a partition too, from behind a position; from further back if the
        view has been rebuilt no further."""
        build = await self._documents.build()
        self._builds[partition] = build.id
        self._taken[partition] = min(position, build.position) if build.id else position

    async def take(self, commits: Sequence[Commit], partitions: Collection[int]) -> None:
        """Apply, then rest: what comes meanwhile is written at once."""
        await self.fold(commits, partitions)
        await asyncio.sleep(rest(len(commits)))

    async def fold(self, commits: Sequence[Commit], partitions: Collection[int]) -> None:
        """Take commits without a rest."""
        try:
            await self.apply(commits, partitions)
        except Rebuilt:
            for partition in partitions:
                await self.release(partition)
                await self.begin(partition, self._taken[partition])
        else:
            self.took(commits, partitions)

    async def apply(self, commits: Sequence[Commit], partitions: Collection[int]) -> None:
        """Fold and write, and cache what stands then. Raises `Rebuilt`."""
        await self._change(changes_of(self._view, commits, partitions))

    def took(self, commits: Sequence[Commit], partitions: Collection[int]) -> None:
        """These commits are in the documents, or need not be."""
        self._taken.update(dict.fromkeys(partitions, commits[-1].position))

    @property
    def wanted(self) -> Collection[type[Event]]:
        """The events that change the view."""
        return self._view.ids

    def taken_to(self, partition: int) -> int:
        """How far a partition's commits have been taken."""
        return self._taken[partition]

    def done_to(self, partition: int) -> int:
        """Everything taken is done."""
        return self._taken[partition]

    async def release(self, partition: int) -> None:
        """From now on others write these documents: what is remembered of them is worth nothing."""
        for id in [id for id in self._warm if partition_of(id) == partition]:
            del self._warm[id]

    async def look(self) -> None:
        """Nothing can be asked."""

    async def _change(self, changes: Mapping[str, Sequence[Change]]) -> None:
        if not changes:
            return
        before = await self._before(changes)
        stand = await self._written_over(before, changes)
        if (entry := self._view.cached) is not None:
            await self._cache.put_all(
                [
                    (self._view.cache_key(id), entry(doc, version, position))
                    for id, doc, version, position, *_ in stand
                ]
            )
        self._warm.update((stored.id, stored) for stored in stand)
        while len(self._warm) > WARM:
            self._warm.popitem(last=False)

    async def _before(self, ids: Iterable[str]) -> dict[str, Stored[D]]:
        """These documents as they are now. They are remembered no longer: whatever happens until
        they are written, nobody goes on from what may not have been."""
        known = {id: self._warm.pop(id) for id in ids if id in self._warm}
        missing = [id for id in ids if id not in known]
        return {**known, **await self._documents.get_many(missing)} if missing else known

    async def _written_over(
        self, before: Mapping[str, Stored[D]], changes: Mapping[str, Sequence[Change]]
    ) -> list[Stored[D]]:
        """What stands once the changes are written. What a predecessor had written already is
        among it, for that may be all that it came to do."""
        after = [
            folded(self._view, id, before.get(id), events, self._builds[partition_of(id)])
            for id, events in changes.items()
        ]
        changed = [stored for stored in after if stored is not before.get(stored.id)]
        refused = await self._documents.put(changed) if changed else set()
        if not refused:
            return after
        newer = await self._documents.get_many(list(refused))
        return [newer.get(stored.id, stored) for stored in after]


def changes_of(
    view: View[Any], commits: Iterable[Commit], partitions: Collection[int]
) -> dict[str, list[Change]]:
    """What changes each document of these partitions, in order."""
    changes: dict[str, list[Change]] = {}
    for commit in commits:
        for happened in commit.events:
            id_of = view.ids.get(happened.kind)
            if id_of is None:
                continue
            event = happened.event
            id = id_of(event)
            if partition_of(id) in partitions:
                change = Change(event, happened.version, commit.position)
                changes.setdefault(id, []).append(change)
    return changes


def folded(
    view: View[D], id: str, before: Stored[D] | None, changes: Sequence[Change], build: str | None
) -> Stored[D]:
    """A document after its changes; what it has seen already is no change."""
    known = before.position if before else 0
    fresh = [change for change in changes if change.position > known]
    if before and not fresh:
        return before
    doc = before.doc if before else None
    for change in fresh:
        doc = view.evolve(doc, change.event)
    last, first = fresh[-1], before.first if before else fresh[0].position
    return Stored(id, cast(D, doc), last.version, last.position, first, build)


def rest(commits: int) -> float:
    """Seconds to wait after so many commits at once; who is behind does not rest."""
    return 0 if commits > 2 * MUCH else QUICK + (CALM - QUICK) * min(commits / MUCH, 1)
