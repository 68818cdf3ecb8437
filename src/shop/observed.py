"""The outermost layer of the REST surface: every request has its place in a trace, is counted and
timed, and has a line in the log if somebody wants to read it."""

from __future__ import annotations

import time
from functools import lru_cache

import structlog
from prometheus_client import Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shop.asked import ASKED, Asked
from shop.metrics import IN_FLIGHT, REQUEST_SECONDS, REQUESTS

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Observed:
    """An ASGI application, with an eye on it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._log = structlog.get_logger(__name__).bind()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request. It counts as answered when the head of the answer is sent: what streams
        on for minutes has been answered long before."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        asked = Asked(scope)
        answered = False

        def answer(status: int) -> None:
            nonlocal answered
            answered = True
            IN_FLIGHT.dec()
            seconds = time.perf_counter() - began
            method = count(scope["method"], asked.route, status, seconds)
            self._log.info("request", method=method, status=status, ms=seconds * 1000)

        async def observed(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer(message["status"])
            await send(message)

        IN_FLIGHT.inc()
        token = ASKED.set(asked)
        try:
            await self._app(scope, receive, observed)
        finally:
            if not answered:
                answer(500)
            ASKED.reset(token)


def count(method: str, route: str, status: int, seconds: float) -> str:
    """One more request has been answered; returns the method as it is counted."""
    method = method if method in METHODS else "other"
    requests, duration = _instruments(method, route, status)
    requests.inc()
    duration.observe(seconds)
    return method


@lru_cache(maxsize=10_000)
def _instruments(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    return (
        REQUESTS.labels(method, route, str(status)),
        REQUEST_SECONDS.labels(method, route, f"{status // 100}xx"),
    )
