"""The states of streams in memory: as they are committed, or will be when what is queued is
written."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar, cast

from bus.commits import Commit
from bus.messages import Event
from bus.pending import Conflict, Pending
from bus.snapshots import EVERY, Shape, Snapshots

S = TypeVar("S")

WARM = 50_000
"""Streams whose state is kept, per context."""

Read = Callable[[str, int], Awaitable[list[tuple[Event, int]]]]
"""The events of a stream behind a version, with theirs."""


@dataclass(frozen=True, slots=True)
class Kind(Generic[S]):
    """A kind of stream: what its names begin with, and how an event changes its state (`None`: no
    stream yet). Streams that grow long have a shape, in which snapshots of them are kept."""

    prefix: str
    evolve: Callable[[S | None, Any], S]
    shape: Shape[S] | None = None

    def __call__(self, id: str) -> Stream[S]:
        return Stream(f"{self.prefix}-{id}", self)


class Stream(NamedTuple, Generic[S]):
    """One stream: the history of one order, one product, one payment."""

    name: str
    kind: Kind[S]


class Loaded(NamedTuple, Generic[S]):
    """A stream's state (`None`: nothing has happened on it) and version."""

    state: S | None
    version: int


class Warm:
    """A stream's state in memory, as it will be when all that is queued is written."""

    __slots__ = ("basis", "kept", "kind", "least", "stands", "state", "version")

    def __init__(self, stands: Loaded[Any], kind: Kind[Any], kept: int = 0) -> None:
        self.state, self.version = stands
        self.basis: Pending | None = None  # the last queued decision that wrote it
        self.stands = stands  # as it is in the log, as far as this process has heard
        self.least = 0  # the version that it has there at least
        self.kind = kind
        self.kept = kept  # the version of the last snapshot

    @property
    def outdated(self) -> bool:
        """Whether the log has more than was heard."""
        return self.basis is None and self.stands.version < self.least

    def hear(self, name: str, version: int, commit: Commit) -> None:
        """The stream has this version in the log, by this commit, of whatever process."""
        state, known = self.stands
        self.least = max(self.least, version)
        if version != known + 1:
            return
        try:
            for happened in commit.events:
                if happened.stream == name:
                    state = self.kind.evolve(state, happened.event)
        except Exception:
            return  # whoever asks will read it, and be told
        self.stands = Loaded(state, version)
        if self.basis is None:
            self.state, self.version = self.stands

    def settle(self, pending: Pending, name: str, version: int, state: Any) -> None:
        """A queued decision that led to this state is in the log, or failed: then what was made
        of it is forgotten."""
        verdict = pending.verdict
        if not pending.failed:
            if version > self.stands.version:
                self.stands = Loaded(state, version)
            if self.basis is not pending:
                return
        elif self.basis is None or self.version < version:
            return
        elif not isinstance(verdict, Conflict) or (name, version) in verdict.taken:
            self.least = max(self.least, version)
        self.state, self.version = self.stands
        self.basis = None


class States:
    """The states a decision over several streams is made on."""

    def __init__(self, warm: dict[str, Warm]) -> None:
        self._warm = warm

    def __getitem__(self, stream: Stream[S]) -> S | None:
        return cast("S | None", self._warm[stream.name].state)

    def version(self, stream: Stream[Any]) -> int:
        """How many decisions have been written to a stream; 0 before the first."""
        return self._warm[stream.name].version


class Memory:
    """What is known of streams: read from the log when first asked for, evolved ever after by what
    this process decides and what it hears of others.

    Bounded; but what is queued stays, for state read from the log would not know of it yet.
    """

    def __init__(self, read: Read, snapshots: Snapshots, limit: int) -> None:
        self._read = read
        self._snapshots = snapshots
        self._limit = limit
        self._kept: OrderedDict[str, Warm] = OrderedDict()
        self._loading: dict[str, asyncio.Task[Warm]] = {}
        self._seen: dict[str, int] = {}  # versions that came while their stream was read

    def __contains__(self, name: str) -> bool:
        return self._touched(name) is not None

    async def one(self, stream: Stream[Any]) -> Warm:
        """A stream's state, read from the log once however many ask."""
        warm = self._touched(stream.name)
        if warm is not None:
            return warm
        loading = self._loading.get(stream.name)
        if loading is None:
            loading = self._loading[stream.name] = asyncio.create_task(self._load(stream))
            loading.add_done_callback(lambda _: self._loading.pop(stream.name, None))
        return await asyncio.shield(loading)

    async def all(
        self, streams: tuple[Stream[Any], ...], new: Stream[Any] | None = None
    ) -> dict[str, Warm]:
        """The states of all these streams at one moment; that of `new` is not looked for."""
        while True:
            found = {stream.name: self._touched(stream.name) for stream in streams}
            missing = [s for s in streams if found[s.name] is None and s != new]
            if not missing:
                return {s.name: found[s.name] or Warm(Loaded(None, 0), s.kind) for s in streams}
            await asyncio.gather(*map(self.one, missing))

    def keep(self, name: str, warm: Warm) -> None:
        """Know a stream's state; the one that nobody has asked for longest may be forgotten."""
        self._kept[name] = warm
        for _ in range(len(self._kept) - self._limit):
            oldest, entry = next(iter(self._kept.items()))
            if entry.basis is not None:
                self._kept.move_to_end(oldest)
            else:
                del self._kept[oldest]

    def forget(self) -> None:
        """Know nothing but what is queued."""
        for name in [name for name, warm in self._kept.items() if warm.basis is None]:
            del self._kept[name]

    def saw(self, commit: Commit) -> None:
        """A commit stands in the log; each stream's come in order, some of them more than once."""
        for name, version in commit.writes:
            if (warm := self._kept.get(name)) is not None:
                warm.hear(name, version, commit)
                self._snapshot(name, warm)
            if name in self._seen:
                self._seen[name] = max(version, self._seen[name])

    def outgrown(self, name: str, version: int) -> None:
        """A stream has been written beyond this version: look, if that was not heard of."""
        warm = self._kept.get(name)
        if warm is not None:
            warm.least = max(warm.least, version + 1)

    def settled(self, pending: Pending, states: Mapping[str, Any]) -> None:
        """A queued decision, which led to these states, is written or has failed."""
        for name, version in pending.writes:
            if (warm := self._kept.get(name)) is not None:
                warm.settle(pending, name, version, states[name])
                self._snapshot(name, warm)

    def _touched(self, name: str) -> Warm | None:
        warm = self._kept.get(name)
        if warm is None or warm.outdated:
            return None
        self._kept.move_to_end(name)
        return warm

    async def _load(self, stream: Stream[Any]) -> Warm:
        """Read a stream from where its state is known, which may be from the beginning."""
        known = self._kept.get(stream.name)
        state, version = known.stands if known is not None else (None, 0)
        kept = known.kept if known is not None else 0
        self._seen[stream.name] = 0
        try:
            if known is None and stream.kind.shape is not None:
                state, version = await self._snapshots.find(stream.name, stream.kind.shape)
                kept = version
            while True:
                for event, at in await self._read(stream.name, version):
                    state, version = stream.kind.evolve(state, event), at
                if version >= self._seen[stream.name]:
                    break  # else more was written while it was read
        finally:
            del self._seen[stream.name]
        warm = self._touched(stream.name)
        if warm is None or warm.version < version:  # else it was heard of meanwhile
            warm = Warm(Loaded(state, version), stream.kind, kept)
            self.keep(stream.name, warm)
            self._snapshot(stream.name, warm)
        return warm

    def _snapshot(self, name: str, warm: Warm) -> None:
        """Keep how a stream stands in the log, when it has gone far enough since the last time."""
        shape, (state, version) = warm.kind.shape, warm.stands
        if shape is not None and version - warm.kept >= EVERY:
            warm.kept = version
            self._snapshots.keep(name, shape, state, version)


def replayed(stream: Stream[S], history: Iterable[Commit]) -> Iterator[tuple[int, Loaded[S]]]:
    """The states and versions of a stream after each commit of its history, and the positions."""
    state, version = None, 0
    for commit in history:
        for happened in commit.events:
            if happened.stream == stream.name:
                state = stream.kind.evolve(state, happened.event)
                version = happened.version
        yield commit.position, Loaded(state, version)
