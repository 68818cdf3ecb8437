"""The part of the REST surface that watches orders."""

from __future__ import annotations

from functools import partial

from starlette.responses import Response

from bus.dispatch import Bus
from bus.rest import EVENTS, Ask, Endpoint
from bus.sse import EventStream
from delivery.contract import AwaitDelivery
from ordering.contract import FollowOrder, GetOrder
from shop.tracking import place as places
from shop.tracking.place import Place
from shop.tracking.stream import follow
from shop.tracking.watch import State, Watches


def endpoints(bus: Bus) -> list[Endpoint]:
    """The rows of the surface."""
    watches = Watches(bus)

    async def events(ask: Ask) -> Response:
        found = await bus.deliver(ask.envelope)  # is it theirs?
        state = State.of(found)
        place = await left_off(ask, bus, state)
        if place is not None and await nothing_more(bus, state, place):
            return Response(status_code=204)  # an EventSource does not come back then
        return EventStream(partial(follow, bus, watches, state, place), ask.admitted)

    return [
        Endpoint(
            "GET",
            "/v1/orders/{order_id}/events",
            "shop",
            events,
            "What happens to an order, as it happens",
            GetOrder,
            media=EVENTS,
        ),
    ]


async def left_off(ask: Ask, bus: Bus, state: State) -> Place | None:
    """Where the asker left off; `None` where they begin, or say something that nobody told them."""
    place = places.read(ask.http.headers.get("last-event-id", ""), state.deliveries)
    if place is None or place.order <= state.version:
        return place
    query = FollowOrder(order_id=state.order_id, after=place.order - 1, seconds=1)
    return place if await bus.ask(query) else None  # another replica may have told it


async def nothing_more(bus: Bus, state: State, place: Place) -> bool:
    """Whether the order is at its end and the asker has been told all of it."""
    if not state.ended or place.order < state.version:
        return False
    for delivery_id in state.deliveries:
        known = place.deliveries.get(delivery_id, "")
        query = AwaitDelivery(delivery_id=delivery_id, known=known, seconds=0)
        if await bus.ask(query) is not None:
            return False
    return True
