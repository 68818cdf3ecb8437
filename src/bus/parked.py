"""A parked stream as those see it who look after it: its name, what waits of it, what they ask."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Set
from typing import Any

from pymongo import ASCENDING
from pymongo.collection import Collection
from pymongo.database import Database

from bus.messages import ERASED, now
from bus.mongo import durable


def id_of(parked: Mapping[str, Any]) -> str:
    """What a person calls a parked stream, for as long as it stands at the same event."""
    where = f"{parked['reader']}/{parked['position']}/{parked['index']}"
    return hashlib.sha256(where.encode()).hexdigest()[:10]


def ask(
    database: Database[dict[str, Any]],
    parked: Mapping[str, Any],
    *,
    by: str,
    skip: bool = False,
    reason: str | None = None,
) -> bool:
    """Ask for a parked stream to be tried again, its first event skipped or not; whether it still
    stands where it was seen, with nothing else asked. Blocks."""
    asked = {"skip": skip, "by": by, "reason": reason, "at": now()}
    key = {
        "_id": parked["_id"],
        "position": parked["position"],
        "index": parked["index"],
        "asked": {"$exists": False},
    }
    return bool(
        durable(database["parked"]).update_one(key, {"$set": {"asked": asked}}).matched_count
    )


def forget(database: Database[dict[str, Any]], ids: Set[str]) -> None:
    """Take out what errors have said of the streams of these ids: it may quote what was personal
    in an event. Blocks."""
    for name in ("parked", "skipped"):
        kept = durable(database[name])
        for each in kept.find({"error": {"$exists": True}}, {"stream": 1}):
            if each["stream"].partition("-")[2] in ids:
                words = {"error": ERASED, "traceback": ERASED}
                kept.update_one({"_id": each["_id"], "error": {"$exists": True}}, {"$set": words})


def make_indexes(database: Database[dict[str, Any]]) -> None:
    """Create what looking for parked streams needs. Blocks."""
    parked = database["parked"]
    parked.create_index("reader")
    parked.create_index(
        "reader", name="asked", partialFilterExpression={"asked": {"$exists": True}}
    )


def onward(
    log: Collection[dict[str, Any]], stream: str, position: int, limit: int | None = None
) -> Iterable[dict[str, Any]]:
    """The stored commits that wrote a stream, from the one at a position on. Blocks.

    By their versions, which are contiguous: however long the stream is, no more is read.
    """
    first = log.find_one({"_id": position}, {"writes": 1})
    versions = [w["version"] for w in first["writes"] if w["stream"] == stream] if first else []
    if not versions:
        return []
    between: dict[str, int] = {"$gte": versions[0]}
    if limit is not None:
        between["$lt"] = versions[0] + limit
    wanted = {"writes": {"$elemMatch": {"stream": stream, "version": between}}}
    return log.find(wanted).sort("_id", ASCENDING)
