"""A small server within a test's own loop, which leaves no conversation open behind it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

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
        for going_on, writer in talks:
            going_on.cancel()
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
        await asyncio.gather(*(each for each, _ in talks), return_exceptions=True)
