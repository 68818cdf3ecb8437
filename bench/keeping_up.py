"""How far the shop's readers have come, as MongoDB has it: looked at from outside."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from pymongo.database import Database

from bench.client import BadAnswer
from bus.mongo import connect
from bus.partitions import PARTITIONS

WITHIN = 60.0
LOOK = 0.1
PREFIX = "shop_"

Documents = list[dict[str, Any]]


class KeepingUp:
    """The readers of all contexts of a shop, and the logs that they read."""

    def __init__(self, url: str) -> None:
        self._mongo = connect(url)

    async def shared_out(self, replicas: int) -> None:
        """Wait until every reader's partitions are held by so many processes, evenly."""
        await self._until(lambda: self._shared_out(replicas), "are not shared out")

    async def drained(self) -> None:
        """Wait until nothing is left to do."""
        await self._until(lambda: self.lag() == 0, "do not come to an end")

    def lag(self) -> float:
        """Seconds that the oldest commit has waited which some reader has not done; 0 when there is
        none. Positions are stored now and then, so it is rather too much than too little.
        """
        done: dict[str, int] = {}
        for database in self._contexts():
            for part in database["readers"].find():
                if log := log_of(part["reader"]):
                    done[log] = min(done.get(log, part["position"]), part["position"])
        waiting = [
            oldest["at"]
            for log, position in done.items()
            if (oldest := self._log(log).find_one({"_id": position + 1}, {"at": 1}))
        ]
        return (datetime.now(UTC) - min(waiting)).total_seconds() if waiting else 0.0

    def head(self) -> int:
        """Where the log of orders ends."""
        last = self._log("ordering").find_one({}, {"_id": 1}, sort=[("_id", -1)])
        return int(last["_id"]) if last else 0

    def placed(self) -> int:
        """How many orders there are."""
        return int(self._log("ordering").count_documents({"events.type": "ordering.OrderPlaced"}))

    def confirmed_after(self, position: int) -> float:
        """The median of the seconds from placed to confirmed, of the orders placed behind a
        position."""
        wanted = {"ordering.OrderPlaced", "ordering.OrderConfirmed"}
        times: dict[str, list[datetime]] = defaultdict(list)
        behind = {"_id": {"$gt": position}, "events.type": {"$in": list(wanted)}}
        for commit in self._log("ordering").find(behind, {"at": 1, "writes": 1}).sort("_id", 1):
            times[commit["writes"][0]["stream"]].append(commit["at"])
        taken = [at[1] - at[0] for at in times.values() if len(at) == 2]
        return statistics.median(each.total_seconds() for each in taken)

    def close(self) -> None:
        """Look no more."""
        self._mongo.close()

    def _shared_out(self, replicas: int) -> bool:
        for database in self._contexts():
            if database["members"].count_documents({}) != replicas:
                return False
            owners: dict[str, Counter[str | None]] = defaultdict(Counter)
            for part in database["readers"].find():
                owners[part["reader"]][part["owner"]] += 1
            even = [PARTITIONS // replicas] * replicas
            for reader, held in owners.items():
                if None in held or (log_of(reader) and list(held.values()) != even):
                    return False
        return True

    async def _until(self, done: Callable[[], bool], trouble: str) -> None:
        deadline = time.monotonic() + WITHIN
        while not await asyncio.to_thread(done):
            if time.monotonic() > deadline:
                raise BadAnswer(f"the shop's readers {trouble}")
            await asyncio.sleep(LOOK)

    def _contexts(self) -> list[Database[dict[str, Any]]]:
        names = self._mongo.list_database_names()
        found = [self._mongo[name] for name in names if name.startswith(PREFIX)]
        return [each for each in found if each["readers"].find_one()]

    def _log(self, context: str) -> Any:
        return self._mongo[PREFIX + context]["log"]


def log_of(reader: str) -> str | None:
    """The log that a reader reads: its context's own if it keeps a view. Timers read none."""
    context, _, name = reader.partition(".")
    if name == "timers":
        return None
    return reader.partition("<")[2] or context
