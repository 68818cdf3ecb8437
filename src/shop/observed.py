"""The outermost layer of the REST surface: every request has its place in a trace, is counted and
timed, and has a line in the log if somebody wants to read it."""

from __future__ import annotations

import time
from functools import lru_cache

import structlog
from prometheus_client import Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bus.tracing import recorder
from bus.turnstile import place
from shop.asked import ASKED, Asked
from shop.metrics import IN_FLIGHT, REQUEST_SECONDS, REQUESTS

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

PROBES = frozenset({"/livez", "/readyz", "/metrics"})
"""What is asked all the time, and need not be traced."""


class Observed:
    """An ASGI application, with an eye on it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._log = structlog.get_logger(__name__).bind()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, and record it if anybody records."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        asked = Asked(scope)
        method = scope["method"] if scope["method"] in METHODS else "other"
        tracer = recorder()
        if tracer is None or scope["path"] in PROBES:
            await self._serve(asked, method, scope, receive, send)
            return
        with tracer.span(method, "server", asked.sent) as span:
            asked.traceparent = span.traceparent
            await self._serve(asked, method, scope, receive, send)
            facts = {
                "http.request.method": method,
                "http.route": asked.route,
                "http.response.status_code": asked.status,
            }
            span.tell(f"{method} {asked.route}", facts)
            if asked.status >= 500:
                span.fail(str(asked.status))

    async def _serve(
        self, asked: Asked, method: str, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Serve a request. It counts as answered when the head of the answer is sent: what streams
        on for minutes has been answered long before."""
        began = time.perf_counter()

        def answer(status: int) -> None:
            asked.status = status
            seconds = time.perf_counter() - began
            IN_FLIGHT.dec()
            if taken is not None:
                taken.leave()
            requests, duration = _instruments(method, asked.route, status)
            requests.inc()
            duration.observe(seconds)
            self._log.info("request", method=method, status=status, ms=seconds * 1000)

        async def observed(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer(message["status"])
            await send(message)

        taken = place(scope)
        IN_FLIGHT.inc()
        token = ASKED.set(asked)
        try:
            await self._app(scope, receive, observed)
        finally:
            if not asked.status:
                answer(500)
            ASKED.reset(token)


@lru_cache(maxsize=10_000)
def _instruments(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    return (
        REQUESTS.labels(method, route, str(status)),
        REQUEST_SECONDS.labels(method, route, f"{status // 100}xx"),
    )
