"""The REST surface as an ASGI application, made from the contexts' tables of endpoints."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import structlog
from pymongo.errors import PyMongoError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from bus.messages import Principal
from bus.mongo import told
from bus.platform import Platform
from bus.problems import Problem, problem_of
from bus.rest import Endpoint, read
from bus.tasks import ended
from shop.keys import Keys
from shop.openapi import openapi, page

log = structlog.get_logger(__name__)

Call = Callable[[Request], Awaitable[Response]]


def application(
    platform: Platform,
    keys: Keys,
    endpoints: Sequence[Endpoint],
    warm: Callable[[], Coroutine[Any, Any, object]],
) -> Starlette:
    """The whole surface; its lifespan starts and stops the platform, and warms up beside it."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        await platform.start(work=True)
        warming = asyncio.create_task(warm())
        try:
            yield
        finally:
            await ended((warming,))
            await platform.stop()

    return surface(platform, keys, endpoints, lifespan)


def surface(
    platform: Platform,
    keys: Keys,
    endpoints: Sequence[Endpoint],
    lifespan: Callable[[Starlette], AbstractAsyncContextManager[None]] | None = None,
) -> Starlette:
    """The routes: the contexts' endpoints, and those about the process itself, which need no
    key."""
    described = openapi(endpoints)

    async def document(request: Request) -> Response:
        return JSONResponse(described)

    async def docs(request: Request) -> Response:
        return HTMLResponse(page(described))

    async def live(request: Request) -> Response:
        return JSONResponse({"status": "live"})

    async def ready(request: Request) -> Response:
        faults = await platform.faults()
        if faults:
            return JSONResponse(
                {"status": "not ready", "faults": faults}, 503, {"Retry-After": "1"}
            )
        return JSONResponse({"status": "ready"})

    return Starlette(
        routes=[
            *(Route(row.path, served(row, keys), methods=[row.method]) for row in endpoints),
            Route("/livez", live),
            Route("/readyz", ready),
            Route("/openapi.json", document),
            Route("/docs", docs),
        ],
        exception_handlers={HTTPException: routing_problem, Exception: our_fault},
        lifespan=lifespan,
    )


def served(endpoint: Endpoint, keys: Keys) -> Call:
    """One row of the table at work: who asks, may they, what do they ask, and what is the
    answer."""

    async def call(request: Request) -> Response:
        try:
            principal = await authenticated(request, keys, endpoint.scope)
            traceparent = request.headers.get("traceparent")
            return await endpoint.call(await read(endpoint, request, principal, traceparent))
        except PyMongoError as error:
            log.warning("request.database_away", path=endpoint.path, error=told(error))
            away = "the database cannot be reached; nothing is lost, try again"
            return Problem(503, "busy", away, headers={"Retry-After": "2"}).response(
                trace_of(request)
            )
        except Exception as error:
            problem = problem_of(error)
            if problem is None:
                raise
            return problem.response(trace_of(request))

    return call


async def authenticated(request: Request, keys: Keys, scope: str) -> Principal:
    """Who asks, by their key; raises `Problem` 401, or 403 when the key is for something else."""
    kind, _, bearer = request.headers.get("authorization", "").partition(" ")
    principal = (
        await keys.principal(bearer.strip()) if kind.lower() == "bearer" and bearer else None
    )
    if principal is None:
        raise Problem(
            401,
            "unauthorized",
            "send a valid key: `Authorization: Bearer <key>`; `shop keys create` makes one",
            headers={"WWW-Authenticate": "Bearer"},
        )
    if principal.scope != scope:
        raise Problem(
            403,
            "forbidden",
            f"this needs a key of scope {scope}, yours has scope {principal.scope}",
        )
    return principal


_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


def trace_of(request: Request) -> str:
    """The trace id that the client sent (W3C Trace Context), or a fresh one."""
    found = _TRACEPARENT.fullmatch(request.headers.get("traceparent", ""))
    return found[1] if found else secrets.token_hex(16)


async def routing_problem(request: Request, error: Any) -> Response:
    """What Starlette itself refuses: no such path, or not with this method."""
    codes = {404: ("no_such_path", f"there is nothing at {request.url.path}: see /docs")}
    code, detail = codes.get(error.status_code, ("not_allowed", str(error.detail)))
    return Problem(error.status_code, code, detail, headers=error.headers).response(
        trace_of(request)
    )


async def our_fault(request: Request, error: Exception) -> Response:
    """An error that nobody foresaw. The log has it all, the client nothing but its number."""
    trace_id = trace_of(request)
    log.error(
        "request.failed",
        method=request.method,
        path=request.url.path,
        trace_id=trace_id,
        exc_info=error,
    )
    detail = f"something went wrong on our side; say {trace_id} when you report it"
    return Problem(500, "internal_error", detail).response(trace_id)
