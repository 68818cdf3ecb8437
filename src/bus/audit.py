"""What must be true of a log, checked document by document: `shop log verify`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from pydantic import ValidationError

from bus.commits import Codec, UnknownEvent


class Fault(NamedTuple):
    """Something in a log that should not be so."""

    position: int
    what: str


class Audit:
    """One pass over a log, oldest first."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._versions: dict[str, int] = {}
        self._commands: set[str] = set()
        self.read = 0

    def check(self, documents: Iterable[Mapping[str, Any]]) -> Iterator[Fault]:
        """The faults, as they are met."""
        for document in documents:
            self.read += 1
            yield from self._check(document)

    def _check(self, document: Mapping[str, Any]) -> Iterator[Fault]:
        position = document["_id"]
        if position != self.read:
            yield Fault(position, f"position {self.read} is missing")
            self.read = position
        command = document.get("command")
        if command in self._commands:
            yield Fault(position, f"command {command} was decided before")
        self._commands.add(str(command))
        for write in document.get("writes", ()):
            stream, version = write["stream"], write["version"]
            expected = self._versions.get(stream, 0) + 1
            if version != expected:
                yield Fault(position, f"{stream} goes to version {version}, not {expected}")
            self._versions[stream] = version
        try:
            self._codec.commit(document)
        except UnknownEvent as error:
            yield Fault(position, str(error))
        except (ValidationError, LookupError, TypeError) as error:
            yield Fault(position, f"cannot be read: {error}")
