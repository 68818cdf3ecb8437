"""An event on its way through a handler, and how far a partition's events have come."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from bus.commits import Commit, Recorded
from bus.envelope import Envelope, envelope_of
from bus.here import Here
from bus.parking import Place
from bus.tracing import recorded, recorder

Handler = Callable[[Any, Envelope[Any]], Awaitable[None]]


class Task(NamedTuple):
    """One event for one handler."""

    commit: Commit
    place: Place
    stream: str
    handler: Handler
    share: Share

    @property
    def event(self) -> Recorded:
        """The event, which may not have been decoded yet."""
        return self.commit.events[self.place.index]

    @property
    def here(self) -> Here:
        """What it is about, as far as that can be read."""
        event, meta = None, self.commit.meta
        with suppress(Exception):  # it is told when it is handled
            event = self.event.event
        return Here(event, meta.correlation, self.commit.command, meta.trace)

    async def handle(self, reader: str) -> None:
        """Have the event handled. It is decoded here: one that cannot be stops no other stream."""
        event = self.event.event
        envelope = envelope_of(self.commit, self.place.index, event)
        if (tracer := recorder()) is not None:
            name = f"{reader} {event.type_name}"
            await recorded(tracer, name, "consumer", self.handler, envelope)
        else:
            await self.handler(event, envelope)


@dataclass(slots=True)
class Share:
    """One partition's part of the work: taken how far, and what of it is under way."""

    taken: int
    open: dict[int, int] = field(default_factory=dict)
    """Position -> events under way; in order of position."""

    def done_to(self) -> int:
        """The position before the first that is not done."""
        return next(iter(self.open)) - 1 if self.open else self.taken

    def begun(self, position: int) -> None:
        """One more event of this position is under way."""
        self.open[position] = self.open.get(position, 0) + 1

    def done(self, position: int) -> None:
        """One of them is done."""
        left = self.open[position] - 1
        if left:
            self.open[position] = left
        else:
            del self.open[position]
