"""The end of a process, as those hear of it who would go on for long: they come to an end too."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, cast

from starlette.types import Scope

LEAVING = "leaving"
"""Where a request's state holds the process's `Leaving`."""

LOOK = 0.1
"""Seconds between two looks at whose time is over: a timer for each request would cost more than
all else that is done for it."""

Wake = Callable[[], None]


class Leaving:
    """Whether this process is about to end."""

    def __init__(self) -> None:
        self.begun = False
        self._told: set[Wake] = set()
        self._under_way: set[Within] = set()
        self._looking = False

    def begin(self) -> None:
        """Tell everybody."""
        if not self.begun:
            self.begun = True
            for wake in tuple(self._told):
                wake()
            at = time.monotonic()
            for within in self._under_way:
                within.ends = min(within.ends, at + within.last)
            self._end_those_out_of_time()

    @contextmanager
    def told(self, wake: Wake) -> Iterator[None]:
        """Within this, call `wake` when the process is about to end: at once if it is already."""
        self._told.add(wake)
        try:
            if self.begun:
                wake()
            yield
        finally:
            self._told.discard(wake)

    def timeout(self, last: float, otherwise: float = math.inf) -> Within:
        """As `asyncio.timeout(otherwise)`, but for a plain `with`, and `LOOK` late at most; and no
        more than `last` seconds once the process is about to end."""
        return Within(self, last, otherwise)

    def enter(self, within: Within) -> None:
        """Look after this one, until it leaves."""
        self._under_way.add(within)
        if not self._looking:
            self._look_later()

    def leave(self, within: Within) -> None:
        """It is done."""
        self._under_way.discard(within)

    def _look_later(self) -> None:
        self._looking = True
        asyncio.get_running_loop().call_later(LOOK, self._look)

    def _look(self) -> None:
        self._looking = False
        self._end_those_out_of_time()
        if self._under_way:
            self._look_later()

    def _end_those_out_of_time(self) -> None:
        at = time.monotonic()
        for within in [each for each in self._under_way if each.ends <= at]:
            self._under_way.discard(within)
            within.end()


class Within:
    """What has to be done in time, and sooner once the process is about to end: raises
    `TimeoutError` where it is not."""

    __slots__ = ("_cancelling", "_leaving", "_out_of_time", "_task", "ends", "last")

    def __init__(self, leaving: Leaving, last: float, otherwise: float) -> None:
        self.last = last
        self.ends = time.monotonic() + (min(last, otherwise) if leaving.begun else otherwise)
        """When its time is over, as `time.monotonic` has it."""
        self._leaving = leaving
        self._out_of_time = False

    def __enter__(self) -> None:
        self._task = task = cast("asyncio.Task[Any]", asyncio.current_task())
        self._cancelling = task.cancelling()
        self._leaving.enter(self)

    def end(self) -> None:
        """Its time is over."""
        self._out_of_time = True
        self._task.cancel()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._leaving.leave(self)
        # Somebody else may have cancelled it too: then that is what happened.
        if self._out_of_time:
            alone = self._task.uncancel() <= self._cancelling
            if alone and kind is asyncio.CancelledError:
                raise TimeoutError from error


def leaving(scope: Scope) -> Leaving:
    """That of the process which answers this request; where none is told, it never ends."""
    found = scope.get("state", {}).get(LEAVING)
    return found if isinstance(found, Leaving) else Leaving()
