"""Everything a running shop stands on, put together: contexts with their logs, readers, views and
timers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import structlog
from pymongo import MongoClient
from redis.asyncio import Redis

from bus.cache import Cache
from bus.chunks import Chunked, Chunks
from bus.commits import Commit
from bus.context import Context
from bus.dispatch import Bus, context_of, named
from bus.doorbell import Doorbell
from bus.envelope import Envelope
from bus.faults import told
from bus.gathered import Gathered
from bus.keeping import ViewWork
from bus.keyring import Keyring
from bus.lanes import Lanes
from bus.leases import Leases
from bus.messages import Command, Event, Request, new_id
from bus.metrics import (
    BREAKER_OPEN,
    LAG_EVENTS,
    LAG_SECONDS,
    PARKED,
    PARTITIONS_HELD,
    QUEUE,
    RETRIES,
    STUCK,
    from_zero,
)
from bus.parked import make_indexes
from bus.parking import Parking
from bus.policies import Policy, Reaction
from bus.pulse import Pulse
from bus.readers import Reader, Work
from bus.readiness import Readiness
from bus.retries import Retries
from bus.rota import Duty, Rota
from bus.timers import Timers
from bus.transport import NoHandler, Transport

D = TypeVar("D")
H = TypeVar("H")

Release = Callable[[], Awaitable[None]]

STOPPED_WITHIN = 8.0
"""Seconds that a platform takes to stop, at most."""

ROTA = "/rota"
"""What a context's name is followed by when its work is to be shared out anew, on the doorbell."""

log = structlog.get_logger(__name__)


class Platform:
    """The running ground of a shop. Register contexts, then `start`."""

    def __init__(
        self,
        mongo: MongoClient[dict[str, Any]],
        redis: Redis | None,
        prefix: str,
        transport: Transport,
        retries: Retries = Retries(),  # noqa: B008
    ) -> None:
        self._mongo = mongo
        self._prefix = prefix
        self._process = new_id()
        self._retries = retries
        self._releases: list[Release] = []
        self._parked: list[Parking] = []
        self._kept: list[ViewWork[Any]] = []
        self.transport = transport
        self.bus = Bus(transport)
        self.cache = Cache(redis, prefix)
        self.keyring = Keyring(mongo[f"{prefix}_personal"])
        self.contexts: dict[str, Context] = {}
        self.readiness = Readiness(mongo, self.contexts)
        self._pulse = Pulse(self._look)
        self._doorbell = Doorbell(redis, prefix, self._process, self._rung)

    def context(
        self, name: str, events: Iterable[type[Event]], timed: Iterable[type[Command[Any]]] = ()
    ) -> Context:
        """Make a context's ground. `events` are all that its log holds, `timed` the commands its
        timers send."""
        database = self._mongo[f"{self._prefix}_{name}"]
        commands: Mapping[str, type[Command[Any]]] = {
            command.type_name: command for command in timed
        }
        ring = partial(self._doorbell.ring, f"{name}{ROTA}")
        rota = Rota(Leases(database, self._process), self._process, ring)
        timers = Timers(name, database, self.transport, commands, rota.valid)
        context = Context(name, database, self.cache, events, self.keyring, rota, timers)
        self.contexts[name] = context
        return context

    def at_stop(self, release: Release) -> None:
        """Have something let go of last of all: connections to the world outside, say."""
        self._releases.append(release)

    async def start(self, *, work: bool, passing: bool = False) -> None:
        """Open the logs; with `work`, run readers and timers too: a `passing` process does so only
        while no other is there to."""
        await asyncio.to_thread(self.keyring.make_indexes)
        for context in self.contexts.values():
            await asyncio.to_thread(self._prepare, context)
            context.log.open(partial(self._committed, context.name), context.feed.push)
            await context.feed.start()
            context.feed.listen(context.streams.saw)
            context.feed.listen(self._heed)
            self.transport.consume(context.name, context.log.codec, context.feed.push)
        self._doorbell.start()
        if work:
            self._start_work(passing)
        self._pulse.start()

    async def stop(self) -> None:
        """Stop in the order in which nothing is lost: readers, then what they write to. Whatever
        does not answer is left when `STOPPED_WITHIN` is over, as a crash would leave it."""
        contexts = self.contexts.values()
        steps: dict[str, list[Release]] = {
            "pulse": [self._pulse.stop],
            "work": [context.rota.stop for context in contexts],
            "doorbell": [self._doorbell.stop],
            "feeds": [context.feed.stop for context in contexts],
            "logs": [context.log.close for context in contexts],
            "connections": self._releases,
        }
        clock = asyncio.get_running_loop().time
        deadline = clock() + STOPPED_WITHIN
        for step, releases in steps.items():
            stopping = [asyncio.create_task(let_go(step, release)) for release in releases]
            if stopping:  # they are not cancelled: some would see their threads' work through first
                _, late = await asyncio.wait(stopping, timeout=max(deadline - clock(), 0))
                if late:
                    log.warning("stop.out_of_time", step=step)

    def ask(self, context: str) -> None:
        """Have a context's readers look what is asked of them, here and elsewhere."""
        self.contexts[context].rota.ring()
        self._doorbell.ring(f"{context}{ROTA}")

    @property
    def readers(self) -> list[Reader]:
        """All readers of this process."""
        return [reader for context in self.contexts.values() for reader in context.readers]

    async def faults(self) -> list[str]:
        """What keeps this process from doing all its work; empty when it is ready."""
        return await self.readiness.faults()

    def check_handlers(self) -> None:
        """Raise `NoHandler` when a context that is here leaves one of its requests unanswered."""
        silent = [
            request.type_name
            for request in named(Request)
            if context_of(request) in self.contexts and not self.transport.serves(request)
        ]
        if silent:
            raise NoHandler(f"nobody handles {', '.join(silent)}: see the context's module.py")

    def _prepare(self, context: Context) -> None:
        context.timers.make_indexes()
        make_indexes(context.database)
        for documents in context.views:
            documents.make_indexes()

    def _committed(self, name: str, commits: Sequence[Commit]) -> None:
        self.transport.publish(name, commits)
        self._doorbell.ring(name)

    def _heed(self, commits: Sequence[Commit]) -> None:
        """Somebody's key may be gone: then nothing that was read with it must be written again."""
        if any(happened.kind.forgets for commit in commits for happened in commit.events):
            self.keyring.forget()
            for context in self.contexts.values():
                context.feed.forget()
                context.streams.forget()
            for work in self._kept:
                work.forget()

    def _rung(self, word: str) -> None:
        context = self.contexts.get(word.removesuffix(ROTA))
        if context is not None:
            (context.rota if word.endswith(ROTA) else context.feed).ring()

    def _look(self) -> None:
        """Say how the work stands, for `Pulse`."""
        for context in self.contexts.values():
            QUEUE.labels(context.name).set(context.log.waiting)
        for reader in self.readers:
            LAG_EVENTS.labels(reader.name).set(reader.events_waiting)
            LAG_SECONDS.labels(reader.name).set(reader.late)
            PARTITIONS_HELD.labels(reader.name).set(len(reader.held))
            STUCK.labels(reader.name).set(bool(reader.fault) or reader.stopped)
        for parking in self._parked:
            PARKED.labels(parking.reader).set(parking.streams)
        BREAKER_OPEN.labels("redis").set(self.cache.away)

    def _start_work(self, passing: bool) -> None:
        for context in self.contexts.values():
            for documents in context.views:
                name = f"{context.name}.{documents.key}"
                self._kept.append(ViewWork(documents, self.cache))
                self._add_chunks(name, context, context, self._kept[-1])
                self.readiness.expect(context, documents)
        for reaction in self.bus.reactions:
            self._add_readers(reaction)
        for context in self.contexts.values():
            timed = [context.timers] if context.timers.commands else []
            duties: list[Duty] = [*context.readers, *timed, *context.duties]
            context.rota.start(duties, passing=passing)

    def _add_readers(self, reaction: Reaction) -> None:
        """One reader for each log that the reaction listens to; it lives in the reaction's own
        context."""
        home = self.contexts[reaction.reader.partition(".")[0]]
        handlers = dict(reaction.handlers)
        for event, policy in reaction.policies.items():
            handlers[event] = self._obey(policy, reaction.reader)
        for log, wanted in by_log(handlers).items():
            name = f"{reaction.reader}<{log}"
            lanes = Lanes(
                name,
                wanted,
                self._parking(name, home, self.contexts[log]),
                home.rota.valid,
                self._retries,
                lambda: self.bus.crowded,
            )
            self._add_reader(name, home, self.contexts[log], lanes)
        gatherings = dict(reaction.gatherings)
        if reaction.schedules:
            obey = home.timers.obeying(reaction.schedules)
            gatherings |= dict.fromkeys(reaction.schedules, obey)
        for log, gathered in by_log(gatherings).items():
            (handle,) = set(gathered.values())
            work = Gathered(gathered.keys(), handle)
            self._add_chunks(f"{reaction.reader}<{log}", home, self.contexts[log], work)

    def _parking(self, reader: str, home: Context, source: Context) -> Parking:
        leases = Leases(home.database, self._process)
        parking = Parking(home.database, reader, leases, source.log)
        self._parked.append(parking)
        return parking

    def _add_chunks(self, name: str, home: Context, source: Context, work: Chunked) -> None:
        chunks = Chunks(work, self._parking(name, home, source), home.rota.valid)
        self._add_reader(name, home, source, chunks)

    def _add_reader(self, name: str, home: Context, source: Context, work: Work) -> None:
        from_zero(RETRIES, name, last=("outage", "failure"))
        home.readers.append(Reader(name, source.feed, work, lambda: self.bus.crowded))

    def _obey(self, policy: Policy, reader: str) -> Callable[[Any, Envelope[Any]], Any]:
        async def handle(event: Event, envelope: Envelope[Any]) -> None:
            commands = list(policy(event))
            under_way = [
                self.transport.request(envelope.leads_to(command, reader, index))
                for index, command in enumerate(commands)
            ]
            if len(under_way) == 1:
                await under_way[0]
            else:
                await asyncio.gather(*under_way)

        return handle


async def let_go(step: str, release: Release) -> None:
    """Stop something; who cannot stops nobody else from doing so."""
    try:
        await release()
    except Exception as error:
        log.warning("stop.failed", step=step, error=told(error))


def by_log(handlers: Mapping[type[Any], H]) -> dict[str, dict[type[Any], H]]:
    """What handles which events, parted by the log that holds them."""
    parted: dict[str, dict[type[Any], H]] = {}
    for event, handler in handlers.items():
        parted.setdefault(context_of(event), {})[event] = handler
    return parted
