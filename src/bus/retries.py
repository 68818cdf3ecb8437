"""Trying again what failed, with growing pauses, for as long as it is ours to try."""

from __future__ import annotations

import asyncio
import random
import traceback
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import structlog
from pymongo.errors import PyMongoError

from bus.faults import told
from bus.messages import Busy
from bus.metrics import RETRIES

log = structlog.get_logger(__name__)


class Retries(NamedTuple):
    """How often something is tried, and the seconds between; outages do not count. Each pause is
    about twice the one before it."""

    attempts: float = 8
    first_pause: float = 0.05
    longest_pause: float = 5.0


class Failure(NamedTuple):
    """Why it could not be done."""

    error: str
    traceback: str
    attempts: int


class Overtaken(Exception):
    """Another process does the work by now; what this one still does of it is refused."""


async def tried(
    step: Callable[[], Awaitable[None]],
    retries: Retries,
    valid: Callable[[], bool],
    *,
    reader: str,
    **what: Any,
) -> Failure | None:
    """Take a step until it succeeds, or has failed too often; `what` tells what
    of the reader's it is about.

    Raises `Overtaken` when it is not ours to take any more: `valid` is asked each time.
    """
    tries, pause = 0, retries.first_pause
    while valid():
        try:
            await step()
            return None
        except Overtaken:
            raise
        except (Busy, PyMongoError, OSError) as outage:
            RETRIES.labels(reader, "outage").inc()
            log.warning("reader.waits", reader=reader, **what, error=told(outage))
        except (Exception, asyncio.CancelledError) as error:
            if (running := asyncio.current_task()) and running.cancelling():
                raise  # it is we who are told to stop, not what the step waited for
            tries += 1
            RETRIES.labels(reader, "failure").inc()
            log.warning("reader.retries", reader=reader, **what, attempt=tries, error=told(error))
            if tries >= retries.attempts:
                return Failure(repr(error), traceback.format_exc(), tries)
        await asyncio.sleep(pause * random.uniform(0.5, 1.5))
        pause = min(pause * 2, retries.longest_pause)
    raise Overtaken
