"""A TCP proxy before a mongod that breaks the connection before or behind an insert."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Literal

Loss = Literal["request", "answer"]

_INSERT = b"\x02insert\x00"  # the BSON of a command that begins `{insert: "…"`


class Lossy:
    """Passes everything on, but for as many inserts as it was told to spoil."""

    def __init__(self, server: tuple[str, int]) -> None:
        self._server = server
        self._to_lose: list[Loss] = []
        self._lock = threading.Lock()
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._door.getsockname()[1]
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def lose(self, *losses: Loss) -> None:
        """Break the connections of the next inserts: before the request arrives, or when it has
        been carried out and only the answer is missing."""
        with self._lock:
            self._to_lose += losses

    def lose_no_more(self) -> None:
        """Forget the losses that are still to come."""
        with self._lock:
            self._to_lose.clear()

    @property
    def left(self) -> int:
        """Losses that are still to come."""
        return len(self._to_lose)

    def close(self) -> None:
        """Break everything."""
        for each in (self._door, *self._open):
            _break(each)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._door.accept()
                server = socket.create_connection(self._server)
                self._open += (client, server)
                swallow = threading.Event()
                for pump in (
                    lambda c=client, s=server, w=swallow: self._requests(c, s, w),
                    lambda c=client, s=server, w=swallow: _answers(c, s, w),
                ):
                    threading.Thread(target=_quietly, args=(pump, client, server)).start()

    def _requests(
        self, client: socket.socket, server: socket.socket, swallow: threading.Event
    ) -> None:
        while True:
            head = _exactly(client, 4)
            message = head + _exactly(client, int.from_bytes(head, "little") - 4)
            if _INSERT in message[:64]:
                with self._lock:
                    loss = self._to_lose.pop(0) if self._to_lose else None
                if loss == "request":
                    return
                if loss == "answer":
                    swallow.set()
            server.sendall(message)


def _answers(client: socket.socket, server: socket.socket, swallow: threading.Event) -> None:
    while (part := server.recv(65536)) and not swallow.is_set():
        client.sendall(part)


def _quietly(pump: Callable[[], None], *ends: socket.socket) -> None:
    try:
        with suppress(OSError):
            pump()
    finally:
        for end in ends:
            _break(end)


def _break(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()


def _exactly(end: socket.socket, size: int) -> bytes:
    received = b""
    while len(received) < size:
        part = end.recv(size - len(received))
        if not part:
            raise ConnectionResetError
        received += part
    return received


@contextmanager
def lossy(server: tuple[str, int]) -> Iterator[Lossy]:
    """A proxy, for as long as it is needed."""
    proxy = Lossy(server)
    try:
        yield proxy
    finally:
        proxy.close()
