"""The REST surface as an ASGI application, made from the contexts' tables of endpoints."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

import structlog
from pymongo.errors import PyMongoError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from bus.faults import told
from bus.leaving import LEAVING, Leaving, leaving
from bus.platform import Platform
from bus.problems import Problem, problem_of
from bus.rest import EVENTS, Endpoint, read, waits
from bus.turnstile import TURNSTILE, Turnstile
from shop.asked import ASKED
from shop.doors import Doors
from shop.leave import Lifespan
from shop.observed import Observed
from shop.openapi.document import openapi
from shop.openapi.page import page
from shop.vitals import OPEN, vitals

log = structlog.get_logger(__name__)

PATIENCE = 25.0
"""Seconds after which a request is answered with 503, besides those that it asked to wait."""

LAST = 8.0
"""Seconds after which it is, once the process is about to end, whatever it asked to wait."""

LOOK = 2.0
"""Seconds that a look at a key may take while its stream waits."""

AGAIN = (
    "What was asked may be done or not: send it again with the same Idempotency-Key, and it is done"
    " once"
)
AWAY = f"the database did not answer in time. {AGAIN}"
ENDS = f"this process is about to end, and was not done in time. {AGAIN}"


def application(
    platform: Platform,
    doors: Doors,
    endpoints: Sequence[Endpoint],
    lifespan: Lifespan,
) -> Starlette:
    """The whole surface; its lifespan starts the platform, and stops all there is."""
    platform.at_stop(doors.close)
    return surface(platform, doors, endpoints, lifespan)


def at_work(platform: Platform, most_at_once: int) -> Lifespan:
    """The lifespan of an application whose platform works as long as it serves, and answers so many
    requests at once."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[dict[str, object]]:
        try:
            await platform.start(work=True)
        except Exception as error:
            log.error("start.failed", exc_info=error)
            raise
        try:
            yield {LEAVING: Leaving(), TURNSTILE: Turnstile(most_at_once)}
        finally:
            await platform.stop()

    return lifespan


def surface(
    platform: Platform,
    doors: Doors,
    endpoints: Sequence[Endpoint],
    lifespan: Lifespan | None = None,
) -> Starlette:
    """The routes: the contexts' endpoints, and those about the process itself, which need no
    key."""
    described = openapi(endpoints)
    described["paths"] |= OPEN
    # Written once: whoever asks needs no key, and the whole takes many milliseconds.
    written, shown = JSONResponse(described).body, page(described).encode()

    async def document(request: Request) -> Response:
        return Response(written, media_type="application/json")

    async def docs(request: Request) -> Response:
        return HTMLResponse(shown)

    app = Surface(
        routes=[
            *(Route(row.path, Served(row, doors), methods=[row.method]) for row in endpoints),
            *vitals(platform),
            Route("/openapi.json", document),
            Route("/docs", docs),
        ],
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False  # nobody is sent to wherever the Host header says
    return app


class Surface(Starlette):
    """Starlette, with what stands around its routes made for this: on the way of every request, its
    own layers for errors are a tenth of the work."""

    def build_middleware_stack(self) -> ASGIApp:
        """Every request is observed; whatever a route raises has an answer."""
        return Observed(self._routed)

    async def _routed(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self.router(scope, receive, send)
        except HTTPException as error:  # the router's own
            response = routing_problem(Request(scope), error)
            await response(scope, receive, send)
        except Exception as error:
            if ASKED.get().status:
                raise
            await failed(error)(scope, receive, send)


class Served:
    """One row of the table at work: who asks, may they, what do they ask, and what is the answer.

    An ASGI application of its own: on the way of every request, Starlette's wrapping of plain
    functions is a tenth of the work.
    """

    def __init__(self, endpoint: Endpoint, doors: Doors) -> None:
        self._endpoint = endpoint
        self._doors = doors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        response = await self._answer(Request(scope, receive))
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        endpoint, asked, end = self._endpoint, ASKED.get(), leaving(request.scope)
        try:
            with end.timeout(LAST, PATIENCE + waits(request)):
                principal = await self._doors.entered(request, endpoint.scope)
                asked.client = principal.name
                ask = await read(endpoint, request, principal, asked.traceparent)
                if endpoint.media == EVENTS:
                    ask = replace(ask, admitted=partial(self._still_admits, request))
                return await endpoint.call(ask)
        except ClientDisconnect:
            return Response(status_code=499)  # nobody is there to read it
        except TimeoutError as error:
            return failed(away(ENDS) if end.begun else error)
        except Exception as error:
            return failed(error)

    async def _still_admits(self, request: Request) -> bool:
        """Whether who was let in would be let in now; they stay while nobody can say."""
        try:
            async with asyncio.timeout(LOOK):
                await self._doors.admitted(request, self._endpoint.scope)
        except Problem:
            return False
        except (PyMongoError, TimeoutError):
            return True
        return True


def away(detail: str) -> Problem:
    """The problem of whoever may find what they need when they come again."""
    return Problem(503, "busy", detail, headers={"Retry-After": "2"})


def failed(error: Exception) -> Response:
    """The answer to a request that could not be served, whatever it was."""
    trace_id = ASKED.get().trace_id
    if isinstance(error, PyMongoError | TimeoutError):
        log.warning("request.database_away", error=told(error))
        return away(AWAY).response(trace_id)
    return (problem_of(error) or our_fault(error, trace_id)).response(trace_id)


def routing_problem(request: Request, error: HTTPException) -> Response:
    """What Starlette itself refuses: no such path, or not with this method."""
    path = request.scope["path"][:200]
    trace_id = ASKED.get().trace_id
    if error.status_code != 405:
        detail = f"there is nothing at {path}: see /docs"
        return Problem(error.status_code, "no_such_path", detail).response(trace_id)
    allowed = sorted(
        method
        for route in request.app.routes
        if route.matches({**request.scope, "method": "GET"})[0] is not Match.NONE
        for method in route.methods or ()
    )
    detail = f"{request.method[:20]} is not for {path}: choose {', '.join(allowed)}"
    return Problem(405, "not_allowed", detail, headers={"Allow": ", ".join(allowed)}).response(
        trace_id
    )


def our_fault(error: Exception, trace_id: str) -> Problem:
    """An error that nobody foresaw. The log has it all, the client nothing but its number."""
    log.error("request.failed", exc_info=error)
    detail = f"something went wrong on our side; say {trace_id} when you report it"
    return Problem(500, "internal_error", detail)
