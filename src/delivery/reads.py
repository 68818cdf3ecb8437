"""A delivery as it is read: where the goods are now, and when that changes."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from hashlib import blake2b
from typing import Any

from bus.envelope import Envelope
from bus.messages import Document, now
from bus.streams import Streams
from delivery import delivery as deliveries
from delivery.contract import AwaitDelivery, GetDelivery
from delivery.delivery import Delivery
from delivery.dispatch import carrier_of, may_see
from delivery.handlers import DELIVERY
from delivery.lookout import Lookout
from delivery.views import document


class Reads:
    """The queries about one delivery."""

    def __init__(self, streams: Streams, lookout: Lookout) -> None:
        self._streams = streams
        self._lookout = lookout

    async def get(self, query: GetDelivery, envelope: Envelope[GetDelivery]) -> Document:
        """Where it is."""
        found = await self._streams.load(DELIVERY(query.delivery_id))
        if found.state is None or not may_see(found.state, carrier_of(envelope.principal)):
            raise deliveries.unknown(query.delivery_id)
        return await self._shown(found.state, found.version, envelope)

    async def wait(
        self, query: AwaitDelivery, envelope: Envelope[AwaitDelivery]
    ) -> Document | None:
        """Where it is, once it looks different, if it does in time."""
        stream = DELIVERY(query.delivery_id)
        until = now() + timedelta(seconds=query.seconds)
        while True:
            found = await self._streams.load(stream)
            changes_in = None
            if found.state is not None and may_see(found.state, carrier_of(envelope.principal)):
                shown = await self._shown(found.state, found.version, envelope)
                if shown.tag != query.known:
                    return shown
                changes_in = self._lookout.changes_in(found.state, now())
            rest = (until - now()).total_seconds()
            if rest <= 0:
                return None
            with suppress(TimeoutError):
                async with asyncio.timeout(rest if changes_in is None else min(rest, changes_in)):
                    await self._streams.changed(stream, found.version)

    async def _shown(self, delivery: Delivery, version: int, envelope: Envelope[Any]) -> Document:
        """A delivery as it is shown; between two versions it may change with the way left."""
        left = await self._lookout.way_left(delivery, envelope)
        body = document(delivery, left, now()).model_dump_json(exclude_none=True).encode()
        revision = blake2b(body, digest_size=4).hexdigest() if left else ""
        return Document(version=version, revision=revision, body=body)
