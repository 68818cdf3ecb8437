"""The socket that a shop listens on, and how it is told that it is ready."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Event, Thread

import pytest
import uvloop

from shop.serving import HANDS, UNTAKEN, _when_ready, hands, listening

MANY = 8 * HANDS


@pytest.fixture
def bound() -> Iterator[socket.socket]:
    with listening("127.0.0.1", 0) as made:
        yield made


class Taken(asyncio.Protocol):
    """Counts those who were let in."""

    count = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        Taken.count += 1
        transport.close()


async def turns_to_take_all(sockets: list[socket.socket]) -> int:
    """Turns of the event loop until everybody who waits at the door is let in."""
    Taken.count = turns = 0
    loop = asyncio.get_running_loop()
    servers = [await loop.create_server(Taken, sock=each, backlog=MANY) for each in sockets]
    with ExitStack() as clients:
        for _ in range(MANY):
            clients.enter_context(socket.create_connection(sockets[0].getsockname(), 5))
        while Taken.count < MANY:
            turns += 1
            await asyncio.sleep(0)
    for server in servers:
        server.close()
    return turns


def test_many_who_come_at_once_are_let_in_within_few_turns(bound: socket.socket) -> None:
    assert uvloop.run(turns_to_take_all(hands(bound))) < MANY / 2


def test_little_is_kept_for_who_does_not_take_their_answer(bound: socket.socket) -> None:
    with socket.create_connection(bound.getsockname(), 5), bound.accept()[0] as taken:
        # The system keeps as much again for its own purposes.
        assert taken.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) <= 2 * UNTAKEN


def test_workers_are_ready_when_one_says_so_whatever_proxy_is_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    answers = [503, 200]

    class Worker(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(answers.pop(0))
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nobody wants to read it."""

    told = Event()
    with HTTPServer(("127.0.0.1", 0), Worker) as worker:
        Thread(target=worker.serve_forever, args=(0.01,)).start()
        _when_ready("127.0.0.1", worker.server_port, told.set)
        worker.shutdown()
    assert told.is_set()
    assert answers == []
