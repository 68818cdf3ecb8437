"""The sender: tells each endpoint what is due, on a lane of its own.

The processes of a shop share the endpoints by partition, as they do a reader's work: so in the
ordinary course a notice is sent once. Who dies after sending and before noting it leaves it to be
sent again, under the same id.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from bus.dispatch import Bus
from bus.faults import told
from bus.leases import Lease
from bus.messages import now
from bus.partitions import PARTITIONS, partition_of
from bus.tasks import ended
from shop.metrics import WEBHOOKS
from shop.webhooks.commands import DisableEndpoint
from shop.webhooks.courier import OUTAGES, Courier, attempt
from shop.webhooks.endpoint import FAILING, GONE, Endpoint
from shop.webhooks.notices import Notice, Notices
from shop.webhooks.post import Post
from shop.webhooks.registry import Registry
from shop.webhooks.schedule import Backoff, again

WIDTH, NARROW = 8, 1
"""Notices under way to one endpoint at once; and to one that is unwell, or while a crowd outside
waits for answers."""

LOOK = 0.5
"""Seconds between looks for what another process has put down."""

REST = 10.0
"""Seconds until what failed for a reason that nobody foresaw is tried again."""

PARTING = 2.0
"""Seconds that what is under way has to end when the work goes to another process."""

log = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class Lane:
    """What is under way to one endpoint."""

    endpoint_id: str
    post: Post
    enabled_at: datetime | None = None
    backoff: Backoff = field(default_factory=Backoff)
    under_way: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    bell: asyncio.Event = field(default_factory=asyncio.Event)
    running: asyncio.Task[None] | None = None


class Sender:
    """The duty of telling."""

    name = "webhooks.sender"
    partitions = PARTITIONS
    fit = True

    def __init__(
        self,
        registry: Registry,
        notices: Notices,
        courier: Courier,
        bus: Bus,
        valid: Callable[[], bool],
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._registry = registry
        self._notices = notices
        self._courier = courier
        self._bus = bus
        self._valid = valid
        self._clock = clock
        self.held: set[int] = set()
        """The partitions whose endpoints this process tells."""
        self._lanes: dict[str, Lane] = {}
        self._task: asyncio.Task[None] | None = None

    async def begin(self, leases: Sequence[Lease]) -> None:
        """Tell the endpoints of these partitions too."""
        self.held |= {lease.partition for lease in leases}
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=self.name)

    async def release(self, partitions: Collection[int]) -> None:
        """Leave these to another process, once what is under way has ended."""
        self.held -= set(partitions)
        if not self.held:
            task, self._task = self._task, None
            await ended((task,))
        lanes = self._lanes.values()
        await self._close(
            [each for each in lanes if partition_of(each.endpoint_id) not in self.held]
        )

    def done_to(self, partition: int) -> int:
        """What is done is noted; there is no position."""
        return 0

    async def look(self) -> None:
        """Nothing can be asked."""

    def ring(self, endpoint_ids: Iterable[str]) -> None:
        """There is something new for these."""
        for id in endpoint_ids:
            if (lane := self._lanes.get(id)) is not None:
                lane.bell.set()

    async def _run(self) -> None:
        """See to it that every endpoint has a lane; that of one that is removed is idle."""
        indexed = False
        while True:
            try:
                if not indexed:
                    await self._notices.make_indexes()
                    indexed = True
                known = await self._registry.known()
                trust = await self._courier.ways() if known else None
                for id in known.keys() - self._lanes.keys():
                    if trust is not None and partition_of(id) in self.held:
                        lane = self._lanes[id] = Lane(id, self._courier.post(trust))
                        lane.running = asyncio.create_task(self._serve(lane), name=f"tell {id}")
            except OUTAGES as outage:
                log.warning("webhooks.wait", error=told(outage))
            except Exception:
                log.exception("webhooks.failed")
                await asyncio.sleep(REST)
            await asyncio.sleep(LOOK)

    async def _close(self, lanes: Sequence[Lane]) -> None:
        """Close these lanes; what does not end in time is sent again later. May be broken off, and
        is done again then."""
        await ended(lane.running for lane in lanes)
        if under_way := [task for lane in lanes for task in lane.under_way.values()]:
            await asyncio.wait(under_way, timeout=PARTING)
            await ended(under_way)
        for lane in lanes:
            await lane.post.close()
            del self._lanes[lane.endpoint_id]

    async def _serve(self, lane: Lane) -> None:
        while True:
            lane.bell.clear()
            begun = False
            try:
                begun = await self._begin_due(lane)
            except OUTAGES as outage:
                log.warning("webhooks.wait", error=told(outage))
            except Exception:
                log.exception("webhooks.failed", endpoint=lane.endpoint_id)
                await asyncio.sleep(REST)
            if not begun:
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK):
                        await lane.bell.wait()

    async def _begin_due(self, lane: Lane) -> bool:
        """Set out with what is due, as far as there is room; whether anything was."""
        endpoint = await self._open(lane)
        if endpoint is None:
            return False
        if endpoint.enabled_at != lane.enabled_at:  # whoever enabled it has seen to it
            lane.enabled_at = endpoint.enabled_at
            lane.backoff.answered()
        room = self._room(lane)
        if room <= 0:
            return False
        without = list(lane.under_way)
        due = await self._notices.due(lane.endpoint_id, self._clock(), room, without)
        for notice in due:
            lane.under_way[notice.id] = asyncio.create_task(self._see_to(lane, notice))
        return bool(due)

    def _room(self, lane: Lane) -> int:
        if not self._valid() or not lane.backoff.over(self._clock()):
            return 0
        narrow = lane.backoff.failures > 0 or self._bus.crowded
        return (NARROW if narrow else WIDTH) - len(lane.under_way)

    async def _open(self, lane: Lane) -> Endpoint | None:
        """The endpoint, if it is to be told anything."""
        endpoint = (await self._registry.known()).get(lane.endpoint_id)
        return endpoint if endpoint is not None and endpoint.disabled is None else None

    async def _see_to(self, lane: Lane, notice: Notice) -> None:
        try:
            await self._send(lane, notice)
        except OUTAGES as outage:  # it stays due
            log.warning("webhooks.wait", error=told(outage))
            await asyncio.sleep(LOOK)
        except Exception:
            log.exception("webhooks.failed", endpoint=lane.endpoint_id, notice=notice.id)
            await asyncio.sleep(REST)
        finally:
            del lane.under_way[notice.id]
            lane.bell.set()

    async def _send(self, lane: Lane, notice: Notice) -> None:
        endpoint = await self._open(lane)
        if endpoint is None or not self._valid():
            return
        at, began = self._clock(), time.monotonic()
        answer = await self._courier.tell(notice, endpoint, lane.post)
        made = attempt(answer, at, began)
        if answer.taken:
            lane.backoff.answered()
            WEBHOOKS.labels("taken").inc()
            await self._notices.taken(notice, made)
            return
        WEBHOOKS.labels("failed").inc()
        if answer.unwell:
            lane.backoff.failed(at, self._clock(), answer.wait)
        else:
            lane.backoff.answered()
        since = notice.tried_since or at
        due = again(notice.attempts + 1, since, self._clock(), random.uniform)
        if await self._notices.failed(notice, made, due) and due is None:
            WEBHOOKS.labels("given_up").inc()
            log.warning("webhook.given_up", endpoint=lane.endpoint_id, notice=notice.id)
            if not await self._notices.any_taken(lane.endpoint_id, since):
                await self._disable(lane, FAILING)
        if answer.gone:
            await self._disable(lane, GONE)

    async def _disable(self, lane: Lane, reason: str) -> None:
        """Tell an endpoint nothing any more: it says that it is gone, or took nothing in all the
        time in which a notice was tried."""
        id = lane.endpoint_id
        if await self._open(lane) is None:
            return
        await self._bus.send(DisableEndpoint(endpoint_id=id, reason=reason))
        WEBHOOKS.labels("disabled").inc()
        log.warning("webhook.disabled", endpoint=id, reason=reason)
