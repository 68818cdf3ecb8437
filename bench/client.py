"""A load generator that costs little: raw HTTP/1.1 on kept-alive connections, one event loop."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, cast
from urllib.parse import urlsplit


class Answer(NamedTuple):
    """What came back, and the seconds it took."""

    status: int
    body: bytes
    seconds: float


class BadAnswer(Exception):
    """A server that is measured must answer as it should: else there is nothing to measure."""


AT_ONCE = 256
"""Requests under way at once, at most, when they come at a pace of their own."""

OVERLOADED = b'"code": "overloaded"'
"""What the answer says when a server has no place left."""

TICK = 0.002
"""Seconds between looks at what is due."""

Make = Callable[[], bytes]
"""Makes the next request, whole, ready to send."""

Count = Callable[[Answer], bool]
"""Whether an answer counts."""


def request(method: str, path: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    """A request as it goes over the wire."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def place_of(address: str) -> tuple[str, int]:
    """Host and port of `http://host:port`."""
    parts = urlsplit(address)
    return parts.hostname or "127.0.0.1", parts.port or 80


class Connection(asyncio.Protocol):
    """One kept-alive connection: one request at a time, and its answer."""

    def __init__(self, answered: Callable[[Connection, Answer], None]) -> None:
        self._answered = answered
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._sent = 0.0
        self.waiting = False
        self.failure: Exception | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way to the server."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one but for its type

    def send(self, wire: bytes) -> None:
        """Ask; `answered` hears what came of it."""
        assert self._transport is not None
        self.waiting = True
        self._sent = time.perf_counter()
        self._transport.write(wire)

    def data_received(self, data: bytes) -> None:
        """Collect an answer until it is whole."""
        self._buffer = self._buffer + data if self._buffer else data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[:end].lower()
        at = head.find(b"content-length:")
        if at < 0:
            self._fail(BadAnswer(f"an answer of no length: {head[:200]!r}"))
            return
        length = int(head[at + 15 :].split(b"\r\n", 1)[0])
        if len(self._buffer) < end + 4 + length:
            return
        answer = Answer(int(head[9:12]), self._buffer[end + 4 :], time.perf_counter() - self._sent)
        self._buffer = b""
        self.waiting = False
        self._answered(self, answer)

    def connection_lost(self, exc: Exception | None) -> None:
        """The server has hung up; it should not while we wait."""
        if self.waiting:
            self._fail(exc or BadAnswer("the server hung up"))

    def _fail(self, failure: Exception) -> None:
        self.failure = failure
        self.waiting = False

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()


@dataclass
class Load:
    """What came of a load: answers that counted within the window, the milliseconds of those that
    were refused, and all others by status."""

    counted: int = 0
    seconds: float = 0.0
    refused: list[float] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.counted / self.seconds

    def add(self, answer: Answer, count: Count, *, within: bool) -> None:
        """One more answer, which came `within` the time that is counted or did not."""
        if answer.status == 503 and OVERLOADED in answer.body:
            self.refused.append(answer.seconds * 1000)
        elif not count(answer):
            self.others[f"{answer.status} {answer.body[:300].decode(errors='replace')}"] += 1
        elif within:
            self.counted += 1

    def checked(self) -> Load:
        """This; raises `BadAnswer` when too much of it is neither as it should be nor refused."""
        if sum(self.others.values()) * 1000 > self.counted:
            raise BadAnswer(f"the server answered {self.others.most_common(2)}")
        return self


async def press(
    addresses: Sequence[str],
    make: Make,
    count: Count,
    *,
    connections: int,
    seconds: float,
    warm: float,
) -> Load:
    """Keep every connection busy for `warm` seconds and then `seconds` more, which are counted; the
    connections are spread over the addresses.

    Raises `BadAnswer` when more than one answer in a thousand is not as it should be.
    """
    began = time.perf_counter() + warm
    ends = began + seconds
    load = Load(seconds=seconds)
    quiet = asyncio.Event()
    under_way = connections

    def answered(connection: Connection, answer: Answer) -> None:
        nonlocal under_way
        now = time.perf_counter()
        load.add(answer, count, within=began <= now < ends)
        if now < ends:
            connection.send(make())
        else:
            under_way -= 1
            if not under_way:
                quiet.set()

    opened = await _opened(addresses, connections, answered)
    for connection in opened:
        connection.send(make())
    await _over(quiet, opened, warm + seconds)
    return load.checked()


async def pace(
    addresses: Sequence[str],
    make: Make,
    count: Count,
    *,
    rate: float,
    seconds: float,
    at_once: int = AT_ONCE,
) -> Load:
    """Ask `rate` times a second, however long the answers take; but with no more than `at_once`
    under way, so that `load` says whether the pace was kept.

    Raises `BadAnswer` when more than one answer in a thousand is not as it should be.
    """
    load = Load(seconds=seconds)
    idle: deque[Connection] = deque()
    quiet = asyncio.Event()

    def answered(connection: Connection, answer: Answer) -> None:
        load.add(answer, count, within=time.perf_counter() < ends)
        idle.append(connection)
        if len(idle) == at_once:
            quiet.set()

    opened = await _opened(addresses, at_once, answered)
    idle.extend(opened)
    began = time.perf_counter()
    ends = began + seconds
    sent = 0
    while (now := time.perf_counter()) < ends:
        while idle and sent < (now - began) * rate:
            idle.popleft().send(make())
            sent += 1
        await asyncio.sleep(TICK)
    quiet.clear()
    if len(idle) == at_once:
        quiet.set()
    await _over(quiet, opened, 0)
    return load.checked()


async def _opened(
    addresses: Sequence[str], connections: int, answered: Callable[[Connection, Answer], None]
) -> list[Connection]:
    loop = asyncio.get_running_loop()
    places = itertools.cycle(place_of(address) for address in addresses)
    return [
        (await loop.create_connection(lambda: Connection(answered), *next(places)))[1]
        for _ in range(connections)
    ]


async def _over(quiet: asyncio.Event, opened: Sequence[Connection], seconds: float) -> None:
    """Wait for the last answers and hang up."""
    try:
        async with asyncio.timeout(seconds + 40):
            await quiet.wait()
    except TimeoutError:
        lost = next((each.failure for each in opened if each.failure), "no answer in time")
        raise BadAnswer(f"the server stopped answering: {lost}") from None
    finally:
        for connection in opened:
            connection.close()


class Client:
    """One client with one connection, that waits for each answer."""

    def __init__(self, address: str) -> None:
        self._where = place_of(address)
        self._connection: Connection | None = None
        self._answer: asyncio.Future[Answer] | None = None

    async def ask(self, wire: bytes) -> Answer:
        """Send one request and wait for its answer."""
        loop = asyncio.get_running_loop()
        if self._connection is None:
            _, self._connection = await loop.create_connection(
                lambda: Connection(self._answered), *self._where
            )
        self._answer = loop.create_future()
        self._connection.send(wire)
        async with asyncio.timeout(40):
            return await self._answer

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()

    def _answered(self, connection: Connection, answer: Answer) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(answer)
