"""A small server within a test's own loop, which leaves no conversation open behind it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from tests.waiting import eventually

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(talk: Talk) -> AsyncIterator[str]:
    """Where `talk` is had with whoever calls; talks still going on at the end are cut."""
    talks: list[tuple[asyncio.Future[None], asyncio.StreamWriter]] = []

    def called(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.append((asyncio.ensure_future(talk(reader, writer)), writer))

    server = await asyncio.start_server(called, "127.0.0.1", 0)
    try:
        host, port = server.sockets[0].getsockname()
        yield f"http://{host}:{port}"
    finally:
        server.close()
        await let_go(server, talks)
        await asyncio.gather(*(each for each, _ in talks), return_exceptions=True)


async def let_go(
    server: asyncio.Server,
    talks: Sequence[tuple[asyncio.Future[None], asyncio.StreamWriter]] = (),
) -> None:
    """Wait until a closed server has no connection left, so that none is found open by a later
    test; before Python 3.12 `wait_closed` does not wait for them."""

    def alone() -> bool:
        for going_on, writer in talks:
            going_on.cancel()
            writer.transport.abort()
        return not getattr(server, "_active_count", 0)

    await eventually(alone)
    await server.wait_closed()
