"""Orders as they are read: one by its id from the cache, lists from their view."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, get_args

from bus.cache import Entry
from bus.commits import Commit
from bus.context import Context
from bus.envelope import Envelope
from bus.freshness import Freshness
from bus.messages import Document, NotFound, Page, Principal
from bus.streams import Kind, Stream
from bus.views import Documents, View
from ordering.contract import (
    AwaitOrder,
    FollowOrder,
    GetHistory,
    GetOrder,
    GetOrderAsOf,
    Happening,
    ListOrders,
    OrderDocument,
)
from ordering.order import Order, OrderEvent, evolve
from ordering.rules import known

orders: Kind[Order] = Kind("order", evolve)


def present(order: Order, version: int) -> OrderDocument:
    """The order as its buyer sees it."""
    return OrderDocument(
        order_id=order.order_id,
        buyer_id=order.buyer_id,
        status=order.status,
        payment_status=order.payment_status,
        fulfillment_status=order.fulfillment_status,
        items=order.items,
        destination=order.destination,
        product_cost=order.product_cost,
        delivery_cost=order.delivery_cost,
        total=order.total,
        refunded=order.refunded,
        payment_id=order.payment_id,
        delivery_id=order.delivery_id,
        shipments=order.shipments or None,
        slot=order.slot,
        next_action=order.next_action,
        reason=order.words or order.reason,
        short_skus=order.short_skus or None,
        placed_at=order.placed_at,
        updated_at=order.updated_at,
        version=version,
    )


def shown(order: Order, version: int) -> bytes:
    """The order as JSON."""
    return present(order, version).model_dump_json(exclude_none=True).encode()


def entry_of(order: Order, version: int, position: int) -> Entry:
    """The order as it is cached: its client owns it, and it is right up to a position."""
    return Entry(version, position, order.client, shown(order, version))


ORDERS = View(
    name="orders",
    version=1,
    shape=Order,
    ids=dict.fromkeys(get_args(OrderEvent), lambda event: str(event.order_id)),
    evolve=evolve,
    indexes=[
        [("first", -1)],
        [("doc.client", 1), ("first", -1)],
        [("doc.buyer_id", 1), ("first", -1)],
        [("doc.client", 1), ("doc.buyer_id", 1), ("first", -1)],
        [("doc.client", 1), ("doc.status", 1), ("first", -1)],
    ],
    cached=entry_of,
    whose=lambda order: order.buyer_id,
)


def may_see(principal: Principal, client: str) -> bool:
    """A client sees its own orders; the shop itself and its administrator see all."""
    return principal.inside or principal.name == client


def settled(order: Order) -> bool:
    """Whether there is nothing to wait for: the order has moved on, or it is the buyer's turn."""
    if order.status == "pending":
        return order.payment_status in ("requires_action", "declined")
    return order.status != "cancelling"


def states(history: Sequence[Commit], stream: Stream[Order]) -> Iterator[tuple[Order, int]]:
    """What an order was after each of its versions."""
    order = None
    for commit in history:
        version = 0
        for happened in commit.events:
            if happened.stream == stream.name:
                order = stream.kind.evolve(order, happened.event)
                version = happened.version
        if order is not None and version:
            yield order, version


class Reads:
    """The queries about orders."""

    def __init__(self, home: Context, lists: Documents[Order]) -> None:
        self._home = home
        self._lists = lists
        self._freshness = Freshness(home.feed)

    async def get(self, query: GetOrder, envelope: Envelope[GetOrder]) -> Document:
        """From the cache; from the order's stream where the cache has nothing, or something that
        may be old."""
        stream = orders(query.order_id)
        entry = await self._home.cache.get(ORDERS.cache_key(query.order_id))
        if entry is None or not self._freshness.vouches(stream, entry.position):
            heard = self._home.feed.head
            found = await self._home.streams.newest(stream)
            entry = entry_of(known(found.state, query.order_id), found.version, heard)
            await self._home.cache.put(ORDERS.cache_key(query.order_id), entry)
        if not may_see(envelope.principal, entry.owner):
            known(None, query.order_id)
        return Document(version=entry.version, body=entry.body)

    async def as_of(self, query: GetOrderAsOf, envelope: Envelope[GetOrderAsOf]) -> Document:
        """From the order's history up to then."""
        await self._own(query.order_id, envelope.principal)
        history = await self._home.log.history(orders(query.order_id).name)
        position = max((c.position for c in history if c.at <= query.at), default=0)
        then = await self._home.streams.as_of(orders(query.order_id), position)
        body = shown(known(then.state, query.order_id), then.version)
        return Document(version=then.version, body=body)

    async def wait(self, query: AwaitOrder, envelope: Envelope[AwaitOrder]) -> OrderDocument:
        """The order as it was when it settled, or after `seconds` as it is then."""
        stream = orders(query.order_id)
        order, version, heard = await self._own(query.order_id, envelope.principal)
        behind = (query.version or version) - 1
        found = None
        try:
            async with asyncio.timeout(query.seconds):
                while (found := await self._settled(stream, behind, order, version)) is None:
                    behind = max(behind, version)
                    await self._home.streams.changed(stream, version)
                    order, version, heard = await self._own(query.order_id, envelope.principal)
        except TimeoutError:
            pass
        # Whoever reads the order next must not see it as it was before.
        await self._home.cache.put(
            ORDERS.cache_key(query.order_id), entry_of(order, version, heard)
        )
        return present(*found) if found else present(order, version)

    async def follow(
        self, query: FollowOrder, envelope: Envelope[FollowOrder]
    ) -> tuple[Document, ...]:
        """The states behind a version, once there are any."""
        stream = orders(query.order_id)
        order, version, _ = await self._own(query.order_id, envelope.principal)
        if version <= query.after:
            with suppress(TimeoutError):
                async with asyncio.timeout(query.seconds):
                    await self._home.streams.changed(stream, query.after)
            order, version, _ = await self._own(query.order_id, envelope.principal)
        if version <= query.after:
            return ()
        if version == query.after + 1:
            return (Document(version=version, body=shown(order, version)),)
        return tuple(
            Document(version=at, body=shown(then, at))
            for then, at in states(await self._home.log.history(stream.name), stream)
            if at > query.after
        )

    async def list(self, query: ListOrders, envelope: Envelope[ListOrders]) -> Page:
        """A page of orders, newest first."""
        await self._home.await_view(self._lists, query.min_position)
        filters: dict[str, Any] = {}
        if not envelope.principal.inside:
            filters["doc.client"] = envelope.principal.name
        for field in ("buyer_id", "status"):
            value = getattr(query, field)
            if value is not None:
                filters[f"doc.{field}"] = value
        if query.starting_after is not None:
            filters["first"] = {"$lt": await self._first_of(query.starting_after, filters)}
        found = await self._lists.find(filters, limit=query.limit + 1)
        page = found[: query.limit]
        return Page(
            data=tuple(shown(stored.doc, stored.version) for stored in page),
            has_more=len(found) > query.limit,
        )

    async def history(
        self, query: GetHistory, envelope: Envelope[GetHistory]
    ) -> tuple[Happening, ...]:
        """Every event of one order."""
        await self._own(query.order_id, envelope.principal)
        stream = orders(query.order_id).name
        return tuple(
            Happening(
                position=commit.position,
                version=happened.version,
                type=happened.kind.type_name,
                at=commit.at,
                data=happened.event.model_dump(mode="json", exclude_none=True),
            )
            for commit in await self._home.log.history(stream)
            for happened in commit.events
            if happened.stream == stream
        )

    async def _own(self, order_id: str, principal: Principal) -> tuple[Order, int, int]:
        """The asker's order, its version, and up to where in the log both are right."""
        heard = self._home.feed.head
        found = await self._home.streams.load(orders(order_id))
        order = known(found.state, order_id)
        if not may_see(principal, order.client):
            known(None, order_id)
        return order, found.version, heard

    async def _settled(
        self, stream: Stream[Order], behind: int, order: Order, version: int
    ) -> tuple[Order, int] | None:
        """The order, and its version, when it first was settled behind a version, if it has been.

        It is given as it is now: of what came between, only the log knows.
        """
        if version <= behind + 1:
            return (order, version) if version > behind and settled(order) else None
        for _, then in await self._home.streams.past(stream):
            if then.state is not None and then.version > behind and settled(then.state):
                return then.state, then.version
        return None

    async def _first_of(self, order_id: str, filters: Mapping[str, Any]) -> int:
        """Where a page goes on: behind this order, which must be the asker's."""
        owner = {"doc.client": filters["doc.client"]} if "doc.client" in filters else {}
        found = await self._lists.find({"_id": order_id, **owner}, limit=1)
        if not found:
            raise NotFound("unknown_order", f"there is no order {order_id} of yours to go on from")
        return found[0].first
