"""What carries envelopes between contexts: in-process by handing objects over, loopback through
JSON."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

import structlog
from pydantic_core import to_jsonable_python

from bus.envelope import Envelope
from bus.here import enter, leave
from bus.messages import (
    Busy,
    Invalid,
    Message,
    NotFound,
    Principal,
    Refused,
    Request,
    Stale,
    TooLarge,
)
from bus.tracing import recorded, recorder

if TYPE_CHECKING:
    from bus.commits import Codec, Commit

Handler = Callable[[Any, Envelope[Any]], Awaitable[Any]]
Listener = Callable[[Sequence["Commit"]], None]


class Transport(Protocol):
    """Carries requests and published commits. It may drop, repeat or reorder what is published:
    readers notice from the positions and fetch what is missing. A request is answered or raises."""

    async def request(self, envelope: Envelope[Any]) -> Any:
        """Bring a request to its one handler and its answer back."""

    def serve(self, message: type[Request[Any]], handler: Handler) -> None:
        """Answer this request from here."""

    def serves(self, message: type[Request[Any]]) -> bool:
        """Whether somebody answers this request here."""

    def publish(self, log: str, commits: Sequence[Commit]) -> None:
        """Tell everyone who listens what has just been committed to a log, in order."""

    def consume(self, log: str, codec: Codec, listener: Listener) -> None:
        """Hear what is committed to a log. The listener returns at once."""


class NoHandler(LookupError):
    """Nobody serves this request: its context is not registered."""


class InProcess:
    """Hands the objects over."""

    def __init__(self) -> None:
        self._log = structlog.get_logger(__name__).bind()
        self._handlers: dict[type[Message], Handler] = {}
        self._listeners: dict[str, list[Listener]] = defaultdict(list)

    async def request(self, envelope: Envelope[Any]) -> Any:
        """Call the handler."""
        handler = self._handlers.get(type(envelope.message))
        if handler is None:
            raise NoHandler(
                f"nobody handles {envelope.message.type_name}: register its context's module"
            )
        name = envelope.message.type_name
        self._log.debug("message", type=name)
        if (tracer := recorder()) is not None:
            return await recorded(tracer, name, "internal", handler, envelope)
        token = enter(envelope)
        try:
            return await handler(envelope.message, envelope)
        finally:
            leave(token)

    def serve(self, message: type[Request[Any]], handler: Handler) -> None:
        """Remember the handler; a second one for the same request is a mistake in the wiring."""
        if message in self._handlers:
            raise ValueError(f"{message.type_name} has two handlers; a request has exactly one")
        self._handlers[message] = handler

    def serves(self, message: type[Request[Any]]) -> bool:
        """Whether somebody handles this request."""
        return message in self._handlers

    def publish(self, log: str, commits: Sequence[Commit]) -> None:
        """Call every listener."""
        for listener in self._listeners[log]:
            listener(commits)

    def consume(self, log: str, codec: Codec, listener: Listener) -> None:
        """Remember the listener."""
        self._listeners[log].append(listener)


class Loopback(InProcess):
    """Serialises every envelope, answer, refusal and commit to JSON and back, as a network
    would."""

    def __init__(self) -> None:
        super().__init__()
        self._requests: dict[str, type[Request[Any]]] = {}
        self._readers: dict[str, list[tuple[Codec, Listener]]] = defaultdict(list)

    def serve(self, message: type[Request[Any]], handler: Handler) -> None:
        """Serve under the message's literal name."""
        super().serve(message, handler)
        self._requests[message.type_name] = message

    async def request(self, envelope: Envelope[Any]) -> Any:
        """Send JSON, answer JSON."""
        asked = type(envelope.message)
        status, body = await self._serve(to_json(envelope))
        if status == "answer":
            return asked.answer().validate_json(body)
        raise failure_from(json.loads(body))

    async def _serve(self, wire: bytes) -> tuple[str, bytes]:
        envelope = from_json(wire, self._requests)
        try:
            answer = await super().request(envelope)
        except (Refused, Busy) as failure:
            return "failure", json.dumps(failure_as(failure)).encode()
        return "answer", type(envelope.message).answer().dump_json(answer)

    def publish(self, log: str, commits: Sequence[Commit]) -> None:
        """Every listener gets commits of its own, read back from JSON."""
        for codec, listener in self._readers[log]:
            listener([codec.from_json(codec.to_json(commit)) for commit in commits])

    def consume(self, log: str, codec: Codec, listener: Listener) -> None:
        """Remember the listener and how it reads commits."""
        self._readers[log].append((codec, listener))


def to_json(envelope: Envelope[Any]) -> bytes:
    """An envelope as it goes over the wire."""
    return json.dumps(
        {
            "type": envelope.message.type_name,
            "data": json.loads(envelope.message.model_dump_json()),
            "id": envelope.id,
            "correlation": envelope.correlation,
            "causation": envelope.causation,
            "principal": str(envelope.principal),
            "deadline": envelope.deadline.isoformat() if envelope.deadline else None,
            "traceparent": envelope.traceparent,
            "fingerprint": envelope.fingerprint,
            "if_version": envelope.if_version,
        }
    ).encode()


def from_json(wire: bytes, types: dict[str, type[Request[Any]]]) -> Envelope[Any]:
    """Read an envelope back; raises `NoHandler` for a message nobody serves."""
    parts = json.loads(wire)
    kind = types.get(parts["type"])
    if kind is None:
        raise NoHandler(f"nobody handles {parts['type']}: register its context's module")
    return Envelope(
        message=kind.model_validate_json(json.dumps(parts["data"])),
        id=parts["id"],
        correlation=parts["correlation"],
        causation=parts["causation"],
        principal=Principal.parse(parts["principal"]),
        deadline=datetime.fromisoformat(parts["deadline"]) if parts["deadline"] else None,
        traceparent=parts["traceparent"],
        fingerprint=parts["fingerprint"],
        if_version=parts["if_version"],
    )


_REFUSALS = {kind.__name__: kind for kind in (Refused, NotFound, Stale, Invalid, TooLarge)}


def failure_as(failure: Refused | Busy) -> dict[str, Any]:
    """A failure as it goes over the wire."""
    if isinstance(failure, Busy):
        return {"kind": "Busy", "message": failure.message, "retry_after": failure.retry_after}
    # A refusal of a context's own kind arrives as the kind that everybody knows.
    kind = next(each.__name__ for each in type(failure).__mro__ if each.__name__ in _REFUSALS)
    return {
        "kind": kind,
        "code": failure.code,
        "message": failure.message,
        "details": to_jsonable_python(failure.details),
    }


def failure_from(parts: dict[str, Any]) -> Refused | Busy:
    """The failure that was sent."""
    if parts["kind"] == "Busy":
        return Busy(parts["message"], parts["retry_after"])
    return _REFUSALS[parts["kind"]](parts["code"], parts["message"], **parts["details"])
