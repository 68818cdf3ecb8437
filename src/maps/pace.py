"""How often a service is asked by all processes of a shop together."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from pymongo import ReturnDocument
from pymongo.database import Database
from pymongo.errors import PyMongoError

from bus.faults import told
from bus.mongo import Document
from maps.router import Unanswered

QUEUE = timedelta(seconds=30)
"""How long one may have to wait for one's turn. Nobody would look at the answer any more."""

APART = 1.1
"""Turns are that much farther apart than they might be: on their way, requests catch up."""


class Pace:
    """Gives turns to ask the service `name`: so many a second, in the whole shop.

    The next turn stands in the collection `paces` of `database`, by the clock of MongoDB. Who takes
    a turn and dies has wasted it.
    """

    def __init__(self, database: Database[Document], name: str, per_second: float) -> None:
        self._collection = database["paces"]
        self._name = name
        between = timedelta(seconds=APART / per_second) // timedelta(milliseconds=1)
        queue = QUEUE // timedelta(milliseconds=1)
        self._take: list[dict[str, Any]] = [
            {"$set": {"now": "$$NOW", "turn": {"$max": ["$next", "$$NOW"]}}},
            {"$set": {"full": {"$gt": ["$turn", {"$add": ["$now", queue]}]}}},
            {"$set": {"next": {"$cond": ["$full", "$next", {"$add": ["$turn", between]}]}}},
        ]

    async def turn(self) -> None:
        """Wait for a turn; raises `Unanswered` when too many are before us, or nobody knows."""
        try:
            taken = await asyncio.to_thread(self._taken)
        except PyMongoError as error:
            raise Unanswered(
                f"{self._name} is not asked, for MongoDB is away: {told(error)}"
            ) from None
        if taken["full"]:
            seconds = QUEUE.total_seconds()
            raise Unanswered(f"{self._name} is not asked: others wait for it for {seconds:.0f} s")
        await asyncio.sleep((taken["turn"] - taken["now"]).total_seconds())

    def _taken(self) -> Any:
        return self._collection.find_one_and_update(
            {"_id": self._name}, self._take, upsert=True, return_document=ReturnDocument.AFTER
        )
