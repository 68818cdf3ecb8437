"""The shop with none of its checks, to measure what they cost: everybody is let in as often as
they like, a body is read once, nothing is sealed, and nothing is counted, timed or known to be
under way.

`python -m bench.unchecked serve --port 0`."""

from __future__ import annotations

import json
from typing import Any

from prometheus_client import Counter, Gauge, Histogram
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

import bus.rest
from bus import handling, lanes, transport
from bus.commits import Codec
from bus.messages import Event, Principal
from bus.pulse import Pulse
from bus.turnstile import place
from bus.views import Documents
from bus.writer import Writer
from shop import cli
from shop.asked import ASKED, Asked, begun
from shop.doors import Doors
from shop.observed import Observed

TRACE = begun()
"""The same for all: what the log says of itself needs one."""


class Unknown(Asked):
    """A request of which nothing is known but that it is one."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self.client = self.sent = None
        self.status = 0
        self.traceparent = TRACE


async def served(self: Any, scope: Scope, receive: Receive, send: Send) -> None:
    """Serve, and look away."""
    ASKED.set(Unknown(scope))
    taken = place(scope)

    async def left(message: Message) -> None:
        if taken is not None and message["type"] == "http.response.start":
            taken.leave()
        await send(message)

    await self._app(scope, receive, left)


async def entered(self: Any, request: Request, scope: str) -> Principal:
    """Let everybody in, as one and the same."""
    return Principal(scope=scope, name="bench")


def once(body: bytes) -> Any:
    """A body as most would read it."""
    return json.loads(body)


def plain(self: Any, event: Event, seals: Any) -> dict[str, Any]:
    """An event as it is. What was sealed before can be opened still."""
    return event.model_dump(exclude_none=True)


def unsealed(self: Any, documents: Any) -> list[dict[str, Any]]:
    """Documents as they are."""
    return [self._written(stored, None) for stored in documents]


def look_away() -> None:
    """Take all of it out."""
    for kind, names in {
        Counter: ("inc",),
        Gauge: ("inc", "dec", "set"),
        Histogram: ("observe",),
    }.items():
        for name in names:
            setattr(kind, name, lambda self, amount=1: None)
    Observed.__call__ = served  # type: ignore[method-assign]
    Writer._measure = lambda self, group: None  # type: ignore[method-assign]
    Pulse.start = lambda self: None  # type: ignore[method-assign]
    for module in (transport, lanes):
        module.enter = lambda what: None  # type: ignore[attr-defined]
        module.leave = lambda token: None  # type: ignore[attr-defined]
    handling.Task.here = None  # type: ignore[assignment,method-assign]


def let_in() -> None:
    """No keys, no rates, one look at a body, nothing sealed."""
    Doors.entered = entered  # type: ignore[method-assign]
    bus.rest.strictly = once  # type: ignore[attr-defined]
    Codec.sealers = lambda self, events: {}  # type: ignore[method-assign]
    Codec._data = plain  # type: ignore[method-assign]
    Documents.written = unsealed  # type: ignore[method-assign]


if __name__ == "__main__":
    look_away()
    let_in()
    cli.main()
