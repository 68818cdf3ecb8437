"""A collector of traces, as any that speaks OTLP over HTTP: it keeps what it is sent."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Span(NamedTuple):
    """A piece of recorded work."""

    trace: str
    id: str
    parent: str
    name: str
    kind: int
    failed: bool
    facts: dict[str, Any]
    process: str
    service: str


class Collector:
    """What has been sent so far."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.bodies: list[bytes] = []

    @property
    def spans(self) -> list[Span]:
        return [span for body in list(self.bodies) for span in _read(body)]

    def of(self, trace: str) -> list[Span]:
        """A trace, as far as it has come in."""
        return [span for span in self.spans if span.trace == trace]


def _read(body: bytes) -> Iterator[Span]:
    for sent in ExportTraceServiceRequest.FromString(body).resource_spans:
        process = _facts(sent.resource.attributes)
        for scope in sent.scope_spans:
            for span in scope.spans:
                yield Span(
                    span.trace_id.hex(),
                    span.span_id.hex(),
                    span.parent_span_id.hex(),
                    span.name,
                    span.kind,
                    span.status.code == 2,
                    _facts(span.attributes),
                    process["service.instance.id"],
                    process["service.name"],
                )


def _facts(attributes: Any) -> dict[str, Any]:
    found = {}
    for each in attributes:
        kind = each.value.WhichOneof("value")
        found[each.key] = getattr(each.value, kind)
    return found


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            collector.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector = Collector(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()
