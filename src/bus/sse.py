"""Server-sent events (WHATWG HTML, 9.2): an answer that goes on as long as there is something to
tell, and somebody to hear it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import ClassVar, Protocol

import structlog
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from bus.faults import told
from bus.leaving import Wake, leaving
from bus.messages import Busy
from bus.metrics import STREAMS
from bus.tasks import ended

HEARTBEAT = 15.0
"""Seconds of silence after which a comment says that the stream is still there."""

CHECKED = 4.0
"""Seconds between two looks whether who listens may still do so."""

MOST = 5_000
"""Streams that one process tells at once: a thousand take some 40 MB."""

RETRY_MS = (2_000, 5_000)
"""Milliseconds after which who lost the stream comes back: not all of a thousand at once."""

log = structlog.get_logger(__name__)


class Telling(Protocol):
    """What one listener is told. Nothing is queued for whoever is slow: what is next is asked for
    when there is room to send it."""

    @property
    def over(self) -> bool:
        """Whether nothing more will come once `next` has nothing."""

    def next(self) -> bytes | None:
        """The next event, as `event` makes it; `None` when there is none now."""


Listen = Callable[[Wake], AbstractAsyncContextManager[Telling]]
"""Begins to tell one listener, who is woken whenever there may be something new, until it is
left."""


def event(name: str, data: bytes, id: str | None = None) -> bytes:
    """One event; `data` is one line, as JSON is, and a stream resumes behind its `id`."""
    head = b"" if id is None else b"id: %s\n" % id.encode()
    return b"%sevent: %s\ndata: %s\n\n" % (head, name.encode(), data)


class EventStream(Response):
    """What is told to one listener, until it is over, or they have gone or may listen no longer, or
    the process is about to end."""

    media_type = "text/event-stream"
    listeners: ClassVar = 0
    """How many are being told something by this process."""

    def __init__(self, listen: Listen, admitted: Callable[[], Awaitable[bool]]) -> None:
        """Raises `Busy` when there are too many already."""
        if EventStream.listeners >= MOST:
            raise Busy(f"{MOST} streams are open, as many as this process tells: come again", 5)
        self.status_code = 200
        self.background = None
        # A proxy that keeps events for later, or for others, makes nothing of them.
        self.init_headers({"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        self._listen = listen
        self._admitted = admitted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Tell it."""
        wake = asyncio.Event()
        end = leaving(scope)
        gone = asyncio.create_task(_gone(receive, wake))
        EventStream.listeners += 1
        STREAMS.inc()
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await _say(send, b"retry: %d\n\n" % random.randint(*RETRY_MS))
            with end.told(wake.set):
                async with self._listen(wake.set) as telling:
                    await self._tell(telling, send, wake, lambda: gone.done() or end.begun)
        except Exception as error:  # too late for another answer: who listens comes back
            log.warning("stream.broken", error=told(error))
        finally:
            EventStream.listeners -= 1
            STREAMS.dec()
            await ended((gone,))
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _tell(
        self, telling: Telling, send: Send, wake: asyncio.Event, over: Callable[[], bool]
    ) -> None:
        clock = asyncio.get_running_loop().time
        check = clock() + CHECKED
        beat = clock() + HEARTBEAT
        while True:
            wake.clear()
            while not over() and (told := telling.next()) is not None:
                await _say(send, told)
                beat = clock() + HEARTBEAT
            if over() or telling.over:
                return
            if clock() >= check:
                if not await self._admitted():
                    return
                check = clock() + CHECKED
            if clock() >= beat:
                await _say(send, b":\n\n")
                beat = clock() + HEARTBEAT
            try:
                async with asyncio.timeout_at(min(check, beat)):
                    await wake.wait()
            except TimeoutError:
                continue


async def _say(send: Send, words: bytes) -> None:
    await send({"type": "http.response.body", "body": words, "more_body": True})


async def _gone(receive: Receive, wake: asyncio.Event) -> None:
    """Wait until who listens has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
    wake.set()
