"""Notices: what is to be told to whom, when it is tried next, and what came of each attempt.

A notice names an event by its place in a log and holds nothing of what it says: the body is made
anew from the log for each attempt. So nothing personal is kept twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from pymongo import ASCENDING, DESCENDING, IndexModel, InsertOne, UpdateOne
from pymongo.database import Database
from pymongo.errors import BulkWriteError

from bus.messages import derived_id
from bus.mongo import durable
from bus.tasks import in_thread
from bus.views import DUPLICATE
from shop.webhooks.commands import Attempt, NoticeDocument, State

KEPT: Final = timedelta(days=30)
"""For how long a notice is kept after it was put down, or asked for again."""

ATTEMPTS_KEPT = 25
"""Of one notice, the latest."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One event, as one endpoint is to be told it."""

    endpoint_id: str
    type: str
    order_id: str
    log: str
    position: int
    number: int
    """Which of the commit's events it is."""
    happened_at: datetime
    queued: datetime
    """When it was put down, or last asked for again."""
    attempts: int = 0
    """Failed ones since then."""
    tried_since: datetime | None = None
    """When the first of them was."""

    @property
    def id(self) -> str:
        """The same however often it is put down and sent, and no other notice's."""
        return "msg_" + derived_id(self.endpoint_id, self.log, self.position, self.number)


class Notices:
    """The notices of a shop, in the `notices` collection of the context's database."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._collection = durable(database["notices"])

    async def make_indexes(self) -> None:
        """Create what the sender and an operator need."""
        endpoint = ("endpoint", ASCENDING)
        waiting = {"due": {"$exists": True}}
        indexes = [
            IndexModel([("gone", ASCENDING)], expireAfterSeconds=0),
            IndexModel([endpoint, ("due", ASCENDING)], partialFilterExpression=waiting),
            IndexModel([endpoint, ("state", ASCENDING), ("gone", DESCENDING)]),
            IndexModel([("order", ASCENDING)]),
        ]
        await in_thread(lambda: self._collection.create_indexes(indexes))

    async def put(self, notices: Sequence[Notice]) -> None:
        """Put notices down, due at once; those that were put down before stay as they are."""
        fresh = [InsertOne({"_id": notice.id, **_fresh(notice)}) for notice in notices]

        def write() -> None:
            try:
                self._collection.bulk_write(fresh, ordered=False)
            except BulkWriteError as error:
                details: Any = error.details
                known = {failure["code"] for failure in details["writeErrors"]} == {DUPLICATE}
                if not known or details["writeConcernErrors"]:
                    raise

        await in_thread(write)

    async def put_again(self, notices: Sequence[Notice]) -> None:
        """Put notices down, due at once, whatever came of them before; that stays told."""
        writes = [
            UpdateOne({"_id": notice.id}, {"$set": _fresh(notice)}, upsert=True)
            for notice in notices
        ]
        await in_thread(lambda: self._collection.bulk_write(writes, ordered=False))

    async def due(
        self, endpoint_id: str, now: datetime, limit: int, without: Sequence[str]
    ) -> list[Notice]:
        """Those of an endpoint that are due, the longest first, but for some."""
        wanted = {"endpoint": endpoint_id, "due": {"$lte": now}, "_id": {"$nin": list(without)}}
        found = await in_thread(
            lambda: list(self._collection.find(wanted).sort("due", ASCENDING).limit(limit))
        )
        return [_notice(each) for each in found]

    async def taken(self, notice: Notice, attempt: Attempt) -> None:
        """The endpoint has it."""
        await self._note(
            {"_id": notice.id, "state": "waiting", "queued": notice.queued},
            {"state": "taken", "ended": attempt.at},
            attempt,
        )

    async def failed(self, notice: Notice, attempt: Attempt, due: datetime | None) -> bool:
        """The endpoint has not; it is tried again, or (`None`) never. Whether that is so: another
        process may have told of it meanwhile."""
        tried = {
            "attempts": notice.attempts + 1,
            "tried_since": notice.tried_since or attempt.at,
        }
        last = {"state": "failed", "ended": attempt.at}
        return await self._note(
            {"_id": notice.id, "state": "waiting", "queued": notice.queued}
            | {"attempts": notice.attempts},
            tried | ({"due": due} if due else last),
            attempt,
        )

    async def any_taken(self, endpoint_id: str, since: datetime) -> bool:
        """Whether an endpoint has taken anything since then."""
        wanted = {"endpoint": endpoint_id, "state": "taken", "ended": {"$gte": since}}
        return await in_thread(lambda: self._collection.find_one(wanted, {"_id": 1}) is not None)

    async def again(self, which: Mapping[str, Any], now: datetime) -> int:
        """Have these sent again, at once; how many they are."""
        fresh = _waiting(now)
        done = await in_thread(lambda: self._collection.update_many(which, {"$set": fresh}))
        return int(done.matched_count)

    async def endpoints_of(self, ids: Sequence[str]) -> dict[str, str]:
        """The endpoints of those of these notices that there are, by their ids."""
        wanted = {"_id": {"$in": list(ids)}}
        found = await in_thread(lambda: list(self._collection.find(wanted, {"endpoint": 1})))
        return {each["_id"]: each["endpoint"] for each in found}

    async def count(self, endpoint_id: str, state: State, *, attempts: int = 0) -> int:
        """How many of an endpoint's are so, after so many failed attempts at least."""
        wanted = {"endpoint": endpoint_id, "state": state, "attempts": {"$gte": attempts}}
        return await in_thread(lambda: self._collection.count_documents(wanted))

    async def late(self, endpoint_ids: Sequence[str], since: datetime) -> int:
        """How many of these endpoints' were due before then."""
        wanted = {"endpoint": {"$in": list(endpoint_ids)}, "due": {"$lt": since}}
        return await asyncio.to_thread(lambda: self._collection.count_documents(wanted))

    async def last_taken(self, endpoint_id: str) -> datetime | None:
        """When an endpoint took the latest that it has taken."""
        wanted = {"endpoint": endpoint_id, "state": "taken"}
        found = await in_thread(
            lambda: list(self._collection.find(wanted).sort("gone", DESCENDING).limit(1))
        )
        return found[0]["ended"] if found else None

    async def find(self, wanted: Mapping[str, Any], limit: int) -> list[NoticeDocument]:
        """Those that match, the latest first."""
        found = await in_thread(
            lambda: list(self._collection.find(wanted).sort("gone", DESCENDING).limit(limit))
        )
        return [_document(each) for each in found]

    async def forget(self, endpoint_id: str) -> None:
        """Those of an endpoint that is no more."""
        await in_thread(lambda: self._collection.delete_many({"endpoint": endpoint_id}))

    async def _note(
        self, which: Mapping[str, Any], fields: Mapping[str, Any], attempt: Attempt
    ) -> bool:
        told = {"$each": [attempt.model_dump(exclude_none=True)], "$slice": -ATTEMPTS_KEPT}
        change: dict[str, Any] = {"$set": fields, "$push": {"tries": told}}
        if "due" not in fields:
            change["$unset"] = {"due": ""}
        done = await in_thread(lambda: self._collection.update_one(which, change))
        return bool(done.matched_count)


def _waiting(now: datetime) -> dict[str, Any]:
    """Everything begins anew."""
    return {
        "state": "waiting",
        "due": now,
        "queued": now,
        "attempts": 0,
        "tried_since": None,
        "gone": now + KEPT,
    }


def _fresh(notice: Notice) -> dict[str, Any]:
    return {
        "endpoint": notice.endpoint_id,
        "type": notice.type,
        "order": notice.order_id,
        "log": notice.log,
        "position": notice.position,
        "number": notice.number,
        "at": notice.happened_at,
        **_waiting(notice.queued),
    }


def _notice(found: Mapping[str, Any]) -> Notice:
    return Notice(
        endpoint_id=found["endpoint"],
        type=found["type"],
        order_id=found["order"],
        log=found["log"],
        position=found["position"],
        number=found["number"],
        happened_at=found["at"],
        queued=found["queued"],
        attempts=found["attempts"],
        tried_since=found["tried_since"],
    )


def _document(found: Mapping[str, Any]) -> NoticeDocument:
    return NoticeDocument(
        message_id=found["_id"],
        endpoint_id=found["endpoint"],
        type=found["type"],
        order_id=found["order"],
        happened_at=found["at"],
        state=found["state"],
        due=found.get("due"),
        attempts=tuple(Attempt(**each) for each in found.get("tries", ())),
    )
