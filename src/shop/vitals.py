"""What anybody may ask of the process: whether it lives, whether it is ready, and what it has
counted."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bus.platform import Platform
from shop.figures import Figures
from shop.metrics import exposition


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
