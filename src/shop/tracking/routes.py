"""The part of the REST surface that watches orders."""

from __future__ import annotations

from functools import partial

from starlette.responses import Response

from bus.dispatch import Bus
from bus.messages import Message, NotFound
from bus.problems import Problem
from bus.rest import EVENTS, HTML, LINK, Ask, Endpoint, answer
from bus.signing import Lapsed
from bus.sse import EventStream
from delivery.contract import AwaitDelivery
from ordering.contract import FollowOrder, GetOrder
from shop.tracking import place as places
from shop.tracking.links import Links, MakeLink, TrackingLink
from shop.tracking.page import Looks, parts, sorry, whole
from shop.tracking.page_stream import Pages, present
from shop.tracking.place import Place
from shop.tracking.progress import progress
from shop.tracking.stream import follow
from shop.tracking.watch import State, Watches


class OpenLink(Message, name="tracking.OpenLink"):
    """The order that a link shows. It is open to whoever has the link, until its time is over."""

    token: str


def endpoints(bus: Bus, links: Links, looks: Looks) -> list[Endpoint]:
    """The rows of the surface."""
    watches = Watches(bus)
    pages = Pages(bus, watches, looks)

    async def events(ask: Ask) -> Response:
        found = await bus.deliver(ask.envelope)  # is it theirs?
        state = State.of(found)
        place = await left_off(ask, bus, state)
        if place is not None and await nothing_more(bus, state, place):
            return Response(status_code=204)  # an EventSource does not come back then
        return EventStream(partial(follow, bus, watches, state, place), ask.admitted)

    async def make_link(ask: Ask) -> Response:
        order_id = ask.path["order_id"]
        await bus.ask(GetOrder(order_id=order_id), ask.envelope)  # is it theirs?
        return answer(await links.make(order_id, str(ask.http.base_url)))

    async def show(ask: Ask) -> Response:
        try:
            now = await present(bus, await links.order_of(ask.path["token"]))
        except NotFound:
            return sorry(404, looks)
        except Lapsed:
            return sorry(410, looks)
        return whole(parts(progress(now), looks), looks, live=not now.state.ended)

    async def show_news(ask: Ask) -> Response:
        token = ask.path["token"]
        try:
            order_id = await links.order_of(token)
        except Lapsed as lapsed:
            raise Problem(410, lapsed.code, lapsed.message) from None
        await bus.ask(GetOrder(order_id=order_id))
        return EventStream(partial(pages.follow, order_id), partial(links.open, token))

    row = Endpoint
    return [
        row(
            "GET", "/v1/orders/{order_id}/events", "shop", events,
            "What happens to an order, as it happens", GetOrder, media=EVENTS,
        ),
        row(
            "POST", "/v1/orders/{order_id}/tracking", "shop", make_link,
            "A link that shows an order to its buyer", MakeLink, TrackingLink, example={},
        ),
        row(
            "GET", "/v1/track/{token}", LINK, show,
            "The page of an order", OpenLink, media=HTML,
        ),
        row(
            "GET", "/v1/track/{token}/events", LINK, show_news,
            "What the page of an order is told, as it happens", OpenLink, media=EVENTS,
        ),
    ]  # fmt: skip


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
