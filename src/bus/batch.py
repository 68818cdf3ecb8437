"""Many who ask for the same kind of thing at once are served by one call."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Batch(Generic[T, R]):
    """Gathers items while a call is under way and hands them over together.

    `run` takes a list of items and gives as many answers, in order; if it raises, all of them
    raise. Nobody waits for a batch to fill: what is there goes.
    """

    def __init__(self, run: Callable[[list[T]], Awaitable[Sequence[R]]], limit: int = 500) -> None:
        self._run = run
        self._limit = limit
        self._waiting: list[tuple[T, asyncio.Future[R]]] = []
        self._task: asyncio.Task[None] | None = None

    async def __call__(self, item: T) -> R:
        """Have one item served, together with whatever else is asked for now."""
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, answer))
        if self._task is None:
            self._task = asyncio.create_task(self._work())
        return await answer

    async def _work(self) -> None:
        try:
            while self._waiting:
                now, self._waiting = self._waiting[: self._limit], self._waiting[self._limit :]
                try:
                    answers = await self._run([item for item, _ in now])
                except Exception as error:
                    for _, answer in now:
                        if not answer.done():
                            answer.set_exception(error)
                    continue
                for (_, answer), value in zip(now, answers, strict=True):
                    if not answer.done():  # who asked may have stopped waiting
                        answer.set_result(value)
        finally:
            self._task = None
