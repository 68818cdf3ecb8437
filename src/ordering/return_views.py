"""Returns as they are read: those of an order from its stream, those of all orders from their
view."""

from __future__ import annotations

from typing import Any, get_args

from bus.context import Context
from bus.dispatch import Bus
from bus.envelope import Envelope
from bus.messages import Document, Done, NotFound, Page, Principal
from bus.streams import Decided
from bus.views import Documents, View
from delivery.contract import GetDelivery
from ordering import return_rules, returns
from ordering.commands import GetReturn, ListReturns
from ordering.contract import GetPickup, GetReturns, ReturnDocument, ReturnList
from ordering.order import Order
from ordering.return_rules import find, order_id_of, unknown
from ordering.returns import Return, ReturnEvent
from ordering.rules import known
from ordering.views import may_see, orders

RETURNS: View[Return] = View(
    name="returns",
    version=1,
    shape=Return,
    ids=dict.fromkeys(get_args(ReturnEvent), lambda event: str(event.return_id)),
    evolve=returns.evolve,
    whose=lambda found: found.buyer_id,
    indexes=[
        [("first", -1)],
        [("doc.status", 1), ("first", -1)],
        [("doc.order_id", 1), ("first", -1)],
    ],
)


def present(found: Return) -> ReturnDocument:
    """The return as its buyer sees it."""
    return ReturnDocument(
        return_id=found.return_id,
        order_id=found.order_id,
        status=found.status,
        items=found.items,
        reason=found.reason,
        refund=found.refund,
        requested_at=found.requested_at,
        rejection=found.rejection,
        pickup=found.pickup,
    )


def as_requested(decided: Decided[Order]) -> Done[ReturnDocument]:
    """The return that was requested, as it was then: the first answer, also when it is asked for
    again."""
    events = decided.commit.events if decided.commit is not None else ()
    state: Return | None = None
    for happened in events:
        if isinstance(happened.event, ReturnEvent):
            state = returns.evolve(state, happened.event)
    if decided.commit is None or state is None:
        raise ValueError("a request leads to a return, or is refused")
    return Done(answer=present(state), position=decided.commit.position, repeated=decided.repeated)


def done(decided: Decided[Order], return_id: str) -> Done[ReturnDocument]:
    """The return as it is after a decision."""
    found = find(decided.state, return_id) if decided.state is not None else None
    if found is None:
        raise unknown(return_id)
    return Done(
        answer=present(found),
        position=decided.commit.position if decided.commit else 0,
        repeated=decided.repeated,
    )


class ReturnReads:
    """The queries about returns."""

    def __init__(self, bus: Bus, home: Context, lists: Documents[Return]) -> None:
        self._bus = bus
        self._home = home
        self._lists = lists

    async def of_order(self, query: GetReturns, envelope: Envelope[GetReturns]) -> ReturnList:
        """The returns of the asker's order, newest first."""
        order = await self._own(query.order_id, envelope.principal)
        found = order.returns[::-1]
        if query.starting_after is not None:
            last = return_rules.known(order, query.starting_after)
            found = found[found.index(last) + 1 :]
        page = found[: query.limit]
        return ReturnList(
            data=tuple(present(each) for each in page), has_more=len(page) < len(found)
        )

    async def pickup(self, query: GetPickup, envelope: Envelope[GetPickup]) -> Document:
        """The delivery that fetches the goods of a return of the asker's order."""
        order = await self._own(query.order_id, envelope.principal)
        found = return_rules.known(order, query.return_id)
        if found.pickup is None:
            raise NotFound(
                "no_pickup",
                f"nobody fetches the goods of return {found.return_id}: the buyer sends them",
            )
        return await self._bus.ask(GetDelivery(delivery_id=found.pickup.delivery_id), envelope)

    async def get(self, query: GetReturn, envelope: Envelope[GetReturn]) -> ReturnDocument:
        """One return, from its order's stream."""
        order = (await self._home.streams.newest(orders(order_id_of(query.return_id)))).state
        if order is None or not may_see(envelope.principal, order.client):
            raise unknown(query.return_id)
        return present(return_rules.known(order, query.return_id))

    async def list(self, query: ListReturns, envelope: Envelope[ListReturns]) -> Page:
        """A page of returns, newest first."""
        await self._home.await_view(self._lists, query.min_position)
        filters: dict[str, Any] = {
            f"doc.{field}": value
            for field in ("order_id", "status")
            if (value := getattr(query, field)) is not None
        }
        found = await self._lists.find(filters, limit=query.limit + 1)
        return Page(
            data=tuple(
                present(stored.doc).model_dump_json(exclude_none=True).encode()
                for stored in found[: query.limit]
            ),
            has_more=len(found) > query.limit,
        )

    async def _own(self, order_id: str, principal: Principal) -> Order:
        """The asker's order."""
        order = (await self._home.streams.newest(orders(order_id))).state
        if order is None or not may_see(principal, order.client):
            return known(None, order_id)
        return order
