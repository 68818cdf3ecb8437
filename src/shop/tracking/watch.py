"""What happens to an order, heard once in this process, however many watch it."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple, TypeVar

import structlog

from bus.dispatch import Bus
from bus.faults import told
from bus.leaving import Wake
from bus.messages import Document, Query
from delivery.contract import AwaitDelivery, Status
from ordering.contract import TERMINAL, FollowOrder, OrderDocument

PATIENCE = 50
"""Seconds for which ordering and delivery are asked to wait for news."""

LAST_LOOK = 1
"""Seconds for which they are waited for when the order has come to its end: what ended it may be
heard a moment later."""

PAUSE = 1.0
"""Seconds until they are asked again after a failure."""

KEPT = 100
"""States of an order that are kept for whoever is slow; hardly one goes through so many."""

ENDED: frozenset[Status] = frozenset({"delivered", "returned_to_sender", "cancelled"})
"""How a delivery is when nothing more happens to it."""

R = TypeVar("R")

log = structlog.get_logger(__name__)


class State(NamedTuple):
    """One state of an order: as REST shows it, and what of that matters here."""

    order_id: str
    version: int
    status: str
    deliveries: tuple[str, ...]
    """Always in the same order."""
    body: bytes

    @classmethod
    def of(cls, found: Document) -> State:
        """The state in a document."""
        order = OrderDocument.model_validate_json(found.body)
        return cls(order.order_id, found.version, order.status, order.deliveries, found.body)

    @property
    def ended(self) -> bool:
        """Whether the order is at its end."""
        return self.status in TERMINAL


class Watch:
    """One order and its deliveries, as they are and as they become, behind a version of it."""

    def __init__(self, bus: Bus, order_id: str, version: int) -> None:
        self.order_id = order_id
        self.states: deque[State] = deque(maxlen=KEPT)
        self.deliveries: dict[str, Document] = {}
        self.over = False
        """Whether the order has come to its end, and all of it is told."""
        self._bus = bus
        self._version = version
        self._listeners: set[Wake] = set()
        self._news = asyncio.Event()
        self._tasks: dict[str, asyncio.Task[None]] = {}

    @property
    def watched(self) -> bool:
        """Whether anybody listens."""
        return bool(self._listeners)

    def join(self, wake: Wake) -> None:
        """Call this whenever there is news; the first who joins begins the watch."""
        self._listeners.add(wake)
        if not self._tasks:
            self._begin(self.order_id, self._follow())

    def quit(self, wake: Wake) -> None:
        """Call it no more; the last who quits ends the watch."""
        self._listeners.discard(wake)
        if not self._listeners:
            for task in self._tasks.values():
                task.cancel()

    async def _follow(self) -> None:
        while not self.over:
            query = FollowOrder(order_id=self.order_id, after=self._version, seconds=PATIENCE)
            for found in await self._asked(query):
                self._version = found.version
                self.states.append(State.of(found))
                self._tell()
            if self.states:
                await self._follow_deliveries(self.states[-1])

    async def _follow_deliveries(self, newest: State) -> None:
        for delivery_id in newest.deliveries:
            if delivery_id not in self._tasks:
                self._begin(delivery_id, self._follow_delivery(delivery_id))
        if newest.ended:
            with suppress(TimeoutError):
                async with asyncio.timeout(LAST_LOOK):
                    while not all(map(self._is_ended, newest.deliveries)):
                        await self._news.wait()
            self.over = True
            self._tell()

    async def _follow_delivery(self, delivery_id: str) -> None:
        while not self.over:
            known = self.deliveries.get(delivery_id)
            tag = known.tag if known else ""
            query = AwaitDelivery(delivery_id=delivery_id, known=tag, seconds=PATIENCE)
            if (found := await self._asked(query)) is not None:
                self.deliveries[delivery_id] = found
                self._tell()

    def _is_ended(self, delivery_id: str) -> bool:
        known = self.deliveries.get(delivery_id)
        return known is not None and json.loads(known.body)["status"] in ENDED

    def _begin(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        self._tasks[name] = asyncio.create_task(work, name=f"watch:{name}")

    def _tell(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()
        for wake in self._listeners:
            wake()

    async def _asked(self, query: Query[R]) -> R:
        """The answer, however long that takes: what is away comes back."""
        while True:
            try:
                return await self._bus.ask(query)
            except Exception as error:
                log.warning("watch.cannot_hear", order_id=self.order_id, error=told(error))
                await asyncio.sleep(PAUSE)


class Watches:
    """All watches of this process: one for each order that anybody listens to."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._open: dict[str, Watch] = {}

    @contextmanager
    def listening(self, order_id: str, version: int, wake: Wake) -> Iterator[Watch]:
        """The watch of an order, begun behind this version unless there is one already."""
        watch = self._open.get(order_id)
        if watch is None:
            watch = self._open[order_id] = Watch(self._bus, order_id, version)
        watch.join(wake)
        try:
            yield watch
        finally:
            watch.quit(wake)
            if not watch.watched:
                self._open.pop(order_id, None)
