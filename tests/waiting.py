"""Waiting for the thing itself, with a deadline, so that no test sleeps and hopes."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 15.0
"""Seconds after which what should happen will not."""


async def eventually(
    look: Callable[[], T | Awaitable[T]], within: float = PATIENCE, every: float = 0.005
) -> T:
    """What `look` sees as soon as it sees something true; fails when that takes too long."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within
    while True:
        seen = look()
        found: T = await seen if inspect.isawaitable(seen) else seen
        if found:
            return found
        if loop.time() > deadline:
            raise AssertionError(f"not within {within} s: last seen {found!r}")
        await asyncio.sleep(every)


async def soon(awaitable: Awaitable[T], within: float = PATIENCE) -> T:
    """The answer of what is awaited; fails when there is none in time."""
    async with asyncio.timeout(within):
        return await awaitable
