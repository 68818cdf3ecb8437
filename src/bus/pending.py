"""A decision on its way into the log, and what may become of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime

from bus.commits import Commit, Meta, Recorded, Write
from bus.messages import Busy


class Conflict(Exception):
    """Somebody else wrote a stream first, or what this decision was made upon has failed.

    `taken` are those of its writes that others were faster with, as far as that is known.
    """

    def __init__(self, reason: str, taken: Collection[tuple[str, int]] = ()) -> None:
        super().__init__(reason)
        self.taken = taken


class Repeated(Exception):
    """The command has been decided before: this is where."""

    def __init__(self, position: int) -> None:
        super().__init__(f"decided at position {position}")
        self.position = position


Outcome = Commit | Exception
"""The commit; else `Conflict`, `Repeated`, `Busy`, or why it cannot be stored."""


@dataclass(eq=False, slots=True)
class Pending:
    """A decision on its way into the log."""

    command: str
    writes: tuple[Write, ...]
    events: tuple[Recorded, ...]
    at: datetime
    meta: Meta
    after: tuple[Pending, ...]
    body: bytes = b""
    """What is stored, once it has been encoded."""
    verdict: Outcome | None = None
    """What the writer found; set by its thread, told on the event loop by `settle`."""
    in_doubt: bool = False
    """Whether it was sent and nobody knows what became of it: it may be in the log."""
    told: bool = False
    then: Callable[[], None] = lambda: None
    """Called first when the verdict is told."""
    waiting: list[asyncio.Future[Commit]] = field(default_factory=list)
    since: float = field(default_factory=time.perf_counter)
    """When it was made, by this process' clock."""

    @property
    def outcome(self) -> asyncio.Future[Commit]:
        """A future of its own for whoever waits: the commit, or why there is none.

        Who stops waiting stops nobody else, and not the append.
        """
        future: asyncio.Future[Commit] = asyncio.get_running_loop().create_future()
        if self.told:
            self._tell(future)
        else:
            self.waiting.append(future)
        return future

    @property
    def became(self) -> str:
        """What the writer found, in a word."""
        match self.verdict:
            case Commit():
                return "committed"
            case Conflict():
                return "conflict"
            case Repeated():
                return "repeated"
            case Busy():
                return "failed"
            case _:
                return "refused"

    @property
    def failed(self) -> bool:
        """Whether the writer has found that this decision, as it was made, is not in the log."""
        return isinstance(self.verdict, Exception)

    def commit(self, position: int) -> Commit:
        """This decision at its place in the log."""
        return Commit(position, self.command, self.writes, self.events, self.at, self.meta)

    def settle(self) -> None:
        """Let those who wait for the outcome know; on the event loop."""
        self.after = ()  # or a busy stream would keep its whole past in memory
        self.told = True
        self.then()
        for future in self.waiting:
            if not future.done():
                self._tell(future)

    def _tell(self, future: asyncio.Future[Commit]) -> None:
        if isinstance(self.verdict, Commit):
            future.set_result(self.verdict)
        elif self.verdict is not None:
            future.set_exception(self.verdict)
