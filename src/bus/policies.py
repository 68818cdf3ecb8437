"""A policy says what is to be done when something has happened: event in, commands out, nothing
else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from bus.envelope import Envelope
from bus.gathered import Gather
from bus.messages import Command


class Later(NamedTuple):
    """Do this when the time has come; `key` names the timer, so that it can be called off."""

    key: str
    due: datetime
    command: Command[Any]


class CallOff(NamedTuple):
    """Forget the timer under this key; there may be none."""

    key: str


Policy = Callable[[Any], Iterable[Command[Any]]]

Schedule = Callable[[Any], Later | CallOff]


@dataclass(frozen=True)
class Reaction:
    """A durable reader: its name, and what it does with each type of event."""

    reader: str
    handlers: dict[type[Any], Callable[[Any, Envelope[Any]], Awaitable[None]]]
    policies: dict[type[Any], Policy] = field(default_factory=dict)
    schedules: dict[type[Any], Schedule] = field(default_factory=dict)
    gatherings: dict[type[Any], Gather] = field(default_factory=dict)
