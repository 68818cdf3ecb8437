"""The process' pulse: every second it says how the work stands, from what it has in memory. Nobody
waits for it, and no server is asked: it beats on when all of them are away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from bus.metrics import LOOP_LAG
from bus.tasks import ended

BEAT = 0.25
"""Seconds between looks at how busy the event loop is."""

BEATS = 4
"""Such looks to a look at everything else."""

log = structlog.get_logger(__name__)


class Pulse:
    """Looks again and again, in the background, from `start` to `stop`."""

    def __init__(self, look: Callable[[], None]) -> None:
        self._look = look
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run(), name="pulse")

    async def stop(self) -> None:
        """End."""
        await ended((self._task,))

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                self._look()
            except Exception:  # a figure less is no reason to stop counting
                log.exception("pulse.failed")
            for _ in range(BEATS):
                due = loop.time() + BEAT
                await asyncio.sleep(BEAT)
                LOOP_LAG.observe(max(loop.time() - due, 0.0))
