"""One connection, and what its other end may do to us."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from bus.tasks import ended
from shop import protocol
from shop.protocol import MAX_HEAD, Protocol
from tests.listening import let_go
from tests.waiting import eventually, soon

CHUNK = b"x" * 100_000

WHOLE = b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n"


@asynccontextmanager
async def served(app: ASGIApp, **state: Any) -> AsyncIterator[tuple[str, int]]:
    """An application behind our protocol, on a port of its own."""
    config = uvicorn.Config(
        app, http=Protocol, lifespan="off", log_config=None, timeout_graceful_shutdown=10
    )
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    server.lifespan.state.update(state)
    bound = narrow()
    bound.bind(("127.0.0.1", 0))
    bound.listen()
    await server.startup([bound])
    try:
        yield bound.getsockname()
    finally:
        await server.shutdown([bound])
        for each in server.servers:
            await let_go(each)


def narrow() -> socket.socket:
    """A socket that holds little, so that it shows soon how fast the other end reads."""
    made = socket.socket()
    for buffer in (socket.SO_SNDBUF, socket.SO_RCVBUF):
        made.setsockopt(socket.SOL_SOCKET, buffer, 16_384)
    return made


@asynccontextmanager
async def asking(address: tuple[str, int]) -> AsyncIterator[asyncio.StreamReader]:
    """A client that has asked, and reads no more than it is told to."""
    mine = narrow()
    mine.setblocking(False)
    await asyncio.get_running_loop().sock_connect(mine, address)
    reader, writer = await asyncio.open_connection(sock=mine, limit=1)
    writer.write(b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n")
    try:
        yield reader
    finally:
        writer.transport.abort()
        with suppress(ConnectionError):
            await writer.wait_closed()


class Endless:
    """An answer without end, sent as fast as it is taken."""

    def __init__(self) -> None:
        self.cut = asyncio.Event()
        self.sent = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["more_body"]:
            pass
        gone = asyncio.ensure_future(receive())
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while not gone.done():
            await send({"type": "http.response.body", "body": CHUNK, "more_body": True})
            self.sent += 1
            await asyncio.sleep(0)
        await ended((gone,))
        self.cut.set()


async def test_who_takes_nothing_of_an_answer_is_cut_off_and_who_takes_little_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(protocol, "STALLED", 0.3)
    app = Endless()
    async with served(app) as address, asking(address) as reader:
        for _ in range(20):  # three times as long as may pass with nothing taken
            await soon(reader.readexactly(20_000))
            await asyncio.sleep(0.05)
        assert not app.cut.is_set()
        await soon(app.cut.wait())


async def test_an_answer_is_made_no_faster_than_it_is_taken() -> None:
    app = Endless()
    async with served(app) as address, asking(address) as reader:
        await soon(reader.readexactly(1_000))
        before = -1
        while before != app.sent:  # until there is room for no more
            before = app.sent
            await asyncio.sleep(0.1)
        assert app.sent * len(CHUNK) < 500_000
    await soon(app.cut.wait())


class Quick:
    """A short answer, after the whole body."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body"):
            pass
        head = [(b"content-length", b"2")]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": b"ok"})


@pytest.mark.parametrize("begun", [b"", b"GET /", b"GET / HTTP/1.1\r\nHost: sh", WHOLE + b"GET"])
async def test_who_does_not_say_what_they_want_is_let_go_of(
    begun: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "HEAD_WITHIN", 0.2)
    async with served(Quick()) as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(begun)
        said = await soon(reader.read())
        assert b"HTTP/1.1 408 Request Timeout\r\n" in said
        assert b"application/problem+json" in said
        assert said.startswith(b"HTTP/1.1 200") == begun.startswith(WHOLE)
        writer.close()


async def test_a_head_in_two_pieces_is_read_and_its_answer_may_take_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(protocol, "HEAD_WITHIN", 1.0)
    async with served(Quick()) as address:
        reader, writer = await asyncio.open_connection(*address)
        for piece in (WHOLE[:20], WHOLE[20:-2] + b"Content-Length: 2\r\n\r\n"):
            writer.write(piece)
            await asyncio.sleep(0.05)
        await asyncio.sleep(1.1)  # longer than a head may take: the body is another matter
        writer.write(b"ok")
        assert (await soon(reader.readline())).startswith(b"HTTP/1.1 200")
        writer.close()


@pytest.mark.parametrize(
    ("padding", "body", "status"),
    [(MAX_HEAD, 0, b"431"), (MAX_HEAD - 200, 4, b"200"), (0, 2 * MAX_HEAD, b"200")],
)
async def test_a_head_that_comes_in_one_go_may_be_no_longer_than_others(
    made: list[Protocol], padding: int, body: int, status: bytes
) -> None:
    app = Starlette(routes=[Route("/", lambda request: Response("ok"), methods=["POST"])])
    head = f"POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: {body}\r\nX: {'x' * padding}\r\n\r\n"
    async with served(app) as address:
        reader, writer = await asyncio.open_connection(*address)
        await eventually(lambda: bool(made))
        made[0].data_received(head.encode() + bytes(body))
        assert (await soon(reader.readline())).split()[1] == status
        writer.close()
