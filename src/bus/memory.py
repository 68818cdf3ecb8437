"""The states of streams in memory: as they are committed, or will be when what is queued is
written."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar, cast

from bus.messages import Event
from bus.writer import Pending

S = TypeVar("S")

WARM = 50_000
"""Streams whose state is kept, per context."""

Read = Callable[[str], Awaitable[list[tuple[Event, int]]]]


@dataclass(frozen=True, slots=True)
class Kind(Generic[S]):
    """A kind of stream: what its names begin with, and how an event changes its state (`None`: no
    stream yet)."""

    prefix: str
    evolve: Callable[[S | None, Any], S]

    def __call__(self, id: str) -> Stream[S]:
        return Stream(f"{self.prefix}-{id}", self)


class Stream(NamedTuple, Generic[S]):
    """One stream: the history of one order, one product, one payment."""

    name: str
    kind: Kind[S]


@dataclass(slots=True)
class Warm:
    """A stream's state in memory, as it will be when all that is queued is written."""

    state: Any
    version: int
    basis: Pending | None = None  # the last queued decision that wrote it


class States:
    """The states a decision over several streams is made on."""

    def __init__(self, warm: dict[str, Warm]) -> None:
        self._warm = warm

    def __getitem__(self, stream: Stream[S]) -> S | None:
        return cast("S | None", self._warm[stream.name].state)

    def version(self, stream: Stream[Any]) -> int:
        """How many decisions have been written to a stream; 0 before the first."""
        return self._warm[stream.name].version


class Loaded(NamedTuple, Generic[S]):
    """A stream's state (`None`: nothing has happened on it) and version."""

    state: S | None
    version: int


class Memory:
    """What is known of streams: read from the log when first asked for, evolved ever after.

    Bounded; but what is queued stays, for state read from the log would not know of it yet.
    """

    def __init__(self, read: Read, limit: int) -> None:
        self._read = read
        self._limit = limit
        self._kept: OrderedDict[str, Warm] = OrderedDict()
        self._loading: dict[str, asyncio.Task[Warm]] = {}
        self._seen: dict[str, int] = {}  # versions that came while their stream was read

    def __contains__(self, name: str) -> bool:
        return name in self._kept

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
        kept = self._kept
        while True:
            missing = [stream for stream in streams if stream.name not in kept and stream != new]
            if not missing:
                return {
                    stream.name: self._touched(stream.name) or Warm(None, 0) for stream in streams
                }
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

    def saw(self, name: str, version: int) -> None:
        """A stream has this version in the log: what is older is forgotten."""
        warm = self._kept.get(name)
        if warm is not None and warm.version < version:
            del self._kept[name]
        if name in self._seen:
            self._seen[name] = max(version, self._seen[name])

    def settled(self, pending: Pending) -> None:
        """A queued decision is written; or it has failed, and what was made of it is forgotten."""
        for name, version in pending.writes:
            warm = self._kept.get(name)
            if warm is None or warm.basis is None:
                continue
            if pending.failed and warm.version >= version:
                del self._kept[name]
            elif warm.basis is pending:
                warm.basis = None

    def _touched(self, name: str) -> Warm | None:
        warm = self._kept.get(name)
        if warm is not None:
            self._kept.move_to_end(name)
        return warm

    async def _load(self, stream: Stream[Any]) -> Warm:
        self._seen[stream.name] = 0
        try:
            while True:
                state, version = None, 0
                for event, version in await self._read(stream.name):  # noqa: B007
                    state = stream.kind.evolve(state, event)
                if version >= self._seen[stream.name]:
                    break  # else more was written while it was read
        finally:
            del self._seen[stream.name]
        warm = Warm(state, version)
        self.keep(stream.name, warm)
        return warm
