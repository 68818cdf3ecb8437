"""One bounded context's own ground: what the platform keeps for it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, TypeVar

from pymongo.database import Database

from bus.cache import Cache
from bus.feed import Feed
from bus.keyring import Keyring
from bus.log import Log
from bus.messages import Busy, Event, NotFound
from bus.partitions import PARTITIONS
from bus.readers import Reader
from bus.rota import Duty, Rota
from bus.streams import Streams
from bus.timers import Timers
from bus.views import Documents, View

D = TypeVar("D")


class Context:
    """One bounded context's own ground: its database, and what the platform keeps there for it."""

    def __init__(
        self,
        name: str,
        database: Database[dict[str, Any]],
        cache: Cache,
        events: Iterable[type[Event]],
        keyring: Keyring,
        rota: Rota,
        timers: Timers,
    ) -> None:
        self.name = name
        self.database = database
        self.cache = cache
        self.keyring = keyring
        self.log = Log(name, database, events, keyring)
        self.streams = Streams(self.log)
        self.rota = rota
        self.timers = timers
        self.feed = Feed(name, self.log.read, self.log.head)
        self.views: list[Documents[Any]] = []
        self.readers: list[Reader] = []
        self.duties: list[Duty] = []
        """Work of its own that its processes share by partition, besides readers and timers."""

    def view(self, view: View[D]) -> Documents[D]:
        """Keep a view of this context's log."""
        documents = Documents(view, self.database, keyring=self.keyring)
        self.views.append(documents)
        return documents

    async def seen(self, documents: Documents[Any], position: int, patience: float = 2.0) -> bool:
        """Wait until a view shows the log up to a position; whether it does, after `patience`
        seconds."""
        name = f"{self.name}.{documents.key}"
        reader = next((reader for reader in self.readers if reader.name == name), None)
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                while True:
                    done = await self._stored(name)
                    if reader is not None:
                        done |= {each: reader.done_to(each) for each in reader.held}
                    if len(done) == PARTITIONS and min(done.values()) >= position:
                        return True
                    await asyncio.sleep(0.02)
        return False

    async def await_view(
        self, documents: Documents[Any], position: int, patience: float = 2.0
    ) -> None:
        """Wait until a view shows the log up to a position; raises `Busy` when it does not in time.
        Refused with `unknown_position` when the log has not come so far either."""
        if not position or await self.seen(documents, position, patience):
            return
        if await self.log.head() < position:
            raise NotFound(
                "unknown_position",
                f"nobody was told of position {position}: the {self.name} log has not come so far",
            )
        raise Busy(f"the list does not show position {position} yet; ask again")

    async def shown(self, documents: Documents[Any]) -> int:
        """Up to where a view shows the log, whoever keeps it; as far as that is stored."""
        done = await self._stored(f"{self.name}.{documents.key}")
        return min(done.values()) if len(done) == PARTITIONS else 0

    async def _stored(self, reader: str) -> dict[int, int]:
        """How far each partition of a reader's work is known to be done."""
        leases = self.database["readers"]
        found = await asyncio.to_thread(lambda: list(leases.find({"reader": reader})))
        return {each["partition"]: each["position"] for each in found}
