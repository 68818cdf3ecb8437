"""Whether this process does all its work, and if not, what keeps it from it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

import pymongo
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from bus.context import Context
from bus.readers import FAR
from bus.views import Documents

ANSWERS_WITHIN = 2.0
"""Seconds after which MongoDB counts as away."""


class Readiness:
    """What a load balancer asks, and an operator reads."""

    def __init__(self, mongo: MongoClient[dict[str, Any]], contexts: Mapping[str, Context]) -> None:
        self.draining = False
        """Whether this process is about to end: it finishes what it has, and wants no more."""
        self._mongo = mongo
        self._contexts = contexts
        self._young: list[tuple[Context, Documents[Any]]] = []  # not seen to have caught up yet
        self._asking: asyncio.Task[list[str]] | None = None

    def expect(self, context: Context, documents: Documents[Any]) -> None:
        """Do not count as ready before this view shows nearly all that has happened."""
        self._young.append((context, documents))

    async def faults(self) -> list[str]:
        """What keeps this process from doing all its work; empty when it is ready. Answers within
        `ANSWERS_WITHIN`, and asks MongoDB once however many ask here."""
        if self.draining:
            return ["this process is shutting down"]
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        return [*self._work(), *await asyncio.shield(self._asking)]

    def _work(self) -> Iterator[str]:
        """What does not get on, as far as this process knows without asking anybody."""
        for context in self._contexts.values():
            for reader in context.readers:
                if reader.fault or reader.stopped:
                    how = f"is stuck: {reader.fault}" if reader.fault else "has stopped"
                    yield f"reader {reader.name} {how}"
        for context in self._contexts.values():
            if fault := context.rota.fault:
                yield f"the work of {context.name} cannot be shared out: {fault}"
            elif context.rota.stopped:
                yield f"the work of {context.name} has stopped"
        for context in self._contexts.values():
            if fault := context.feed.fault:
                yield f"the {context.name} log cannot be read: {fault}"

    async def _ask(self) -> list[str]:
        try:
            with pymongo.timeout(ANSWERS_WITHIN):
                async with asyncio.timeout(ANSWERS_WITHIN):
                    await asyncio.to_thread(lambda: self._mongo.admin.command("ping"))
                    return await self._unfinished()
        except (PyMongoError, TimeoutError):
            return ["MongoDB does not answer"]

    async def _unfinished(self) -> list[str]:
        """The views that show too little to be read: a new version begins with nothing."""
        behind = [
            (context, documents, context.feed.head - await context.shown(documents))
            for context, documents in self._young
        ]
        far = [(context, documents, lag) for context, documents, lag in behind if lag > FAR]
        self._young = [(context, documents) for context, documents, _ in far]
        return [
            f"the view {documents.view.name} is {lag:,} commits behind the {context.name} log:"
            f" wait, or build it faster with `shop views rebuild {documents.view.name}`"
            for context, documents, lag in far
        ]
