"""How a decision is made: the state of its streams, a pure function, one commit.

Decisions on the same stream queue behind one another on speculative state, the state as it will be
once the queue is written, and go out in the same group. When a commit fails, those made upon it
fail with it and are decided again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Generic, NamedTuple, TypeVar

from bus.batch import Batch
from bus.commits import Commit, Recorded, Write
from bus.envelope import Envelope, check_version, same_body
from bus.log import Log
from bus.memory import WARM, Loaded, Memory, Warm, replayed
from bus.memory import Kind as Kind
from bus.memory import States as States
from bus.memory import Stream as Stream
from bus.messages import Busy, Event, Refused
from bus.pending import Conflict, Pending, Repeated

S = TypeVar("S")

ATTEMPTS = 10
"""How often a decision is made again when others were faster."""


class Decided(NamedTuple, Generic[S]):
    """What came of a decision on one stream."""

    state: S | None
    version: int
    commit: Commit | None
    """The commit; `None` when there was nothing to do."""
    repeated: bool = False
    """Whether this command had been decided before; `commit` is that decision."""


Happening = tuple[Stream[Any], Event]


class Streams:
    """The streams of one context's log."""

    def __init__(self, log: Log, *, warm: int = WARM) -> None:
        self.log = log
        self._memory = Memory(log.stream, log.snapshots, warm)
        self._watched: dict[str, set[asyncio.Future[None]]] = {}
        self._outgrown = Batch(self._outgrown_many)

    async def decide(
        self,
        stream: Stream[S],
        decision: Callable[[S | None], Sequence[Event]],
        envelope: Envelope[Any],
        *,
        new: bool = False,
    ) -> Decided[S]:
        """Decide on one stream. `decision` is a pure function of its state; no events: nothing to
        do.

        `new` says that the stream can hardly exist yet, which saves looking: were it there, the
        log's unique index says so and the decision is made again upon it. What came with an
        idempotency key and is repeated finds the state as it was at first. Raises what the decision
        raises, `Stale` when `if_version` is not the stream's version, and `Busy`.
        """

        def happenings(states: States) -> list[Happening]:
            check_version(envelope, states.version(stream))
            return [(stream, event) for event in decision(states[stream])]

        (state, version), commit, repeated = await self._decide(
            (stream,), happenings, envelope, stream if new else None
        )
        if repeated and commit is not None and envelope.fingerprint is not None:
            state, version = await self.as_of(stream, commit.position)
        return Decided(state, version, commit, repeated)

    async def decide_all(
        self,
        streams: Iterable[Stream[Any]],
        decision: Callable[[States], Sequence[Happening]],
        envelope: Envelope[Any],
        *,
        new: Stream[Any] | None = None,
    ) -> Commit | None:
        """Decide on several streams at once: all of it is committed, or none. `None`: nothing to
        do.

        `new` is the one among them that can hardly exist yet, as for `decide`.
        """
        _, commit, _ = await self._decide(tuple(dict.fromkeys(streams)), decision, envelope, new)
        return commit

    async def load(self, stream: Stream[S]) -> Loaded[S]:
        """A stream's state and version as they are committed: never what might be taken back."""
        while True:
            warm = await self._memory.one(stream)
            loaded, basis = Loaded(warm.state, warm.version), warm.basis
            if basis is None or await self._stood((basis,)):
                return loaded

    async def newest(self, stream: Stream[S]) -> Loaded[S]:
        """As `load`, but as MongoDB has it now, of whatever process: memory may not have heard of
        the last moments."""
        while True:
            loaded = await self.load(stream)
            if not await self._outgrown((stream.name, loaded.version)):
                return loaded
            self._memory.outgrown(stream.name, loaded.version)

    async def load_all(self, streams: Sequence[Stream[S]]) -> list[S | None]:
        """The states of many streams as they are committed, or about to be: good to advise, and
        checked again by whatever is decided upon them."""
        warm = await self._memory.all(tuple(streams))
        return [warm[stream.name].state for stream in streams]

    async def as_of(self, stream: Stream[S], position: int) -> Loaded[S]:
        """A stream's state and version as they were at a position of the log."""
        loaded: Loaded[S] = Loaded(None, 0)
        for at, then in await self.past(stream):
            if at > position:
                break
            loaded = then
        return loaded

    async def past(self, stream: Stream[S]) -> Iterator[tuple[int, Loaded[S]]]:
        """All states and versions a stream has been in, oldest first, and where in the log each
        began."""
        return replayed(stream, await self.log.history(stream.name))

    async def earlier(self, envelope: Envelope[Any], *, again: bool = False) -> Commit | None:
        """What this command, if it came with an idempotency key, has already led to.

        `again` says that it may have been decided though it came without a key. Raises `Invalid`
        when the key was used with another body.
        """
        if envelope.fingerprint is None and not again:
            return None
        commit = await self.log.find(envelope.id)
        return None if commit is None else same_body(commit, envelope)

    async def changed(self, stream: Stream[Any], version: int) -> None:
        """Wait until a stream has been written beyond a version, here or by another process."""
        while True:
            warm = await self._memory.one(stream)
            if warm.version > version:
                if warm.basis is None:
                    return
                with suppress(Exception):  # then it was not written after all
                    await warm.basis.outcome
                    return
                continue
            news: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._watched.setdefault(stream.name, set()).add(news)
            try:
                await news
            finally:
                self._unwatch(stream.name, news)

    def saw(self, commits: Sequence[Commit]) -> None:
        """Commits stand in the log, in order, of whatever process: so states stay the latest."""
        for commit in commits:
            self._memory.saw(commit)
            for name, _ in commit.writes:
                for watcher in self._watched.pop(name, ()):
                    if not watcher.done():
                        watcher.set_result(None)

    def forget(self) -> None:
        """Read every stream again before anything more is made of it."""
        self._memory.forget()

    async def _outgrown_many(self, known: Sequence[tuple[str, int]]) -> list[bool]:
        """Whether these streams have been written beyond these versions."""
        outgrown = await self.log.outgrown(set(known))
        return [each in outgrown for each in known]

    async def _decide(
        self,
        streams: tuple[Stream[Any], ...],
        decision: Callable[[States], Sequence[Happening]],
        envelope: Envelope[Any],
        new: Stream[Any] | None,
    ) -> tuple[Loaded[Any], Commit | None, bool]:
        """The first stream as it is then, the commit, and whether it is an earlier one."""
        for attempt in range(ATTEMPTS):
            warm = await self._memory.all(streams, new)
            presumed, new = new is not None and new.name not in self._memory, None
            # From here to the queue nothing is awaited: no other decision can come between.
            first = warm[streams[0].name]
            known = [(name, entry.version) for name, entry in warm.items()]
            basis = tuple({w.basis for w in warm.values() if w.basis is not None})
            try:
                happenings = decision(States(warm))
            except Refused:
                if presumed or not await self._stands(basis, known, attempt):
                    continue
                earlier = await self.earlier(envelope, again=attempt > 0)
                if earlier is None:
                    raise
                return await self.load(streams[0]), earlier, True
            if not happenings:
                loaded = Loaded(first.state, first.version)
                if presumed or not await self._stands(basis, known, attempt):
                    continue
                earlier = await self.earlier(envelope, again=attempt > 0)
                return loaded, earlier, earlier is not None
            pending = self._queue(streams, warm, basis, happenings, envelope)
            loaded = Loaded(first.state, first.version)
            try:
                commit = await pending.outcome
            except Conflict:
                continue
            except Repeated as repeated:
                (found,) = await self.log.read(repeated.position - 1, limit=1)
                return await self.load(streams[0]), same_body(found, envelope), True
            return loaded, commit, False
        raise Busy(
            f"{envelope.message.type_name}: others kept writing the same streams; "
            "try again in a moment"
        )

    def _queue(
        self,
        streams: tuple[Stream[Any], ...],
        warm: dict[str, Warm],
        basis: tuple[Pending, ...],
        happenings: Sequence[Happening],
        envelope: Envelope[Any],
    ) -> Pending:
        written = {stream.name for stream, _ in happenings}
        writes = tuple(
            Write(s.name, warm[s.name].version + 1) for s in streams if s.name in written
        )
        events = tuple(Recorded(event, s.name, warm[s.name].version + 1) for s, event in happenings)
        evolved = {write.stream: warm[write.stream].state for write in writes}
        for stream, event in happenings:
            evolved[stream.name] = stream.kind.evolve(evolved[stream.name], event)
        pending = self.log.append(envelope, writes, events, basis)
        for name, version in writes:
            entry = warm[name]
            entry.state, entry.version, entry.basis = evolved[name], version, pending
            if name not in self._memory:  # it was presumed to be new
                self._memory.keep(name, entry)
        pending.then = partial(self._memory.settled, pending, evolved)
        return pending

    async def _stands(
        self, basis: tuple[Pending, ...], known: Sequence[tuple[str, int]], attempt: int
    ) -> bool:
        """Whether a refusal or a "nothing to do" stands: what it was based on has been committed,
        and was the latest. An event of the log needs no such question: it conflicts if it was not.

        What is decided again is based on what was the latest when this was asked: that will do.
        """
        if not await self._stood(basis):
            return False
        if attempt > 0:
            return True
        outgrown = await asyncio.gather(*map(self._outgrown, known))
        for (name, version), old in zip(known, outgrown, strict=True):
            if old:  # another process has written it: memory may not have heard yet
                self._memory.outgrown(name, version)
        return not any(outgrown)

    async def _stood(self, basis: tuple[Pending, ...]) -> bool:
        """Whether what a refusal or a "nothing to do" was based on has been committed."""
        for pending in basis:
            try:
                await pending.outcome
            except Busy:
                raise
            except Exception:  # whatever it was, it is for whoever decided that
                return False
        return True

    def _unwatch(self, name: str, news: asyncio.Future[None]) -> None:
        watchers = self._watched.get(name, set())
        watchers.discard(news)
        if not watchers:
            self._watched.pop(name, None)
