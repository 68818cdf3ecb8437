"""The bus: send a command, ask a query, handle them, and hear what happened."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from bus.envelope import Envelope, sealed
from bus.gathered import Gather
from bus.messages import SYSTEM, Command, Event, Principal, Query, Request
from bus.policies import Policy, Reaction, Schedule
from bus.transport import Transport

R = TypeVar("R")
Q = TypeVar("Q", bound=Request[Any])

CROWD = 8
"""Requests from outside under way at once that make a crowd."""


class Bus:
    """What a context sees of the others. It knows messages and who handles them, and no context."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.reactions: list[Reaction] = []
        self._outside = 0

    def handle(self, message: type[Q], handler: Callable[[Q, Envelope[Q]], Awaitable[Any]]) -> None:
        """Answer a command or a query with `handler(message, envelope)`; each has exactly one."""
        self._transport.serve(message, handler)

    def subscribe(
        self,
        reader: str,
        handlers: Mapping[type[Any], Callable[[Any, Envelope[Any]], Awaitable[None]]],
    ) -> None:
        """Have a durable reader hand each event of these types to `handler(event, envelope)`.

        At least once, and in order for the events of one stream; different streams side by side.
        The reader's name begins with its context: `payment.gateway`. Effects must bear being
        repeated.
        """
        self._react(Reaction(reader, dict(handlers)))

    def react(self, reader: str, policies: Mapping[type[Any], Policy]) -> None:
        """Have a durable reader send the commands that a policy makes of each event.

        The commands' ids follow from reader, event and index, so sending them twice decides them
        once.
        """
        self._react(Reaction(reader, {}, dict(policies)))

    def schedule(self, reader: str, schedules: Mapping[type[Any], Schedule]) -> None:
        """Have a durable reader set a timer, or call one off, for each event of these types.

        A timer that is called off moments after it was set is never even written down.
        """
        self._react(Reaction(reader, {}, {}, dict(schedules)))

    def gather(self, reader: str, wanted: Iterable[type[Event]], handler: Gather) -> None:
        """Have a durable reader hand all events of these types to `handler(seen)`, those of a log
        that came together in one go.

        At least once, and in order. What the handler raises parks the stream at fault: it is found
        by handing over half of them, then half of that.
        """
        self._react(Reaction(reader, {}, {}, {}, dict.fromkeys(wanted, handler)))

    def _react(self, reaction: Reaction) -> None:
        if any(known.reader == reaction.reader for known in self.reactions):
            raise ValueError(f"{reaction.reader} is the name of two readers: they share a position")
        self.reactions.append(reaction)

    async def send(
        self,
        command: Command[R],
        cause: Envelope[Any] | None = None,
        *,
        principal: Principal = SYSTEM,
    ) -> R:
        """Have a command done and get its answer. Raises `Refused` or `Busy`."""
        return await self._request(command, cause, principal)

    async def ask(
        self, query: Query[R], cause: Envelope[Any] | None = None, *, principal: Principal = SYSTEM
    ) -> R:
        """Have a question answered. Raises `Refused` (`NotFound`) or `Busy`."""
        return await self._request(query, cause, principal)

    async def deliver(self, envelope: Envelope[Any]) -> Any:
        """Bring a request that has its envelope already, such as one from outside, to its
        handler."""
        if envelope.causation is not None:  # it follows from something: nobody outside waits
            return await self._transport.request(envelope)
        self._outside += 1
        try:
            return await self._transport.request(envelope)
        finally:
            self._outside -= 1

    @property
    def crowded(self) -> bool:
        """Whether many outside wait for an answer: they come first, then what nobody waits for."""
        return self._outside > CROWD

    async def _request(
        self, request: Request[R], cause: Envelope[Any] | None, principal: Principal
    ) -> R:
        envelope = (
            sealed(request, principal=principal) if cause is None else cause.leads_to(request)
        )
        answer: R = await self._transport.request(envelope)
        return answer


def context_of(message: type[Request[Any]] | type[Event]) -> str:
    """The context that a message belongs to: what stands before the dot in its name."""
    return message.type_name.partition(".")[0]


def named(kind: type[Request[Any]]) -> Iterator[type[Request[Any]]]:
    """All requests that have a name: those that a program can send."""
    for request in kind.__subclasses__():
        if "type_name" in request.__dict__:
            yield request
        yield from named(request)
