"""A shop on an event loop of its own, which can be stopped dead in its tracks, as by a power cut,
and woken up again, as after a long pause."""

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from bus.tasks import ended
from shop.container import Shop
from shop.settings import Settings
from tests.ordering.whole import Whole, put_together

R = TypeVar("R")

AWAY = "redis://127.0.0.1:1/0"
"""Where no Redis is."""


class Freezing:
    """Like a process: nothing on its loop goes on once it is frozen."""

    def __init__(self, settings: Settings) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._begun: list[Future[Any]] = []
        self._shop: Shop
        self.whole: Whole
        self._thread.start()
        self.run(self._open(settings))

    async def _open(self, settings: Settings) -> None:
        # Without Redis, whose client leaves connections behind when its loop stops under it.
        self._shop, self.whole = put_together(settings.model_copy(update={"redis_url": AWAY}))
        await self.whole.platform.start(work=True)

    def run(self, work: Coroutine[Any, Any, R]) -> R:
        """Do this there and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def begin(self, work: Coroutine[Any, Any, Any]) -> None:
        """Do this there, as far as it comes."""
        self._begun.append(asyncio.run_coroutine_threadsafe(work, self._loop))

    def freeze(self) -> None:
        """Stop between two steps, whatever is under way: nobody is told, no lease is given back."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def wake_up(self) -> None:
        """Go on as if nothing had happened."""
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def close(self) -> None:
        """Finish what was begun, and end in good order."""
        for begun in self._begun:
            begun.result(60)
        self.run(self._close())
        self.freeze()
        self._loop.close()

    async def _close(self) -> None:
        await self.whole.platform.stop()
        await self._shop.redis().aclose()
        self._shop.mongo().close()
        await ended(asyncio.all_tasks() - {asyncio.current_task()})
