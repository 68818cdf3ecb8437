"""Which process does which work: a lease in MongoDB with a fencing epoch, and the position
reached."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, NamedTuple

import structlog
from pymongo import MongoClient, ReturnDocument
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from bus.mongo import durable
from bus.tasks import in_thread

TERM = 10.0
"""Seconds that a lease lasts when its owner falls silent."""

log = structlog.get_logger(__name__)


class Lease(NamedTuple):
    """The right to do one piece of work, and how far it has been done."""

    name: str
    epoch: int
    position: int


class LeaseLost(Exception):
    """Another process has taken the work over; what this one still does is refused."""


def free_all(mongo: MongoClient[dict[str, Any]], prefix: str) -> None:
    """Nobody holds any lease of a shop. For who knows that nobody else is there, having just
    started its database: else its dead predecessor's leases would first have to run out. Blocks."""
    for name in mongo.list_database_names():
        if name.startswith(f"{prefix}_"):
            mongo[name]["readers"].update_many({}, {"$set": {"owner": None}})


class Leases:
    """The leases of one context, in its `readers` collection. Times are the server's, so clocks may
    differ."""

    def __init__(self, database: Database[dict[str, Any]], owner: str) -> None:
        self._collection = durable(database["readers"])
        self._owner = owner

    async def claim(self, name: str) -> Lease | None:
        """Take the lease if it is free, run out, or ours; `None` when another process holds it."""
        free = {
            "$or": [
                {"owner": self._owner},
                {"owner": None},
                {"$expr": {"$lt": ["$until", "$$NOW"]}},
            ]
        }
        take = {
            "owner": self._owner,
            "until": {"$add": ["$$NOW", int(TERM * 1000)]},
            "epoch": {"$add": ["$epoch", 1]},
        }

        def find_and_take() -> Lease | None:
            with suppress(DuplicateKeyError):  # by another process, at the same moment
                fresh = {"owner": None, "epoch": 0, "position": 0}
                self._collection.update_one({"_id": name}, {"$setOnInsert": fresh}, upsert=True)
            found = self._collection.find_one_and_update(
                {"_id": name, **free}, [{"$set": take}], return_document=ReturnDocument.AFTER
            )
            return Lease(name, found["epoch"], found["position"]) if found else None

        return await in_thread(find_and_take)

    async def keep(self, lease: Lease, position: int) -> None:
        """Renew a lease and store how far the work is done; raises `LeaseLost` to a past owner."""
        renewed = {"until": {"$add": ["$$NOW", int(TERM * 1000)]}, "position": position}
        done = await in_thread(
            lambda: self._collection.update_one(
                {"_id": lease.name, "owner": self._owner, "epoch": lease.epoch}, [{"$set": renewed}]
            )
        )
        if done.matched_count == 0:
            raise LeaseLost(lease.name)

    async def give_back(self, lease: Lease, position: int) -> None:
        """Let another process go on at once from this position."""
        await in_thread(
            lambda: self._collection.update_one(
                {"_id": lease.name, "owner": self._owner, "epoch": lease.epoch},
                {"$set": {"owner": None, "position": position}},
            )
        )

    async def give_back_all(self) -> None:
        """Whatever this process still holds is free for others; nothing works on it any more."""
        await in_thread(
            lambda: self._collection.update_many({"owner": self._owner}, {"$set": {"owner": None}})
        )
