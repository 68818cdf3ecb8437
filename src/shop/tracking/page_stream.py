"""What the page of an order is told, to its end: always how things stand, never what was missed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from weakref import WeakKeyDictionary

from bus.dispatch import Bus
from bus.leaving import Wake
from bus.messages import Document, NotFound
from bus.sse import event
from delivery.contract import GetDelivery
from ordering.contract import GetOrder
from shop.tracking.page import Looks, parts
from shop.tracking.place import Place
from shop.tracking.progress import Snapshot, progress
from shop.tracking.stream import ended
from shop.tracking.watch import State, Watch, Watches


async def present(bus: Bus, order_id: str) -> Snapshot:
    """An order as it is now. Refused with `unknown_order`."""
    state = State.of(await bus.ask(GetOrder(order_id=order_id)))
    found: dict[str, Document] = {}
    for delivery_id in state.deliveries:
        try:
            found[delivery_id] = await bus.ask(GetDelivery(delivery_id=delivery_id))
        except NotFound:  # it is arranged later, if at all
            continue
    return Snapshot(state, found)


class Pages:
    """The pages of orders, as their listeners are told of them."""

    def __init__(self, bus: Bus, watches: Watches, looks: Looks) -> None:
        self._bus = bus
        self._watches = watches
        self._looks = looks
        # A thousand who watch one order are told the same bytes; when the last has left, they are
        # gone: they tell where somebody lives.
        self._drawn: WeakKeyDictionary[Watch, tuple[str, bytes]] = WeakKeyDictionary()

    @asynccontextmanager
    async def follow(self, order_id: str, wake: Wake) -> AsyncIterator[PageStream]:
        """A stream of how things stand."""
        now = await present(self._bus, order_id)
        with self._watches.listening(order_id, now.state.version - 1, wake) as watch:
            yield PageStream(watch, now, partial(self._draw, watch))

    def _draw(self, watch: Watch, now: Snapshot) -> bytes:
        tag, drawn = self._drawn.get(watch, ("", b""))
        if tag != now.tag:
            drawn = parts(progress(now), self._looks).as_json()
            self._drawn[watch] = now.tag, drawn
        return drawn


class PageStream:
    """The page whenever it looks different; then that it is over."""

    def __init__(self, watch: Watch, now: Snapshot, draw: Callable[[Snapshot], bytes]) -> None:
        self.over = False
        self._watch = watch
        self._now = now
        self._draw = draw
        self._told = ""

    def next(self) -> bytes | None:
        """How things stand, unless that has been told; else the end."""
        self._now = newer(self._now, self._watch)
        if self._told != self._now.tag:
            self._told = self._now.tag
            return event("progress", self._draw(self._now), self._told)
        if self._watch.over and not self.over:
            self.over = True
            return event("end", ended(self._now.state))
        return None


def newer(now: Snapshot, watch: Watch) -> Snapshot:
    """A moment, or a later one that the watch knows of."""
    state = max((now.state, *watch.states), key=lambda state: state.version)
    place = Place(now.state.version, {id: told.tag for id, told in now.deliveries.items()})
    news = {id: told for id, told in watch.deliveries.items() if place.is_behind(id, told.tag)}
    return Snapshot(state, {**now.deliveries, **news})
