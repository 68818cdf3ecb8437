"""How a process that serves takes its leave: it is not ready any more, whoever sends requests here
has time to see that, and only then is it told to stop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from types import FrameType
from typing import Any

from starlette.applications import Starlette

from bus.readiness import Readiness

Lifespan = Callable[[Starlette], AbstractAsyncContextManager[Any]]

READINESS = "readiness"
"""Where a request's state holds the process's `Readiness`."""


def announced(lifespan: Lifespan, readiness: Readiness, notice: timedelta) -> Lifespan:
    """The same lifespan, in which SIGTERM makes the process not ready at once, and reaches the
    server when the `notice` is over. A second one, and Ctrl-C, reach it at once."""

    @asynccontextmanager
    async def announcing(app: Starlette) -> AsyncIterator[dict[str, object]]:
        loop = asyncio.get_running_loop()
        stop: Any = signal.getsignal(signal.SIGTERM)  # the server's, which starts this

        def leave(number: int, frame: FrameType | None) -> None:
            wait = 0.0 if readiness.draining else notice.total_seconds()
            readiness.draining = True
            # Python calls this between any two instructions: nothing but the loop may be touched.
            loop.call_soon_threadsafe(loop.call_later, wait, stop, number, None)

        async with lifespan(app) as state:
            signal.signal(signal.SIGTERM, leave)
            try:
                yield {**state, READINESS: readiness}
            finally:
                signal.signal(signal.SIGTERM, stop)

    return announcing
