"""The end of a process, as those hear of it who would go on for long: they come to an end too."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

from starlette.types import Scope

LEAVING = "leaving"
"""Where a request's state holds the process's `Leaving`."""

Wake = Callable[[], None]


class Leaving:
    """Whether this process is about to end."""

    def __init__(self) -> None:
        self.begun = False
        self._told: set[Wake] = set()

    def begin(self) -> None:
        """Tell everybody."""
        if not self.begun:
            self.begun = True
            for wake in tuple(self._told):
                wake()

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

    def timeout(self, last: float, otherwise: float | None = None) -> Within:
        """As `asyncio.timeout(otherwise)`; and no more than `last` seconds once the process is
        about to end."""
        return Within(self._told, self, last, asyncio.timeout(otherwise))


class Within:
    """What has to be done in time, and sooner once the process is about to end. (This is on every
    request's way: as a generator it would take twice as long.)"""

    __slots__ = ("_last", "_leaving", "_limit", "_told")

    def __init__(
        self, told: set[Wake], leaving: Leaving, last: float, limit: asyncio.Timeout
    ) -> None:
        self._told = told
        self._leaving = leaving
        self._last = last
        self._limit = limit

    async def __aenter__(self) -> None:
        await self._limit.__aenter__()
        self._told.add(self._shorten)
        if self._leaving.begun:
            self._shorten()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._told.discard(self._shorten)
        await self._limit.__aexit__(kind, error, trace)

    def _shorten(self) -> None:
        ends = asyncio.get_running_loop().time() + self._last
        if not self._limit.expired():
            self._limit.reschedule(min(ends, self._limit.when() or ends))


def leaving(scope: Scope) -> Leaving:
    """That of the process which answers this request; where none is told, it never ends."""
    found = scope.get("state", {}).get(LEAVING)
    return found if isinstance(found, Leaving) else Leaving()
