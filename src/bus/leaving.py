"""The end of a process, as those hear of it who would go on for long: they come to an end too."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

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

    @asynccontextmanager
    async def timeout(self, last: float, otherwise: float | None = None) -> AsyncIterator[None]:
        """As `asyncio.timeout(otherwise)`; and no more than `last` seconds once the process is
        about to end."""
        async with asyncio.timeout(otherwise) as limit:

            def shorten() -> None:
                ends = asyncio.get_running_loop().time() + last
                if not limit.expired():
                    limit.reschedule(min(ends, limit.when() or ends))

            with self.told(shorten):
                yield


def leaving(scope: Scope) -> Leaving:
    """That of the process which answers this request; where none is told, it never ends."""
    found = scope.get("state", {}).get(LEAVING)
    return found if isinstance(found, Leaving) else Leaving()
