"""What is being worked on at the moment: the process' log says so in every line, and calls to the
world outside carry it on."""

from __future__ import annotations

from collections.abc import Iterator
from contextvars import ContextVar, Token
from typing import Any, NamedTuple, Protocol


class AtWork(Protocol):
    """A message at work: an envelope, or what stands in for one that cannot be read."""

    @property
    def message(self) -> Any:
        """What is said, as far as it can be read."""

    @property
    def correlation(self) -> str:
        """The request that all this follows from."""

    @property
    def causation(self) -> str | None:
        """What led here."""

    @property
    def traceparent(self) -> str | None:
        """Its place in a trace."""


class Here(NamedTuple):
    """A message at work that has no envelope."""

    message: Any
    correlation: str
    causation: str | None
    traceparent: str | None


# Each with what it is done for, if that is under way here too.
Nest = tuple[AtWork, Any]

_HERE: ContextVar[Nest | None] = ContextVar("here", default=None)


def enter(what: AtWork) -> Token[Nest | None]:
    """Begin to work on something; `leave` it with the token. (This is on every message's way: a
    context manager would cost ten times as much.)"""
    return _HERE.set((what, _HERE.get()))


def leave(token: Token[Nest | None]) -> None:
    """Be done with it."""
    _HERE.reset(token)


def here() -> Iterator[AtWork]:
    """What is being worked on, then what that is done for, and so on."""
    nest = _HERE.get()
    while nest is not None:
        what, nest = nest
        yield what
