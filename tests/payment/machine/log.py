"""Streams in memory with the face of `bus.streams`, and a bus beside them, for one process that
does one thing at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterable, Sequence
from datetime import datetime
from typing import Any
from unittest.mock import MagicMock

from bus.commits import Commit, Meta, Recorded, Write
from bus.envelope import Envelope
from bus.memory import Loaded, Stream
from bus.messages import Event
from bus.policies import Policy, Schedule
from bus.streams import Decided


def finished(work: Coroutine[Any, Any, Any]) -> Any:
    """What came of work that waits for nothing."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError(f"{work} waits for something")


class Log:
    """Every commit of every context, in one log; `heard` is told of each."""

    def __init__(self, clock: Callable[[], datetime], heard: Callable[[Commit], None]) -> None:
        self.commits: list[Commit] = []
        self.decided: dict[str, Commit] = {}
        self.states: dict[str, Loaded[Any]] = defaultdict(lambda: Loaded(None, 0))
        self._clock = clock
        self._heard = heard

    def append(self, envelope: Envelope[Any], happenings: Sequence[tuple[Any, Event]]) -> Commit:
        """One decision."""
        versions = {stream.name: self.states[stream.name].version + 1 for stream, _ in happenings}
        for stream, event in happenings:
            before = self.states[stream.name].state
            after = stream.kind.evolve(before, event)
            self.states[stream.name] = Loaded(after, versions[stream.name])
        commit = Commit(
            len(self.commits) + 1,
            envelope.id,
            tuple(Write(name, version) for name, version in versions.items()),
            tuple(Recorded(event, s.name, versions[s.name]) for s, event in happenings),
            self._clock(),
            Meta(envelope.correlation, None, str(envelope.principal), None, envelope.fingerprint),
        )
        self.commits.append(commit)
        self.decided[envelope.id] = commit
        self._heard(commit)
        return commit

    def events(self, stream: str) -> list[Any]:
        """A stream's history."""
        return [
            happened.event
            for commit in self.commits
            for happened in commit.events
            if happened.stream == stream
        ]

    async def history(self, stream: str) -> list[Commit]:
        """The commits that wrote a stream."""
        return [each for each in self.commits if any(w.stream == stream for w in each.writes)]


class States:
    """The states that a decision is made upon."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def __getitem__(self, stream: Stream[Any]) -> Any:
        return self._log.states[stream.name].state


class Streams:
    """As `bus.streams.Streams`: a command that was decided before is decided no more."""

    def __init__(self, log: Log) -> None:
        self.log = log

    async def decide(
        self,
        stream: Stream[Any],
        decision: Callable[[Any], Sequence[Event]],
        envelope: Envelope[Any],
        *,
        new: bool = False,
    ) -> Decided[Any]:
        """On one stream."""
        before = self.log.states[stream.name]
        events = decision(before.state)
        earlier = self.log.decided.get(envelope.id)
        if earlier is not None or not events:
            return Decided(before.state, before.version, earlier, earlier is not None)
        commit = self.log.append(envelope, [(stream, event) for event in events])
        return Decided(*self.log.states[stream.name], commit)

    async def decide_all(
        self,
        streams: Iterable[Stream[Any]],
        decision: Callable[[States], Sequence[tuple[Any, Event]]],
        envelope: Envelope[Any],
        *,
        new: Stream[Any] | None = None,
    ) -> Commit | None:
        """On several at once."""
        happenings = decision(States(self.log))
        earlier = self.log.decided.get(envelope.id)
        if earlier is not None or not happenings:
            return earlier
        return self.log.append(envelope, happenings)

    async def load(self, stream: Stream[Any]) -> Loaded[Any]:
        """A stream's state and version."""
        return self.log.states[stream.name]

    newest = load

    async def earlier(self, envelope: Envelope[Any]) -> Commit | None:
        """What this command has led to."""
        return self.log.decided.get(envelope.id)


class Home:
    """A context's ground, as far as decisions need it."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.streams = Streams(log)
        self.feed = MagicMock(head=0)
        self.cache = self
        self.view = MagicMock()

    async def put(self, *_: Any) -> None:
        """Nobody reads the cache here."""


class Bus:
    """The tables that `module.register` fills, and commands carried out at once."""

    def __init__(self) -> None:
        self.handlers: dict[type[Any], Callable[..., Coroutine[Any, Any, Any]]] = {}
        self.effects: dict[type[Any], tuple[str, Callable[..., Coroutine[Any, Any, None]]]] = {}
        self.policies: dict[type[Any], tuple[str, Policy]] = {}
        self.schedules: dict[type[Any], Schedule] = {}
        self.caught: list[Envelope[Any]] | None = None
        """Where it is kept what is sent, instead of being carried out."""

    def handle(self, kind: type[Any], handler: Callable[..., Coroutine[Any, Any, Any]]) -> None:
        """Who does what."""
        self.handlers[kind] = handler

    def subscribe(self, reader: str, handlers: dict[type[Any], Any]) -> None:
        """Who has to do with the world outside."""
        self.effects.update({kind: (reader, handler) for kind, handler in handlers.items()})

    def react(self, reader: str, policies: dict[type[Any], Policy]) -> None:
        """What follows from what."""
        self.policies.update({kind: (reader, policy) for kind, policy in policies.items()})

    def schedule(self, reader: str, schedules: dict[type[Any], Schedule]) -> None:
        """What follows later."""
        self.schedules.update(schedules)

    async def deliver(self, envelope: Envelope[Any]) -> Any:
        """Have it done."""
        if self.caught is not None:
            self.caught.append(envelope)
            return None
        return await self.handlers[type(envelope.message)](envelope.message, envelope)

    async def send(self, message: Any, envelope: Envelope[Any]) -> Any:
        """Have it done, because of something else."""
        return await self.deliver(envelope.leads_to(message, message.type_name, 0))

    async def ask(self, message: Any, envelope: Envelope[Any]) -> Any:
        """Have it answered."""
        return await self.handlers[type(message)](message, envelope)
