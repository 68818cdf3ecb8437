"""What stands in a log: a commit is one decision, all it wrote and all that happened in it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from bus.messages import Event


class Write(NamedTuple):
    """One stream that a commit writes, and the version it takes there."""

    stream: str
    version: int


class Meta(NamedTuple):
    """Where a decision came from."""

    correlation: str
    causation: str | None
    principal: str
    trace: str | None
    fingerprint: str | None


class Recorded(NamedTuple):
    """One event of a commit: what happened, on which stream, at which version of it."""

    event: Event
    stream: str
    version: int


@dataclass(frozen=True, slots=True)
class Commit:
    """One decision at its place in the log. `position` counts 1, 2, 3 ... without a gap."""

    position: int
    command: str
    writes: tuple[Write, ...]
    events: tuple[Recorded, ...]
    at: datetime
    meta: Meta


class UnknownEvent(ValueError):
    """The log holds an event this release has no type for: it was written by a newer one."""


class Codec:
    """Turns commits into documents and JSON and back, knowing a log's types of events."""

    def __init__(self, events: Iterable[type[Event]]) -> None:
        self.types: Mapping[str, type[Event]] = {event.type_name: event for event in events}

    def document(
        self,
        command: str,
        writes: tuple[Write, ...],
        events: tuple[Recorded, ...],
        at: datetime,
        meta: Meta,
    ) -> dict[str, Any]:
        """A commit as MongoDB keeps it, but for its `_id`, which is its position."""
        index = {write.stream: number for number, write in enumerate(writes)}
        return {
            "command": command,
            "writes": [{"stream": stream, "version": version} for stream, version in writes],
            "events": [
                {
                    "type": event.type_name,
                    "stream": index[stream],
                    "data": event.model_dump(exclude_none=True),
                }
                for event, stream, _ in events
            ],
            "at": at,
            "meta": {
                key: value
                for key, value in zip(Meta._fields, meta, strict=True)
                if value is not None
            },
        }

    def commit(self, document: Mapping[str, Any]) -> Commit:
        """Read a stored document; raises `UnknownEvent` or pydantic's `ValidationError`."""
        writes = tuple(Write(write["stream"], write["version"]) for write in document["writes"])
        meta = document["meta"]
        return Commit(
            position=document["_id"],
            command=document["command"],
            writes=writes,
            events=tuple(
                Recorded(self.event(event["type"], event["data"]), *writes[event["stream"]])
                for event in document["events"]
            ),
            at=document["at"],
            meta=Meta(*(meta.get(field) for field in Meta._fields)),
        )

    def event(self, name: str, data: dict[str, Any]) -> Event:
        """Read a stored event under its literal name, upcast to this release's fields."""
        kind = self.types.get(name)
        if kind is None:
            raise UnknownEvent(
                f"{name} is no event this release knows; was it written by a newer one?"
            )
        # Lax, because BSON has arrays where the events have tuples.
        return kind.model_validate(kind.upcast(data), strict=False)

    def to_json(self, commit: Commit) -> bytes:
        """A commit as it goes over the wire."""
        index = {write.stream: number for number, write in enumerate(commit.writes)}
        return json.dumps(
            {
                "position": commit.position,
                "command": commit.command,
                "writes": commit.writes,
                "events": [
                    [
                        event.type_name,
                        index[stream],
                        event.model_dump(mode="json", exclude_none=True),
                    ]
                    for event, stream, _ in commit.events
                ],
                "at": commit.at.isoformat(),
                "meta": commit.meta,
            }
        ).encode()

    def from_json(self, wire: bytes) -> Commit:
        """Read a commit back from the wire."""
        parts = json.loads(wire)
        writes = tuple(Write(*write) for write in parts["writes"])
        return Commit(
            position=parts["position"],
            command=parts["command"],
            writes=writes,
            events=tuple(
                Recorded(self.event(name, data), *writes[stream])
                for name, stream, data in parts["events"]
            ),
            at=datetime.fromisoformat(parts["at"]),
            meta=Meta(*parts["meta"]),
        )
