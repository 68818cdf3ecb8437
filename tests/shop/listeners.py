"""Listeners of server-sent events, on an application in the test's own process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from starlette.types import ASGIApp, Message

from tests.waiting import soon


class Told(NamedTuple):
    """One event as it was told."""

    name: str
    id: str
    data: Any


class Listener:
    """Who asks for a stream, and reads it as fast as they like."""

    def __init__(self, app: ASGIApp, path: str, headers: dict[str, str], state: Any) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.comments = 0
        self.retry = 0
        self.body = b""
        self.reading = asyncio.Event()
        """Whether they take what is sent; they do until this is cleared."""
        self.reading.set()
        self._events: asyncio.Queue[Told | None] = asyncio.Queue()
        self._started = asyncio.Event()
        self._gone = asyncio.Event()
        self._asked = False
        scope = {
            "type": "http", "method": "GET", "path": path, "raw_path": path.encode(),
            "query_string": b"", "root_path": "", "scheme": "http", "http_version": "1.1",
            "server": ("shop", 80), "client": ("test", 1), "state": dict(state),
            "headers": [(name.lower().encode(), each.encode()) for name, each in headers.items()],
        }  # fmt: skip
        self._task = asyncio.ensure_future(app(scope, self._receive, self._send))

    async def started(self) -> Listener:
        """Once the answer has begun."""
        await soon(self._started.wait())
        return self

    async def next(self, name: str | None = None) -> Told:
        """The next event; with a name, the next of these."""
        while True:
            told = await soon(self._events.get())
            assert told is not None, "the stream is over"
            if name in (None, told.name):
                return told

    async def rest(self) -> list[Told]:
        """All that is told until the stream is over."""
        await soon(asyncio.shield(self._task))
        found = []
        while not self._events.empty():
            if (told := self._events.get_nowait()) is not None:
                found.append(told)
        return found

    @property
    def waiting(self) -> int:
        """Events that were told and not looked at."""
        return self._events.qsize()

    @property
    def over(self) -> bool:
        """Whether the answer has ended."""
        return self._task.done()

    async def leave(self) -> None:
        """Hang up, and see the other end notice."""
        self._gone.set()
        await soon(asyncio.shield(self._task))

    async def _receive(self) -> Message:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        await self.reading.wait()
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {n.decode(): each.decode() for n, each in message["headers"]}
            self._started.set()
            return
        self.body += message["body"]
        if self.headers.get("content-type", "").startswith("text/event-stream"):
            *blocks, self.body = self.body.split(b"\n\n")
            for block in blocks:
                self._hear(block.decode())

    def _hear(self, block: str) -> None:
        fields = dict(line.split(": ", 1) for line in block.splitlines() if line != ":")
        if "retry" in fields:
            self.retry = int(fields["retry"])
        elif not fields:
            self.comments += 1
        else:
            told = Told(fields["event"], fields.get("id", ""), json.loads(fields["data"]))
            self._events.put_nowait(told)


@asynccontextmanager
async def listening(
    app: ASGIApp,
    path: str,
    *,
    key: str | None = None,
    last: str | None = None,
    state: Any = (),
) -> AsyncIterator[Listener]:
    """A listener with a key, from behind an event."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    if last is not None:
        headers["Last-Event-ID"] = last
    listener = Listener(app, path, headers, state)
    try:
        yield await listener.started()
    finally:
        await listener.leave()
