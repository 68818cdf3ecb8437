"""The outbox: for each event, who is to be told.

A reader's position moves on only when the notices of its chunk are written, so none is lost; and a
notice's id follows from its event and its endpoint, so none is written twice.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import cast

from bus.context import Context
from bus.dispatch import context_of
from bus.gathered import Seen
from bus.log import Log
from bus.messages import now
from ordering.views import orders
from shop.webhooks.endpoint import Endpoint
from shop.webhooks.news import WORTH_TELLING, Told, matches, order_of, type_of
from shop.webhooks.notices import Notice, Notices
from shop.webhooks.registry import Registry

READER = "webhooks.outbox"

CHUNK = 1000
"""Commits looked through at once for what is sent again."""

CLOCKS_DIFFER = timedelta(minutes=1)
"""By how much the times of a log's commits, which several processes wrote, may be out of order."""

Wants = Callable[[str, str, int], bool]
"""Whether something is to be told: its type, its log and its position there."""


class Outbox:
    """Puts down what is to be told; `ring` hears which endpoints have something new."""

    def __init__(
        self,
        registry: Registry,
        notices: Notices,
        sources: Mapping[str, Context],
        ring: Callable[[Iterable[str]], None],
    ) -> None:
        self._registry = registry
        self._notices = notices
        self._sources = sources
        self._ring = ring

    async def record(self, seen: Sequence[Seen]) -> None:
        """Put down what these events are told as, and to whom."""
        endpoints = (await self._registry.newest()).values()
        if not endpoints:
            return
        at = now()
        notices = [
            notice
            for endpoint in endpoints
            for notice in await self._of(endpoint, endpoint.hears_of, seen, at)
        ]
        if notices:
            await self._notices.put(notices)
            self._ring({notice.endpoint_id for notice in notices})

    async def again(
        self, endpoint: Endpoint, since: datetime, told: Callable[[int, int], None]
    ) -> int:
        """Put down, to be sent at once, all that an endpoint was told or would have been since
        then; how much that is. `told` hears how many commits of how many have been seen."""
        heads = {name: await source.log.head() for name, source in self._sources.items()}
        count = done = 0
        for name, source in self._sources.items():
            position = await _before(source.log, since - CLOCKS_DIFFER, heads[name])
            done += position
            while position < heads[name]:
                commits = await source.log.read(position, limit=CHUNK)
                seen = [
                    Seen(commit, number)
                    for commit in commits
                    if commit.at >= since
                    for number, happened in enumerate(commit.events)
                    if happened.kind in WORTH_TELLING
                ]
                notices = await self._of(endpoint, partial(_wanted, endpoint), seen, now())
                if notices:
                    await self._notices.put_again(notices)
                count += len(notices)
                done += commits[-1].position - position
                position = commits[-1].position
                told(done, sum(heads.values()))
        self._ring([endpoint.endpoint_id])
        return count

    async def _of(
        self, endpoint: Endpoint, wants: Wants, seen: Sequence[Seen], at: datetime
    ) -> list[Notice]:
        """What of these events an endpoint is to be told."""
        found = []
        for each in seen:
            event = cast(Told, each.recorded.event)
            type_, log = type_of(event), context_of(type(event))
            if type_ is not None and wants(type_, log, each.commit.position):
                found.append(
                    Notice(
                        endpoint_id=endpoint.endpoint_id,
                        type=type_,
                        order_id=order_of(event),
                        log=log,
                        position=each.commit.position,
                        number=each.number,
                        happened_at=each.commit.at,
                        queued=at,
                    )
                )
        if endpoint.client is None or not found:
            return found
        clients = await self._clients({notice.order_id for notice in found})
        return [notice for notice in found if clients[notice.order_id] == endpoint.client]

    async def _clients(self, ids: Iterable[str]) -> Mapping[str, str | None]:
        """Whose orders these are; nobody's, where there is no such order."""
        asked = tuple(ids)
        streams = self._sources["ordering"].streams
        found = await streams.load_all([orders(id) for id in asked])
        return {
            id: None if order is None else order.client
            for id, order in zip(asked, found, strict=True)
        }


def _wanted(endpoint: Endpoint, type_: str, log: str, position: int) -> bool:
    return matches(type_, endpoint.only)


async def _before(log: Log, moment: datetime, head: int) -> int:
    """The last position before a moment."""

    def at(position: int) -> datetime:
        found = log.collection.find_one({"_id": position}, {"at": 1})
        return cast(datetime, found["at"]) if found else moment

    return await log.run(lambda: bisect_left(range(1, head + 1), moment, key=at))
