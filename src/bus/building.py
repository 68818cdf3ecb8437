"""A view's documents folded from its whole log into a collection that nobody else writes: fast."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from typing import Generic, TypeVar

from pymongo import ASCENDING, ReplaceOne

from bus.faults import worded
from bus.keeping import Change, folded
from bus.log import Log
from bus.messages import Refused
from bus.mongo import Document
from bus.tasks import ended, in_thread
from bus.views import Documents, Stored

D = TypeVar("D")

CHUNK = 5_000
"""Commits read and folded at once."""

UNWRITTEN = 10_000
"""Changed documents upon which they are written."""

WARM = 20_000
"""Documents kept in memory."""


class Building(Generic[D]):
    """A build of a view: its documents, and the position up to which they show the log."""

    def __init__(self, log: Log, documents: Documents[D], build: str) -> None:
        self.documents = documents
        self.position = 0
        self._log = log
        self._build = build
        self._ids = {kind.type_name: of for kind, of in documents.view.ids.items()}
        self._warm: OrderedDict[str, Stored[D]] = OrderedDict()
        self._unwritten: dict[str, Stored[D]] = {}
        self._all_warm = True

    async def advance(self, to: int, hears: Callable[[int], None]) -> set[str]:
        """Fold the log up to a position and write what came of it; returns the ids of what
        changed. `hears` is told how far it is. Raises `Refused` when an event cannot be taken in.
        """
        changed: set[str] = set()
        commits = await self._read(self.position, to)
        while commits:
            ahead = asyncio.create_task(self._read(commits[-1]["_id"], to))
            try:
                changed |= await in_thread(partial(self._fold, commits))
            except BaseException:
                await ended((ahead,))
                raise
            hears(self.position)
            commits = await ahead
        await in_thread(self._write)
        return changed

    async def _read(self, after: int, to: int) -> list[Document]:
        wanted = {"_id": {"$gt": after, "$lte": to}}
        found = self._log.collection.find(wanted, {"writes": 1, "events": 1}, batch_size=CHUNK)

        def fetch() -> list[Document]:
            commits = list(found.sort("_id", ASCENDING).limit(CHUNK))
            self._log.codec.prepare(commits)
            return commits

        return await in_thread(fetch)

    def _fold(self, commits: Sequence[Document]) -> set[str]:
        changes = self._changes(commits)
        missing = [id for id in changes if id not in self._warm]
        if missing and not self._all_warm:
            found = self.documents.collection.find({"_id": {"$in": missing}})
            self._warm.update((each.id, each) for each in self.documents.read_all(found))
        view = self.documents.view
        for id, several in changes.items():
            try:
                after = folded(view, id, self._warm.get(id), several, self._build)
            except Exception as error:
                where = f"{id}, by what happened at {several[0].position} to {several[-1].position}"
                raise self._impossible(where, error) from error
            self._warm[id] = self._unwritten[id] = after
            self._warm.move_to_end(id)
        self.position = commits[-1]["_id"]
        if len(self._unwritten) >= UNWRITTEN:
            self._write()
        return set(changes)

    def _changes(self, commits: Sequence[Document]) -> dict[str, list[Change]]:
        changes: dict[str, list[Change]] = {}
        for position, commit in enumerate(commits, start=self.position + 1):
            if commit["_id"] != position:
                raise self._impossible(f"position {position}", LookupError("it is not there"))
            for event in commit["events"]:
                try:
                    self._change(event, commit["writes"], position, changes)
                except Exception as error:
                    raise self._impossible(
                        f"{event['type']} at position {position}", error
                    ) from error
        return changes

    def _change(
        self,
        event: Document,
        writes: Sequence[Document],
        position: int,
        changes: dict[str, list[Change]],
    ) -> None:
        id_of = self._ids.get(event["type"])
        if id_of is None:
            self._log.codec.kind(event["type"])  # which at least must be known
            return
        write = writes[event["stream"]]
        happened = self._log.codec.event(event["type"], event["data"])
        change = Change(happened, write["version"], position)
        changes.setdefault(id_of(happened), []).append(change)

    def _impossible(self, where: str, error: Exception) -> Refused:
        return Refused(
            "view_not_built",
            f"{self.documents.view.name} cannot be built from the {self._log.context} log: {where}:"
            f" {worded(error)}; the live view is as it was. See `shop log verify`",
        )

    def _write(self) -> None:
        """Write what has changed since, and forget the documents that were longest idle."""
        if self._unwritten:
            writes = [
                ReplaceOne({"_id": id}, document, upsert=True)
                for id, document in zip(
                    self._unwritten, self.documents.written(self._unwritten.values()), strict=True
                )
            ]
            self.documents.collection.bulk_write(writes, ordered=False)
            self._unwritten = {}
        while len(self._warm) > WARM:
            self._warm.popitem(last=False)
            self._all_warm = False
