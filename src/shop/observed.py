"""The outermost layer of the REST surface: every request is counted and timed, whatever comes of
it."""

from __future__ import annotations

import time
from functools import lru_cache

from prometheus_client import Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shop.metrics import IN_FLIGHT, REQUEST_SECONDS, REQUESTS

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

NOWHERE = "none"
"""The route of a request for a path that there is not."""


class Observed:
    """An ASGI application, with an eye on it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request. It counts as answered when the head of the answer is sent: what streams
        on for minutes has been answered long before."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        answered = False

        def answer(status: int) -> None:
            nonlocal answered
            answered = True
            IN_FLIGHT.dec()
            count(scope["method"], route_of(scope), status, time.perf_counter() - began)

        async def observed(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer(message["status"])
            await send(message)

        IN_FLIGHT.inc()
        try:
            await self._app(scope, receive, observed)
        finally:
            if not answered:
                answer(500)


def route_of(scope: Scope) -> str:
    """The template of the route that was taken: `/v1/orders/{order_id}`."""
    route = scope.get("route")
    return NOWHERE if route is None else str(route.path)


def count(method: str, route: str, status: int, seconds: float) -> None:
    """One more request has been answered."""
    requests, duration = _instruments(method if method in METHODS else "other", route, status)
    requests.inc()
    duration.observe(seconds)


@lru_cache(maxsize=10_000)
def _instruments(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    return (
        REQUESTS.labels(method, route, str(status)),
        REQUEST_SECONDS.labels(method, route, f"{status // 100}xx"),
    )
