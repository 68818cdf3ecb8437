"""What anybody may ask of the process: whether it lives, whether it is ready, and what it has
counted."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bus.platform import Platform
from shop.figures import Figures
from shop.metrics import exposition
from shop.observed import PROBES
from shop.openapi.headers import again
from shop.openapi.refusals import MEANT


def vitals(platform: Platform) -> list[Route]:
    """The routes; they need no key."""
    figures = Figures(platform)
    writer = ThreadPoolExecutor(1, thread_name_prefix="metrics")  # one at a time, and behind nobody

    async def live(request: Request) -> Response:
        return JSONResponse({"status": "live"})

    async def ready(request: Request) -> Response:
        if faults := await platform.faults():
            told = {"status": "not ready", "faults": faults}
            return JSONResponse(told, 503, {"Retry-After": "1"})
        return JSONResponse({"status": "ready"})

    async def metrics(request: Request) -> Response:
        await figures.ask()
        shown, media_type = await asyncio.get_running_loop().run_in_executor(
            writer, exposition, request.headers.get("accept", "")
        )
        return Response(shown, media_type=media_type)

    return [Route("/livez", live), Route("/readyz", ready), Route("/metrics", metrics)]


def _status(value: str, **more: Any) -> dict[str, Any]:
    """The schema of an answer that tells a status."""
    properties = {"status": {"const": value}, **more}
    return {"type": "object", "properties": properties, "required": [*properties]}


def _answer(why: str, media_type: str, schema: Any) -> dict[str, Any]:
    return {"description": why, "content": {media_type: {"schema": schema}}}


def _refused(*statuses: str) -> dict[str, Any]:
    """The problems that a request may meet whatever it is for."""
    problem = {"$ref": "#/components/schemas/ProblemDetails"}
    return {each: _answer(MEANT[each], "application/problem+json", problem) for each in statuses}


def _operation(path: str, summary: str, more: str, answers: dict[str, Any]) -> dict[str, Any]:
    """One route that needs no key; one that is no probe waits its turn like any other."""
    answers |= _refused("400", "408", "431") | ({} if path in PROBES else _refused("503"))
    if "503" in answers:
        answers["503"]["headers"] = again()
    return {
        path: {
            "get": {
                "operationId": "get_" + path.strip("/").replace(".", "_"),
                "summary": summary,
                "description": more,
                "tags": ["process"],
                "security": [],
                "parameters": [],
                "responses": answers,
            }
        }
    }


_FAULTS = {"type": "array", "items": {"type": "string"}, "minItems": 1}

OPEN: dict[str, Any] = {
    **_operation(
        "/livez",
        "Does the process live",
        "Asks nobody: start a process again only where this is not answered.",
        {"200": _answer("It does", "application/json", _status("live"))},
    ),
    **_operation(
        "/readyz",
        "Is the process ready",
        "Answers within two seconds. Send it requests as long as it is; `faults` says what keeps it"
        " from doing all its work.",
        {
            "200": _answer("It is", "application/json", _status("ready")),
            "503": _answer("It is not", "application/json", _status("not ready", faults=_FAULTS)),
        },
    ),
    **_operation(
        "/metrics",
        "What the process has counted",
        "For Prometheus; docs/operations.md says what each figure means.",
        {"200": _answer("In the text format, or in OpenMetrics", "text/plain", {"type": "string"})},
    ),
    **_operation(
        "/openapi.json",
        "This document",
        "OpenAPI 3.1.",
        {"200": _answer("The document", "application/json", {"type": "object"})},
    ),
    **_operation(
        "/docs",
        "This document, for people",
        "One page, which loads nothing.",
        {"200": _answer("The page", "text/html", {"type": "string"})},
    ),
}
"""The routes that need no key, as the OpenAPI document has them."""
