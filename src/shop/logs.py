"""How the process writes its own log: JSON lines on stderr for machines, short lines for a
terminal. No line holds a secret or a word about a person, whatever went wrong."""

from __future__ import annotations

import logging
import math
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TextIO, cast

import structlog
from structlog.typing import EventDict

from bus.faults import traced
from bus.here import here
from shop.asked import ASKED, id_in

QUIET = 30.0
"""Seconds in which a warning is not said again: while a server is away, everything warns."""

ORDER_IDS = ("order_id", "reference", "reservation_id")
"""What contexts call the order that a message is about."""

FRANK = ("uvicorn", "opentelemetry", "py.warnings")
"""Libraries whose words are told: they are about the process. Of all others only the place is,
for their words may be about a person."""

log = structlog.get_logger(__name__)


def order_of(message: Any) -> str | None:
    """The id of the order that a message is about, if it says so."""
    ids = (getattr(message, name, None) for name in ORDER_IDS)
    return next(filter(None, ids), None)


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


def whereabouts(logger: Any, method: str, event: EventDict) -> EventDict:
    """Add what is being worked on: the request, the trace, the order."""
    found: dict[str, Any] = {}
    if asked := ASKED.get(None):
        found |= {"trace_id": asked.trace_id, "route": asked.route, "client": asked.client}
    at_work = list(here())
    for at in at_work[:1]:
        found |= {"correlation": at.correlation, "causation": at.causation}
        if at.traceparent:
            found["trace_id"] = id_in(at.traceparent)
    found["order_id"] = next(filter(None, (order_of(at.message) for at in at_work)), None)
    for name, value in found.items():
        if value is not None:
            event.setdefault(name, value)
    return event


def failures(logger: Any, method: str, event: EventDict) -> EventDict:
    """Tell of an error where it happened, and none of the values there."""
    error = event.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()
    if isinstance(error, tuple):
        error = error[1]
    if isinstance(error, BaseException):
        event["exception"] = traced(error)
    return event


class Libraries(logging.Handler):
    """What libraries warn of, in the same lines."""

    def emit(self, record: logging.LogRecord) -> None:
        """Say it."""
        said = f"{record.name} warns"
        if record.name.startswith(FRANK):
            said = record.getMessage().partition("\n")[0]  # what follows may be a traceback
        say = log.error if record.levelno >= logging.ERROR else log.warning
        say(
            said,
            library=record.name,
            at=f"{record.module}:{record.lineno}",
            exc_info=record.exc_info or None,
        )


class Unbroken:
    """Where lines go; if they cannot (the disk is full, nobody reads the pipe any more), the work
    goes on without them."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, text: str) -> None:
        """Write, if that can be done."""
        with suppress(OSError, ValueError):
            self._file.write(text)

    def flush(self) -> None:
        """Have it written, if that can be done."""
        with suppress(OSError, ValueError):
            self._file.flush()


def set_up(level: str) -> None:
    """Send structlog, from this level on, and the libraries' warnings to stderr.

    Libraries are never asked for more: they would tell of every command and address.
    """
    renderer: Any = structlog.processors.JSONRenderer()
    if sys.stderr.isatty():
        renderer = structlog.dev.ConsoleRenderer()
    structlog.configure(
        processors=[
            Seldom(),
            whereabouts,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            failures,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", Unbroken(sys.stderr))),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, handlers=[Libraries()], force=True)
    logging.captureWarnings(True)
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    threading.excepthook = _thread_failed
    sys.unraisablehook = _nobody_to_tell


def _thread_failed(failure: threading.ExceptHookArgs) -> None:
    name = failure.thread.name if failure.thread else None
    log.error("thread.failed", thread=name, exc_info=failure.exc_value)


def _nobody_to_tell(failure: Any) -> None:
    log.error("unraisable", exc_info=failure.exc_value)
