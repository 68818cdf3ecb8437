"""What one listener is told of an order: from where they left off to its end."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from bus.dispatch import Bus
from bus.leaving import Wake
from bus.sse import event
from ordering.contract import FollowOrder
from shop.tracking.place import Place
from shop.tracking.watch import State, Watch, Watches


@asynccontextmanager
async def follow(
    bus: Bus, watches: Watches, state: State, place: Place | None, wake: Wake
) -> AsyncIterator[OrderStream]:
    """A stream from a place, or from how things stand. It listens first, then looks what was
    missed: so nothing falls between."""
    before = state.version - 1
    with watches.listening(state.order_id, before, wake) as watch:
        place = place or Place(before)
        query = FollowOrder(order_id=state.order_id, after=place.order, seconds=0)
        yield OrderStream(watch, state, place, map(State.of, await bus.ask(query)))


class OrderStream:
    """Every state of the order behind a place, one by one, and its deliveries whenever they look
    different, as REST shows them; then that it is over."""

    def __init__(self, watch: Watch, state: State, place: Place, missed: Iterable[State]) -> None:
        self.over = False
        self._watch = watch
        self._state = state
        self._place = place
        self._missed = deque(missed)

    def next(self) -> bytes | None:
        """A state of the order, else a delivery, else the end."""
        if (state := self._next_state()) is not None:
            self._state, self._place.order = state, state.version
            return event("order", state.body, self._place.id(state.deliveries))
        for delivery_id, told in self._watch.deliveries.items():
            if self._place.is_behind(delivery_id, told.tag):
                self._place.deliveries[delivery_id] = told.tag
                return event("delivery", told.body, self._place.id(self._state.deliveries))
        if self._watch.over and not self.over:
            self.over = True
            return event("end", ended(self._state))
        return None

    def _next_state(self) -> State | None:
        while self._missed:
            if (state := self._missed.popleft()).version > self._place.order:
                return state
        behind = self._place.order
        return next((state for state in self._watch.states if state.version > behind), None)


def ended(state: State) -> bytes:
    """What is said at the end."""
    return json.dumps({"order_id": state.order_id, "status": state.status}).encode()
