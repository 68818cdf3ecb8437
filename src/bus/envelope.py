"""What a message travels in: who asked, why, until when, and under which id."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Generic, NamedTuple, TypeVar

from bus.commits import Commit
from bus.messages import (
    SYSTEM,
    Event,
    Invalid,
    Message,
    Principal,
    Stale,
    derived_id,
    new_id,
)

M = TypeVar("M", bound=Message)
N = TypeVar("N", bound=Message)


class Envelope(NamedTuple, Generic[M]):
    """A message under way.

    `id` is the id of the decision a command asks for: the same id is decided once, whatever
    happens. `correlation` is shared by all that follows from one request; `causation` is the id of
    what led here. `fingerprint` tells two bodies under one idempotency key apart; `if_version` is
    the version of the stream that the asker has seen (`If-Match`).
    """

    message: M
    id: str
    correlation: str
    causation: str | None = None
    principal: Principal = SYSTEM
    deadline: datetime | None = None
    traceparent: str | None = None
    fingerprint: str | None = None
    if_version: int | None = None

    def leads_to(self, message: N, *index: object) -> Envelope[N]:
        """The envelope of what this one causes; with an `index`, under the id that always
        follows."""
        return Envelope(
            message,
            derived_id(self.id, *index) if index else new_id(),
            self.correlation,
            self.id,
            self.principal,
            self.deadline,
            self.traceparent,
        )


def sealed(
    message: M,
    *,
    id: str | None = None,
    correlation: str | None = None,
    causation: str | None = None,
    principal: Principal = SYSTEM,
    deadline: datetime | None = None,
    traceparent: str | None = None,
    fingerprint: str | None = None,
    if_version: int | None = None,
) -> Envelope[M]:
    """A fresh envelope around a message."""
    own = id or new_id()
    return Envelope(
        message,
        own,
        correlation or own,
        causation,
        principal,
        deadline,
        traceparent,
        fingerprint,
        if_version,
    )


def envelope_of(commit: Commit, index: int, event: Event) -> Envelope[Event]:
    """The envelope of a stored event: its id follows from where it stands."""
    return Envelope(
        message=event,
        id=f"{event.type_name}/{commit.position}/{index}",
        correlation=commit.meta.correlation,
        causation=commit.command,
        principal=Principal.parse(commit.meta.principal),
        traceparent=commit.meta.trace,
    )


def check_version(envelope: Envelope[Any], version: int) -> None:
    """Refuse with `Stale` when the asker has seen another version than this one (`If-Match`)."""
    if envelope.if_version is not None and envelope.if_version != version:
        raise Stale(
            "stale_version",
            f"the decision was made on version {envelope.if_version}, but the latest is "
            f"{version}: read it again",
            version=version,
        )


def same_body(commit: Commit, envelope: Envelope[Any]) -> Commit:
    """The earlier commit under this command id; refuses a key that came back with another body."""
    if commit.meta.fingerprint != envelope.fingerprint:
        raise Invalid(
            "idempotency_key_reused",
            "this Idempotency-Key was used for another request: take a fresh key for a new request",
        )
    return commit
