"""The payments as the shop's own people see them, and how the gateway's books compare with them."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple, cast

from bus.context import Context
from bus.envelope import Envelope
from bus.messages import NotFound, now
from bus.views import Documents, Stored, View
from payment.documents import shown
from payment.gateway import Gateway, Standing
from payment.payment import EVENTS, PaymentEvent
from payment.queries import (
    Difference,
    GetPayment,
    ListPayments,
    PaymentDocument,
    Reconcile,
    Report,
)
from payment.reconciliation import (
    CLOSELY,
    Sums,
    at_odds,
    booked,
    bucket_of,
    differences,
    expected,
    payment_of,
    under_way,
    worth,
)

PAYMENTS: View[PaymentDocument] = View(
    name="payments",
    version=2,
    shape=PaymentDocument,
    ids=dict.fromkeys(EVENTS, lambda event: str(event.payment_id)),
    evolve=shown,
    indexes=[
        [("first", -1)],
        [("doc.status", 1), ("first", -1)],
        [("doc.trouble", 1), ("first", -1)],
    ],
)


class Queries:
    """The questions about payments, answered from their view."""

    def __init__(self, home: Context, documents: Documents[PaymentDocument]) -> None:
        self._home = home
        self._documents = documents

    async def get(self, asked: GetPayment, _: Envelope[Any]) -> PaymentDocument:
        """One payment."""
        await self._home.await_view(self._documents, asked.min_position)
        found = await self._documents.get(asked.payment_id)
        if found is None:
            raise NotFound(
                "unknown_payment",
                f"there is no payment {asked.payment_id}: see `shop payments list`",
            )
        return found.doc

    async def list(self, asked: ListPayments, _: Envelope[Any]) -> tuple[PaymentDocument, ...]:
        """The newest payments."""
        await self._home.await_view(self._documents, asked.min_position)
        fields = {"doc.status": asked.status, "doc.trouble": asked.trouble}
        query = {field: value for field, value in fields.items() if value is not None}
        found = await self._documents.find(query, limit=asked.limit)
        return tuple(stored.doc for stored in found)


TOGETHER = 1000
"""Documents fetched at once."""

PATIENCE = 30.0
"""Seconds to wait until the view shows the log."""

PAUSES = (0.5, 1.0, 2.0, 4.0)
"""Seconds before each further look at what was under way: it comes to rest."""

AT_REST = timedelta(minutes=2)
"""After this a call without an answer is no longer under way: what should make it is parked."""

TOLD = 1000
"""Differences that are told of at once."""


SKEW = timedelta(hours=1)
"""How far the gateway's clock may be from ours."""


class Known(NamedTuple):
    """A payment by its events, up to a version of its stream; when it began, and changed last."""

    doc: PaymentDocument | None = None
    version: int = 0
    begun: datetime | None = None
    changed: datetime | None = None

    @property
    def moving(self) -> bool:
        """Whether the gateway is being called, or was a moment ago."""
        if self.doc is None or self.changed is None:
            return False
        return under_way(self.doc) and now() - self.changed < AT_REST


NOTHING = Known()


class Books:
    """The gateway's books held against the events. Changes nothing, and bears traffic beside it: of
    what differs, it judges only what has not moved meanwhile."""

    def __init__(
        self, home: Context, documents: Documents[PaymentDocument], gateway: Gateway
    ) -> None:
        self._home = home
        self._documents = documents
        self._gateway = gateway

    async def reconcile(self, asked: Reconcile, _: Envelope[Any]) -> Report:
        """Compare all payments, or those begun since then."""
        head = await self._home.log.head()
        await self._home.await_view(self._documents, head, PATIENCE)
        compared, suspects = await self._added_up(asked.since)
        among = set(suspects[:CLOSELY])
        known = {
            stored.id: Known(stored.doc, stored.version)
            async for stored in self._stored(asked.since)
            if among and bucket_of(stored.id) in among
        }
        found, moving = await self._look(known, lambda id: bucket_of(id) in among, asked.since)
        for pause in PAUSES:
            if not moving:
                break
            await asyncio.sleep(pause)
            known = {id: await self._by_events(id) for id in moving}
            more, moving = await self._look(known, known.__contains__, asked.since)
            found += more
        return Report(
            compared=compared,
            differences=tuple(found[:TOLD]),
            under_way=len(moving),
            more=len(found) > TOLD or len(suspects) > len(among),
        )

    async def _added_up(self, since: datetime | None) -> tuple[int, list[int]]:
        """How many payments there are, and the buckets in which the books differ."""
        sums, compared, odd = Sums(), 0, set()
        async for stored in self._stored(since):
            compared += 1
            lines = list(expected(stored.doc))
            sums.add(stored.id, worth(lines))
            if at_odds(stored.doc, lines):
                odd.add(bucket_of(stored.id))
        async for standing in self._gateway.standings(since):
            sums.take(payment_of(standing), worth([booked(standing)]))
        return compared, sorted(odd.union(sums.uneven()))

    async def _look(
        self, known: Mapping[str, Known], among: Callable[[str], bool], since: datetime | None
    ) -> tuple[list[Difference], set[str]]:
        """What differs of these payments, and which of them have moved meanwhile."""
        books: defaultdict[str, list[Standing]] = defaultdict(list)
        begun = [each.begun for each in known.values() if each.begun is not None]
        earliest = min([*begun, since]) - SKEW if since is not None else None
        async for standing in self._gateway.standings(earliest):
            if among(id := payment_of(standing)):
                books[id].append(standing)
        found, moving = [], set()
        for id in sorted(known.keys() | books.keys()):
            before = known.get(id, NOTHING)
            if not differences(id, before.doc, books[id]):
                continue
            after = await self._by_events(id)
            if after.version != before.version or after.moving:
                moving.add(id)
            else:
                found += differences(id, after.doc, books[id])
        return found, moving

    async def _by_events(self, payment_id: str) -> Known:
        """A payment as its stream has it now."""
        stream = f"payment-{payment_id}"
        doc, version = None, 0
        history = await self._home.log.history(stream)
        for commit in history:
            for happened in commit.events:
                if happened.stream == stream:
                    doc, version = shown(doc, cast(PaymentEvent, happened.event)), happened.version
        return Known(doc, version, history[0].at, history[-1].at) if history else NOTHING

    async def _stored(self, since: datetime | None) -> AsyncIterator[Stored[PaymentDocument]]:
        """The documents of the payments begun since then, the oldest first."""
        last = 0 if since is None else await self._position_before(since)
        while True:
            behind = {"first": {"$gt": last}}
            found = await self._documents.find(behind, limit=TOGETHER, sort=[("first", 1)])
            for stored in found:
                yield stored
            if len(found) < TOGETHER:
                return
            last = found[-1].first

    async def _position_before(self, then: datetime) -> int:
        """The last position that was taken before a time."""
        low, high = 0, await self._home.log.head()
        while low < high:
            middle = (low + high + 1) // 2
            (commit,) = await self._home.log.read(middle - 1, limit=1)
            low, high = (middle, high) if commit.at < then else (low, middle - 1)
        return low
