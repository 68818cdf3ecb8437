"""Ending what runs in the background, and waiting for what must not be left half done."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

T = TypeVar("T")


async def ended(tasks: Iterable[asyncio.Task[Any] | None]) -> None:
    """Cancel tasks, and wait until they have ended; how they ended is of no interest any more.

    Again and again: before Python 3.12, `asyncio.wait_for`, through which the Redis client sends,
    may swallow a cancellation.
    """
    ending = {task for task in tasks if task is not None}
    pending = {task for task in ending if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=0.5)
    for task in ending:
        if not task.cancelled():
            task.exception()  # else the loop complains that nobody has asked


async def in_thread(work: Callable[[], T]) -> T:
    """Do blocking work in a thread. Whoever is cancelled meanwhile leaves when it is done, so that
    nothing of it happens behind the back of what comes next."""
    doing = asyncio.get_running_loop().run_in_executor(None, work)
    try:
        return await asyncio.shield(doing)
    except asyncio.CancelledError:
        doing.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody asks
        await asyncio.wait((doing,))
        raise
