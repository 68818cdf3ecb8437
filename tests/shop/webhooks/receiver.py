"""Whoever is told: a server of the test's own, which checks every signature with the
specification's own library and answers as the test says."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from standardwebhooks import Webhook


class Got(NamedTuple):
    """A message as it came."""

    id: str
    body: bytes
    headers: Mapping[str, str]
    path: str
    message: dict[str, Any]

    @property
    def type(self) -> str:
        return str(self.message["type"])


Answer = tuple[int, dict[str, str]]

TAKEN: Answer = (204, {})


@dataclass
class Receiver:
    """Keeps what is signed as it should be; `answer` says what it answers to each."""

    url: str = ""
    secret: str = ""
    got: list[Got] = field(default_factory=list)
    forged: int = 0
    answer: Callable[[Got], Answer] = lambda got: TAKEN
    closing: threading.Event = field(default_factory=threading.Event)

    def hear(self, path: str, headers: dict[str, str], body: bytes) -> Answer:
        try:
            message = Webhook(self.secret).verify(body, headers)
        except Exception:
            self.forged += 1
            return 401, {}
        got = Got(headers["webhook-id"], body, headers, path, message)
        self.got.append(got)
        return self.answer(got)

    def hangs(self, got: Got) -> Answer:
        """Answers when the test is over."""
        self.closing.wait(60)
        return TAKEN

    def types(self) -> list[str]:
        return [got.type for got in self.got]

    def ids(self) -> list[str]:
        return [got.id for got in self.got]


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver at work on loopback."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, told = receiver.hear(self.path, headers, body)
            self.send_response(status)
            for name, value in {"content-length": "0", **told}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Nobody wants to read it."""

        def handle(self) -> None:
            try:
                super().handle()
            except ConnectionError:
                return  # who asked has gone

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    serving = threading.Thread(target=lambda: server.serve_forever(0.02))
    serving.start()
    receiver.url = f"http://127.0.0.1:{server.server_port}/hook"
    try:
        yield receiver
    finally:
        receiver.closing.set()
        server.shutdown()
        serving.join()
        server.server_close()
