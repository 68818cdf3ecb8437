"""What stands in a log: a commit is one decision, all it wrote and all that happened in it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from bus.messages import Event
from bus.personal import OPEN, SEAL, Open, Seal, ids_in

if TYPE_CHECKING:
    from bus.keyring import Keyring


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


class Recorded:
    """One event of a commit: what happened, on which stream, at which version of it.

    What was read is decoded when somebody first asks for it: most of what a process reads concerns
    another one.
    """

    __slots__ = ("_data", "_event", "_open", "kind", "stream", "version")

    def __init__(self, event: Event, stream: str, version: int) -> None:
        self.kind: type[Event] = type(event)
        """What kind of event it is; known without decoding it."""
        self.stream = stream
        self.version = version
        self._event: Event | None = event
        self._data: dict[str, Any] = {}
        self._open: Open | None = None

    @classmethod
    def stored(
        cls,
        kind: type[Event],
        data: dict[str, Any],
        stream: str,
        version: int,
        open: Open | None = None,
    ) -> Recorded:
        """What was read of it: fields that may be of an older release, or sealed."""
        recorded = cls.__new__(cls)
        recorded.kind, recorded.stream, recorded.version = kind, stream, version
        recorded._event, recorded._data, recorded._open = None, data, open
        return recorded

    @property
    def event(self) -> Event:
        """What happened. Raises pydantic's `ValidationError` when it cannot be read any more."""
        data = self._data  # first, as another thread may be decoding it too
        if self._event is None:
            self._event = decoded(self.kind, data, self._open)
            self._data = {}
        return self._event

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Recorded) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash((self.stream, self.version))

    def __repr__(self) -> str:
        return f"Recorded({self.event!r}, {self.stream!r}, {self.version})"

    def _key(self) -> tuple[Event, str, int]:
        return self.event, self.stream, self.version


def decoded(kind: type[Event], data: dict[str, Any], open: Open | None = None) -> Event:
    """An event as it was stored, perhaps by an older release; `open` opens what is sealed in it."""
    # Lax, because BSON has arrays where the events have tuples.
    context = {OPEN: open} if open is not None and kind.whose else None
    return kind.model_validate(kind.upcast(data), strict=False, context=context)


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
    """Turns commits into documents and JSON and back, knowing a log's types of events.

    What is personal is sealed in the documents, given a `keyring`; in JSON, which nobody keeps, it
    is not.
    """

    def __init__(self, events: Iterable[type[Event]], keyring: Keyring | None = None) -> None:
        self.types: Mapping[str, type[Event]] = {event.type_name: event for event in events}
        self._keyring = keyring
        self._open = keyring.open if keyring else None

    def document(
        self,
        command: str,
        writes: tuple[Write, ...],
        events: tuple[Recorded, ...],
        at: datetime,
        meta: Meta,
        seals: Mapping[str, Seal],
    ) -> dict[str, Any]:
        """A commit as MongoDB keeps it, but for its `_id`, which is its position; sealed by what
        `sealers` has for its events."""
        index = {write.stream: number for number, write in enumerate(writes)}
        return {
            "command": command,
            "writes": [{"stream": stream, "version": version} for stream, version in writes],
            "events": [
                {
                    "type": happened.kind.type_name,
                    "stream": index[happened.stream],
                    "data": self._data(happened.event, seals),
                }
                for happened in events
            ],
            "at": at,
            "meta": {
                key: value
                for key, value in zip(Meta._fields, meta, strict=True)
                if value is not None
            },
        }

    def sealers(self, events: Iterable[Recorded]) -> Mapping[str, Seal]:
        """What seals for all whom these events are about. Blocks."""
        if self._keyring is None:
            return {}
        whose = {each.kind.whose and getattr(each.event, each.kind.whose) for each in events}
        return self._keyring.sealers({person for person in whose if person})

    def commit(self, document: Mapping[str, Any]) -> Commit:
        """Read a stored document; raises `UnknownEvent`."""
        writes = tuple(Write(write["stream"], write["version"]) for write in document["writes"])
        meta = document["meta"]
        return Commit(
            position=document["_id"],
            command=document["command"],
            writes=writes,
            events=tuple(
                self.recorded(event["type"], event["data"], writes[event["stream"]])
                for event in document["events"]
            ),
            at=document["at"],
            meta=Meta(*(meta.get(field) for field in Meta._fields)),
        )

    def recorded(self, name: str, data: dict[str, Any], write: Write) -> Recorded:
        """A stored event, to be decoded when somebody asks; raises `UnknownEvent`."""
        return Recorded.stored(self.kind(name), data, *write, self._open)

    def prepare(self, documents: Iterable[Mapping[str, Any]]) -> None:
        """Have the keys at hand that decoding these documents needs. Blocks."""
        if self._keyring is not None:
            self._keyring.prepare(
                {
                    id
                    for document in documents
                    for event in document["events"]
                    if (kind := self.types.get(event["type"])) is not None and kind.whose
                    for id in ids_in(event["data"])
                }
            )

    def kind(self, name: str) -> type[Event]:
        """The events of this literal name."""
        kind = self.types.get(name)
        if kind is None:
            raise UnknownEvent(
                f"{name} is no event this release knows; was it written by a newer one?"
            )
        return kind

    def event(self, name: str, data: dict[str, Any]) -> Event:
        """Read a stored event; raises `UnknownEvent` or pydantic's `ValidationError`."""
        return decoded(self.kind(name), data, self._open)

    def _data(self, event: Event, seals: Mapping[str, Seal]) -> dict[str, Any]:
        whose = getattr(event, event.whose) if event.whose and self._keyring else None
        context = {SEAL: seals[whose]} if whose else None
        return event.model_dump(exclude_none=True, context=context)

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
                        happened.kind.type_name,
                        index[happened.stream],
                        happened.event.model_dump(mode="json", exclude_none=True),
                    ]
                    for happened in commit.events
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
                Recorded.stored(self.kind(name), data, *writes[stream])
                for name, stream, data in parts["events"]
            ),
            at=datetime.fromisoformat(parts["at"]),
            meta=Meta(*parts["meta"]),
        )
