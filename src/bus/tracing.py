"""Where traces are recorded, if somebody records them: one order is one trace, whatever process
does a part of it, for each message carries its place and each commit keeps it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Literal, Protocol

from bus.envelope import Envelope
from bus.here import enter, here, leave

Kind = Literal["server", "internal", "consumer", "client"]


class Span(Protocol):
    """A piece of work that is being recorded."""

    @property
    def traceparent(self) -> str:
        """Its place in the trace (W3C Trace Context): what follows from it names this."""

    def tell(self, name: str, facts: Mapping[str, str | int]) -> None:
        """What it is called, now that this is known, and what there is to say of it."""

    def fail(self, why: str) -> None:
        """It has not come to a good end."""


class Tracer(Protocol):
    """Records what is done."""

    def span(
        self, name: str, kind: Kind, parent: str | None, message: Any = None
    ) -> AbstractContextManager[Span]:
        """Record what is done until this is left, and how it ends. `parent` is the traceparent of
        what led here; without one, a trace begins."""

    def past(
        self, name: str, kind: Kind, parent: str | None, began: float, facts: Mapping[str, str]
    ) -> None:
        """Record what has just ended; it began so many seconds ago."""


_tracer: Tracer | None = None


def record(tracer: Tracer | None) -> None:
    """Have this process recorded from here on; or not any more."""
    global _tracer  # noqa: PLW0603 # as its log and its metrics, its traces are the process's
    _tracer = tracer


def recorder() -> Tracer | None:
    """Who records, if anybody does."""
    return _tracer


async def recorded(
    tracer: Tracer,
    name: str,
    kind: Kind,
    handler: Callable[[Any, Envelope[Any]], Awaitable[Any]],
    envelope: Envelope[Any],
) -> Any:
    """Have a message handled and recorded: what follows from it names this as its parent."""
    with tracer.span(name, kind, envelope.traceparent, envelope.message) as span:
        own = envelope._replace(traceparent=span.traceparent)
        token = enter(own)
        try:
            return await handler(own.message, own)
        finally:
            leave(token)


def carried() -> Mapping[str, str]:
    """The headers with which a call to the world outside carries the trace on."""
    at = next(here(), None)
    return {"traceparent": at.traceparent} if at is not None and at.traceparent else {}
