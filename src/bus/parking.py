"""Where a reader leaves a stream that it cannot go on with, until a person has seen to it.

The log keeps the stream's events, and in order. So a parked stream is one document: how far it was
handled, and what stood in the way. A person asks for a retry, or for the first event to be skipped;
whoever holds the stream's partition sees to it.

Every write names the lease's epoch, and leaves a document alone that a later owner has taken over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, NamedTuple

import structlog
from pymongo import ReturnDocument
from pymongo.database import Database

from bus.commits import Commit
from bus.leases import Leases
from bus.log import Log
from bus.messages import now
from bus.mongo import durable
from bus.parked import id_of, onward
from bus.partitions import partition_of_stream
from bus.retries import Failure, Overtaken
from bus.tasks import in_thread

log = structlog.get_logger(__name__)


@dataclass(frozen=True, order=True, slots=True)
class Place:
    """Where an event stands in a log."""

    position: int
    index: int


class Held(NamedTuple):
    """A parked stream: its first event that is not handled, and the last position that waits."""

    place: Place
    until: int


class Parking:
    """The parked streams of one reader, in its context's `parked` collection."""

    def __init__(
        self, database: Database[dict[str, Any]], reader: str, leases: Leases, source: Log
    ) -> None:
        self._parked = durable(database["parked"])
        self._skipped = durable(database["skipped"])
        self.reader = reader
        self._leases = leases
        self._source = source
        self._epochs: dict[int, int] = {}  # by the partitions that this process holds
        self._held: dict[str, Held] = {}
        self._past: set[tuple[str, Place]] = set()  # what was skipped, and may come again

    async def load(self, partition: int, position: int) -> None:
        """Take a partition's parked streams over; up to `position` their events wait already."""
        self.forget(partition)
        epoch = await self._leases.epoch((self.reader, partition))

        def take_over() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
            later = {"reader": self.reader, "position": {"$gt": position}}
            skipped = list(self._skipped.find(later))
            parked = self._parked.find({"reader": self.reader}, {"stream": 1})
            ids = [
                each["_id"] for each in parked if partition_of_stream(each["stream"]) == partition
            ]
            if not ids:
                return [], skipped
            older = {"_id": {"$in": ids}, "epoch": {"$lt": epoch}}
            self._parked.update_many(older, {"$set": {"epoch": epoch}})
            return list(self._parked.find({"_id": {"$in": ids}})), skipped

        parked, skipped = await in_thread(take_over)
        for each in parked:
            if each["epoch"] > epoch:
                raise Overtaken(each["_id"])
            place = _place(each)
            self._held[each["stream"]] = Held(place, max(position, place.position))
        self._past |= {(each["stream"], _place(each)) for each in skipped}
        self._epochs[partition] = epoch

    def forget(self, partition: int) -> None:
        """Leave a partition's streams to another process."""
        self._epochs.pop(partition, None)
        gone = [each for each in self._held if partition_of_stream(each) == partition]
        for stream in gone:
            del self._held[stream]

    @property
    def streams(self) -> int:
        """How many are parked, in the partitions that this process holds."""
        return len(self._held)

    @property
    def keeps_some(self) -> bool:
        """Whether anything is parked, or was skipped and may come again."""
        return bool(self._held or self._past)

    def holds(self, stream: str) -> bool:
        """Whether a stream is parked."""
        return stream in self._held

    def keeps(self, stream: str, place: Place) -> bool:
        """Whether an event is not to be handled now, for its stream is parked: it waits in the log,
        unless it was handled before; or not at all, for it was skipped."""
        held = self._held.get(stream)
        if held is None:
            return (stream, place) in self._past
        self._held[stream] = held._replace(until=max(held.until, place.position))
        return True

    async def park(self, stream: str, place: Place, type_name: str, failure: Failure) -> None:
        """Leave a stream at an event that failed."""
        fresh = {
            "reader": self.reader,
            "stream": stream,
            "epoch": self._epoch(stream),
            **_failed(place, type_name, failure),
        }

        def store() -> Any:
            self._parked.delete_one(self._late(stream))
            return self._parked.find_one_and_update(
                {"_id": self._id(stream)},
                {"$setOnInsert": fresh},
                upsert=True,
                return_document=ReturnDocument.AFTER,
            )

        stored = await in_thread(store)
        if stored["epoch"] > self._epoch(stream):
            raise Overtaken(stream)
        self._held[stream] = Held(_place(stored), place.position)
        log.error(
            "reader.parked",
            reader=self.reader,
            position=place.position,
            type=type_name,
            parked=id_of(stored),
        )

    async def asked(self) -> list[str]:
        """The streams that somebody wants to go on, of those that this process holds."""
        wanted = {"reader": self.reader, "asked": {"$exists": True}}
        found = await in_thread(lambda: self._parked.distinct("stream", wanted))
        for stream in found:
            if stream not in self._held and partition_of_stream(stream) in self._epochs:
                await in_thread(partial(self._parked.delete_one, self._late(stream)))
        return [stream for stream in found if stream in self._held]

    async def heed(self, stream: str) -> bool:
        """Do as is asked, before a stream goes on: skip its first event, or not. Whether it is
        still to go on."""
        parked = await in_thread(lambda: self._parked.find_one({"_id": self._id(stream)}))
        if parked is None:  # it goes on already
            self._held.pop(stream, None)
            return False
        if parked["epoch"] != self._epoch(stream):
            raise Overtaken(stream)
        place, asked = _place(parked), parked.get("asked")
        self._held[stream] = self._held[stream]._replace(place=place)
        if asked is not None and asked["skip"]:
            await in_thread(lambda: self._record(parked))
            self._past.add((stream, place))
            await self.move_on(stream, Place(place.position, place.index + 1))
        return asked is not None

    def _record(self, parked: Mapping[str, Any]) -> None:
        """Keep an event that is skipped, and why."""
        kept = {name: value for name, value in parked.items() if name not in ("epoch", "asked")}
        asked = parked["asked"]
        kept |= {"by": asked["by"], "reason": asked["reason"], "skipped": asked["at"]}
        kept["_id"] = f"{self.reader}/{parked['position']}/{parked['index']}"
        self._skipped.update_one({"_id": kept["_id"]}, {"$setOnInsert": kept}, upsert=True)
        log.warning(
            "reader.skipped",
            reader=self.reader,
            position=parked["position"],
            type=parked.get("type"),
            parked=id_of(parked),
        )

    async def waiting(self, stream: str, limit: int) -> list[Commit]:
        """The commits that wait of a parked stream, oldest first and at most so many; of the first
        some events may be done, see `waits`. None when nothing waits any more."""
        place, until = self._held[stream]
        log = self._source

        def fetch() -> list[Commit]:
            found = onward(log.collection, stream, place.position, limit)
            return [log.codec.commit(each) for each in found if each["_id"] <= until]

        found = await log.run(fetch)
        if found and place.index >= len(found[0].events):
            del found[0]
        return found

    def waits(self, stream: str, place: Place) -> bool:
        """Whether an event of a parked stream is still to be handled."""
        return place >= self._held[stream].place

    async def move_on(self, stream: str, place: Place) -> None:
        """All before this place is done."""
        await self._change(
            stream,
            {
                "$set": {**asdict(place), "attempts": 0, "asked.skip": False},
                "$unset": {"error": "", "traceback": "", "type": ""},
            },
        )
        self._held[stream] = self._held[stream]._replace(place=place)

    async def failed_again(
        self, stream: str, place: Place, type_name: str, failure: Failure
    ) -> None:
        """The stream stays parked, at this event; who asked can see why."""
        change: dict[str, Any] = {"$unset": {"asked": ""}}
        if place == self._held[stream].place:
            told = {"error": failure.error, "traceback": failure.traceback, "type": type_name}
            change |= {"$set": told, "$inc": {"attempts": failure.attempts}}
        else:
            change |= {"$set": _failed(place, type_name, failure)}
        await self._change(stream, change)
        self._held[stream] = self._held[stream]._replace(place=place)

    async def free(self, stream: str) -> None:
        """Nothing waits any more: the stream goes on as ever."""
        id, epoch = self._id(stream), self._epoch(stream)

        def delete() -> bool:
            self._parked.delete_one({"_id": id, "epoch": epoch})
            return self._parked.find_one({"_id": id}, {"_id": 1}) is None  # or it was so before

        if not await in_thread(delete):
            raise Overtaken(stream)
        del self._held[stream]

    async def _change(self, stream: str, change: Mapping[str, Any]) -> None:
        key = {"_id": self._id(stream), "epoch": self._epoch(stream)}
        done = await in_thread(lambda: self._parked.update_one(key, change))
        if not done.matched_count:
            raise Overtaken(stream)

    def _late(self, stream: str) -> dict[str, Any]:
        """What a former owner parked when its lease had gone: it has been handled since."""
        return {"_id": self._id(stream), "epoch": {"$lt": self._epoch(stream)}}

    def _id(self, stream: str) -> str:
        return f"{self.reader}/{stream}"

    def _epoch(self, stream: str) -> int:
        try:
            return self._epochs[partition_of_stream(stream)]
        except KeyError:
            raise Overtaken(stream) from None


def _place(parked: Mapping[str, Any]) -> Place:
    return Place(parked["position"], parked["index"])


def _failed(place: Place, type_name: str, failure: Failure) -> dict[str, Any]:
    return {**asdict(place), "type": type_name, **failure._asdict(), "since": now()}
