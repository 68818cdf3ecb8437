"""Traces by OpenTelemetry, sent to whatever speaks OTLP over HTTP."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from bus.messages import Busy, Refused
from bus.tracing import Kind, record
from shop.logs import order_of

FLUSHED_WITHIN = 3.0
"""Seconds for the last spans to be sent when the process ends."""


def recording() -> Callable[[], Awaitable[None]]:
    """Record this process, as the `OTEL_*` variables say; returns what sends the last spans."""
    own = {
        "service.version": version("storefold"),
        "service.instance.id": f"{os.uname().nodename}:{os.getpid()}",
    }
    named = "service.name=" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    if not named and "OTEL_SERVICE_NAME" not in os.environ:
        own["service.name"] = "storefold"
    provider = TracerProvider(resource=Resource.create(own), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    record(OpenTelemetry(provider))

    async def end() -> None:
        record(None)
        # A thread of its own, and a daemon: a collector that is away holds nobody up.
        flush = threading.Thread(target=provider.shutdown, daemon=True)
        flush.start()
        await asyncio.to_thread(flush.join, FLUSHED_WITHIN)

    return end


class OpenTelemetry:
    """A `bus.tracing.Tracer`. No span has the words of an error in it, nor anything of a message
    but its name and its order's id."""

    def __init__(self, provider: TracerProvider) -> None:
        self._tracer = provider.get_tracer("storefold", version("storefold"))

    @contextmanager
    def span(
        self, name: str, kind: Kind, parent: str | None, message: Any = None
    ) -> Iterator[Recorded]:
        """Record what is done until this is left, and how it ends."""
        span = self._tracer.start_span(name, _context(parent), _kind(kind))
        if order_id := order_of(message):
            span.set_attribute("storefold.order_id", order_id)
        recorded = Recorded(span)
        with trace.use_span(span, True, record_exception=False, set_status_on_exception=False):
            try:
                yield recorded
            except Refused as refusal:  # an answer like any other
                span.set_attribute("storefold.refused", refusal.code)
                raise
            except Busy:
                span.set_attribute("storefold.refused", "busy")
                raise
            except BaseException as error:
                recorded.fail(type(error).__qualname__)
                raise

    def past(
        self, name: str, kind: Kind, parent: str | None, began: float, facts: Mapping[str, str]
    ) -> None:
        """Record what has just ended."""
        now = time.time_ns()
        start = now - int(began * 1e9)
        span = self._tracer.start_span(
            name, _context(parent), _kind(kind), attributes=facts, start_time=start
        )
        span.end(now)


class Recorded:
    """A `bus.tracing.Span`."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span
        at = span.get_span_context()
        self.traceparent = f"00-{at.trace_id:032x}-{at.span_id:016x}-{at.trace_flags:02x}"

    def tell(self, name: str, facts: Mapping[str, str | int]) -> None:
        """What it is called, and what there is to say of it."""
        self._span.update_name(name)
        self._span.set_attributes(facts)

    def fail(self, why: str) -> None:
        """It has not come to a good end."""
        self._span.set_attribute("error.type", why)
        self._span.set_status(trace.StatusCode.ERROR)


def _kind(kind: Kind) -> trace.SpanKind:
    return trace.SpanKind[kind.upper()]


def _context(parent: str | None) -> Context:
    """The context of what led here; that of nothing, for a trace to begin."""
    if parent is None:
        return Context()
    _, trace_id, span_id, flags = parent.split("-")
    at = trace.SpanContext(
        trace_id=int(trace_id, 16),
        span_id=int(span_id, 16),
        is_remote=True,
        trace_flags=trace.TraceFlags(int(flags, 16)),
    )
    return trace.set_span_in_context(trace.NonRecordingSpan(at), Context())
