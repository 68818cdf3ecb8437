"""Webhooks at work on logs that a test writes: no catalog, no payment, no maps."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, get_args

from pymongo import MongoClient
from pymongo.database import Database

from bus.envelope import sealed
from bus.messages import Command, Event, now
from bus.platform import Platform
from bus.streams import Kind
from bus.transport import InProcess
from delivery.contract import DeliveryScheduled
from delivery.delivery import CheckpointRecorded, DeliveryEvent
from delivery.handlers import DELIVERY
from ordering.order import OrderEvent, OrderPlaced
from ordering.views import orders
from shop.webhooks.commands import (
    AddEndpoint,
    EndpointDocument,
    ListEndpoints,
    ListNotices,
    NoticeDocument,
)
from shop.webhooks.module import Webhooks, register
from tests.ordering.histories import DOOR, PLACED, START
from tests.shop.webhooks.receiver import Receiver
from tests.waiting import PATIENCE, eventually


class Clock:
    """A clock that a test puts forward."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return now() + self.ahead


class Happen(Command[None]):
    """What leads to what a test says."""


class Telling:
    """The shop."""

    def __init__(self, platform: Platform, webhooks: Webhooks, clock: Clock) -> None:
        self.platform = platform
        self.bus = platform.bus
        self.webhooks = webhooks
        self.clock = clock

    @property
    def database(self) -> Database[dict[str, Any]]:
        return self.webhooks.home.database

    async def add(self, receiver: Receiver, path: str = "", **wanted: Any) -> str:
        """Register a receiver; its endpoint's id."""
        made = await self.bus.send(AddEndpoint(url=receiver.url + path, **wanted))
        receiver.secret = made.secret
        return made.endpoint.endpoint_id

    async def happen(
        self, *events: OrderEvent | DeliveryEvent, traceparent: str | None = None
    ) -> None:
        """This happens, each by a decision of its own."""
        for event in events:
            kind: Kind[Any] = orders
            id, context = getattr(event, "order_id", ""), "ordering"
            if isinstance(event, DeliveryEvent):
                kind, id, context = DELIVERY, event.delivery_id, "delivery"

            def decision(state: object, event: Event = event) -> list[Event]:
                return [event]

            streams = self.platform.contexts[context].streams
            await streams.decide(kind(id), decision, sealed(Happen(), traceparent=traceparent))

    async def passes(self, time: timedelta) -> None:
        """Time passes."""
        self.clock.ahead += time
        self.webhooks.sender.ring(each.endpoint_id for each in await self.endpoints())

    async def endpoints(self) -> tuple[EndpointDocument, ...]:
        return await self.bus.ask(ListEndpoints())

    async def endpoint(self, id: str) -> EndpointDocument:
        (found,) = [each for each in await self.endpoints() if each.endpoint_id == id]
        return found

    async def notices(self, **wanted: Any) -> tuple[NoticeDocument, ...]:
        return await self.bus.ask(ListNotices(**wanted))

    async def becomes(
        self, state: str, count: int = 1, *, within: float = PATIENCE, **wanted: Any
    ) -> list[NoticeDocument]:
        """The notices that are so, once they are that many."""

        async def look() -> Any:
            found = [each for each in await self.notices(**wanted) if each.state == state]
            return found if len(found) >= count else []

        found: list[NoticeDocument] = await eventually(look, within)
        assert len(found) == count
        return found

    async def tried(self, times: int, type_: str = "order.placed") -> NoticeDocument:
        """The notice of this type, once it was tried so often."""

        async def look() -> Any:
            found = [each for each in await self.notices() if each.type == type_]
            return found[0] if found and len(found[0].attempts) == times else None

        found: NoticeDocument = await eventually(look)
        return found

    async def disabled(self, endpoint: str, reason: str) -> None:
        """The endpoint is disabled before long, for this reason."""

        async def look() -> Any:
            return (await self.endpoint(endpoint)).disabled == reason

        await eventually(look)

    async def seen_all(self) -> None:
        """Whatever has happened has been looked at, and what is to be told is put down."""
        for name in ("ordering", "delivery"):
            head = await self.platform.contexts[name].log.head()
            reader = next(
                each
                for each in self.webhooks.home.readers
                if each.name == f"webhooks.outbox<{name}"
            )

            def done(head: int = head, reader: Any = reader) -> bool:
                return min(map(reader.done_to, reader.held), default=-1) >= head

            await eventually(done)


@asynccontextmanager
async def telling(
    mongo: MongoClient[dict[str, Any]],
    prefix: str,
    *,
    allow_private: bool = True,
    work: bool = True,
) -> AsyncIterator[Telling]:
    """Webhooks at work on these databases."""
    platform, clock = Platform(mongo, None, prefix, InProcess()), Clock()
    webhooks = register(
        platform,
        platform.context("ordering", events=get_args(OrderEvent)),
        platform.context("delivery", events=get_args(DeliveryEvent)),
        allow_private=allow_private,
        clock=clock,
    )
    await platform.start(work=work)
    try:
        yield Telling(platform, webhooks, clock)
    finally:
        await platform.stop()


def placed(number: int = 1, client: str = "webshop") -> OrderPlaced:
    """An order of a client's."""
    return PLACED.model_copy(update={"order_id": f"ord_{number}", "client": client})


def scheduled(number: int = 1) -> DeliveryScheduled:
    return DeliveryScheduled(
        delivery_id=f"dlv_{number}",
        reference=f"ord_{number}",
        warehouse_id="vaduz",
        destination=DOOR,
        carrier="house",
        tracking_number="1",
    )


def scanned(status: Any, number: int = 1) -> CheckpointRecorded:
    return CheckpointRecorded(
        delivery_id=f"dlv_{number}", reference=f"ord_{number}", status=status, at=START
    )
