"""Who may do which part of the work: leases in MongoDB, each with a fencing epoch and the position
reached."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from pymongo import MongoClient, UpdateOne
from pymongo.database import Database
from pymongo.errors import BulkWriteError

from bus.mongo import durable
from bus.retries import Overtaken
from bus.tasks import in_thread

TERM = 6.0
"""Seconds that a lease lasts when its owner falls silent."""

Part = tuple[str, int]
"""A reader and one of its partitions."""


class Lease(NamedTuple):
    """The right to do one partition of a reader's work, and how far that has been done."""

    reader: str
    partition: int
    epoch: int
    position: int

    @property
    def part(self) -> Part:
        """What it is a lease of."""
        return self.reader, self.partition


def free_all(mongo: MongoClient[dict[str, Any]], prefix: str) -> None:
    """Nobody holds any lease of a shop. For who knows that nobody else is there, having just
    started its database: else its dead predecessor's leases would first have to run out. Blocks."""
    for name in mongo.list_database_names():
        if name.startswith(f"{prefix}_"):
            mongo[name]["readers"].update_many({}, {"$set": {"owner": None}})
            mongo[name]["members"].delete_many({})


class Leases:
    """The leases of one context as one process sees them: collection `readers`, a document for each
    partition of a reader; and `members`, the processes at work. Times are the server's, so clocks
    may differ."""

    def __init__(self, database: Database[dict[str, Any]], owner: str) -> None:
        self._collection = durable(database["readers"])
        self._members = durable(database["members"])
        self._owner = owner

    async def sign_in(self, readers: Collection[str]) -> None:
        """Say that this process is here to work on these readers."""
        here = {"readers": list(readers), "until": _until()}
        await in_thread(
            lambda: self._members.update_one({"_id": self._owner}, [{"$set": here}], upsert=True)
        )

    async def sign_out(self) -> None:
        """Say that it is not here any more; what it still holds is free."""

        def leave() -> None:
            self._collection.update_many({"owner": self._owner}, {"$set": {"owner": None}})
            self._members.delete_one({"_id": self._owner})

        await in_thread(leave)

    async def at_work(self) -> dict[str, list[str]]:
        """For each reader the processes that are here to work on it, in an order all agree on."""
        living = {"$expr": {"$gt": ["$until", "$$NOW"]}}
        members = await in_thread(lambda: list(self._members.find(living).sort("_id", 1)))
        found: dict[str, list[str]] = defaultdict(list)
        for member in members:
            for reader in member["readers"]:
                found[reader].append(member["_id"])
        return found

    async def epoch(self, part: Part) -> int:
        """That of a lease that is ours; raises `Overtaken` when it is not any more."""
        ours = {"_id": _id(part), "owner": self._owner}
        found = await in_thread(lambda: self._collection.find_one(ours))
        if found is None:
            raise Overtaken(_id(part))
        return int(found["epoch"])

    async def claim(self, parts: Collection[Part]) -> list[Lease]:
        """Take those that are free, run out, or ours already."""
        free = [
            {"owner": self._owner},
            {"owner": None},
            {"$expr": {"$lt": ["$until", "$$NOW"]}},
        ]
        return await self._take(parts, {"$or": free})

    async def seize(self, reader: str, partitions: Collection[int]) -> list[Lease]:
        """Take these from whoever has them: what that one still does is refused."""
        return await self._take([(reader, partition) for partition in partitions], {})

    async def renew(self) -> dict[Part, int]:
        """Hold for another term all that this process holds: each part with its epoch."""

        def renew() -> list[dict[str, Any]]:
            ours = {"owner": self._owner}
            self._collection.update_many(ours, [{"$set": {"until": _until()}}])
            return list(self._collection.find(ours, {"reader": 1, "partition": 1, "epoch": 1}))

        found = await in_thread(renew)
        return {(each["reader"], each["partition"]): each["epoch"] for each in found}

    async def store(self, done: Mapping[Lease, int]) -> bool:
        """Note how far the work is done; whether all these leases are still ours. Of one that is
        not, nothing is noted."""
        return await self._write(done, {})

    async def give_back(self, done: Mapping[Lease, int]) -> None:
        """Let other processes go on at once from these positions."""
        await self._write(done, {"owner": None})

    async def let_go(self, parts: Collection[Part]) -> None:
        """Free what is ours in name only."""
        ours = {"_id": {"$in": [_id(part) for part in parts]}, "owner": self._owner}
        await in_thread(lambda: self._collection.update_many(ours, {"$set": {"owner": None}}))

    async def _take(self, parts: Collection[Part], where: Mapping[str, Any]) -> list[Lease]:
        ids = {_id(part): part for part in parts}
        taken = {
            "owner": self._owner,
            "until": _until(),
            "epoch": {"$add": ["$epoch", 1]},
        }

        def take() -> list[Lease]:
            wanted = {"_id": {"$in": list(ids)}}
            known = set(self._collection.distinct("_id", wanted))
            fresh = [_fresh(part) for id, part in ids.items() if id not in known]
            if fresh:
                with suppress(BulkWriteError):  # another process was here at the same moment
                    self._collection.insert_many(fresh, ordered=False)
            self._collection.update_many({**wanted, **where}, [{"$set": taken}])
            return [
                Lease(each["reader"], each["partition"], each["epoch"], each["position"])
                for each in self._collection.find({**wanted, "owner": self._owner})
            ]

        return await in_thread(take)

    async def _write(self, done: Mapping[Lease, int], more: Mapping[str, Any]) -> bool:
        writes = [
            UpdateOne(
                {"_id": _id(lease.part), "owner": self._owner, "epoch": lease.epoch},
                {"$set": {"position": position, **more}},
            )
            for lease, position in done.items()
        ]
        if not writes:
            return True
        written = await in_thread(lambda: self._collection.bulk_write(writes, ordered=False))
        return written.matched_count == len(writes)


def _id(part: Part) -> str:
    reader, partition = part
    return f"{reader}/{partition}"


def _fresh(part: Part) -> dict[str, Any]:
    reader, partition = part
    return {
        "_id": _id(part),
        "reader": reader,
        "partition": partition,
        "owner": None,
        "epoch": 0,
        "position": 0,
    }


def _until() -> dict[str, Any]:
    return {"$add": ["$$NOW", int(TERM * 1000)]}
