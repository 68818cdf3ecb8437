"""When each key was last used: noted in memory, and written down afterwards, once a minute at
most."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import structlog
from pymongo import UpdateOne
from pymongo.collection import Collection
from pymongo.errors import PyMongoError

from bus.faults import told
from bus.mongo import Document
from bus.tasks import ended, in_thread

EVERY = timedelta(minutes=1)
"""How long a key's use stays untold at most, and how often a key's document is written."""

log = structlog.get_logger(__name__)


class Uses:
    """The uses of keys in this process. A process that is killed forgets those of its last
    minute."""

    def __init__(self, keys: Collection[Document]) -> None:
        self._keys = keys
        self._untold: dict[str, float] = {}  # by prefix: seconds since 1970
        self._telling: asyncio.Task[None] | None = None

    def note(self, prefix: str, at: float) -> None:
        """A key was used. Costs its request nothing."""
        self._untold[prefix] = at
        if self._telling is None:
            self._telling = asyncio.create_task(self._tell())

    async def close(self) -> None:
        """Write down what is not yet."""
        await ended([self._telling])
        self._telling = None
        await self._write()

    async def _tell(self) -> None:
        while self._untold:
            await self._write()
            await asyncio.sleep(EVERY.total_seconds())
        self._telling = None

    async def _write(self) -> None:
        """Write all that is known in one go, but for keys that another replica has written just
        now."""
        untold, self._untold = self._untold, {}
        writes = [_use(prefix, at) for prefix, at in untold.items()]
        try:
            if writes:
                await in_thread(lambda: self._keys.bulk_write(writes, ordered=False))
        except PyMongoError as error:  # the next time then
            self._untold = untold | self._untold
            log.warning("keys.uses_not_written", keys=len(untold), error=told(error))


def _use(prefix: str, at: float) -> UpdateOne:
    used = datetime.fromtimestamp(at, UTC)
    stale = {"_id": prefix, "last_used": {"$not": {"$gt": used - EVERY}}}
    return UpdateOne(stale, {"$set": {"last_used": used}})
