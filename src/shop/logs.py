"""How the process writes its own log: JSON lines on stderr for machines, short lines for a
terminal."""

from __future__ import annotations

import logging
import math
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import structlog
from structlog.typing import EventDict

QUIET = 30.0
"""Seconds in which a warning is not said again: while a server is away, everything warns."""


class Seldom:
    """Lets one warning of a kind through in a while, with the number of those it kept back. Errors
    always pass."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._said: dict[str, float] = {}
        self._kept_back: Counter[str] = Counter()

    def __call__(self, logger: Any, method: str, event: EventDict) -> EventDict:
        """A processor of structlog's."""
        kind = str(event.get("event"))
        if method != "warning":
            return event
        at = self._clock()
        if at - self._said.get(kind, -math.inf) < QUIET:
            self._kept_back[kind] += 1
            raise structlog.DropEvent
        self._said[kind] = at
        if kept_back := self._kept_back.pop(kind, 0):
            event["kept_back"] = kept_back
        return event


def set_up() -> None:
    """Send structlog and the libraries' warnings to stderr."""
    terminal = sys.stderr.isatty()
    # A plain traceback: the pretty ones show the values of variables, and some are secrets.
    renderer: list[Any] = (
        [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
        if terminal
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[
            Seldom(),
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s"
    )
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
