"""Personal data in the log: sealed under a key of whom it is about. Without the key, nobody reads
it any more, and the log stays as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import (
    GetCoreSchemaHandler,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
)
from pydantic_core import CoreSchema, core_schema, from_json, to_json

Seal = Callable[[bytes], bytes]
"""Makes of a field's JSON what the log keeps."""

Open = Callable[[bytes], bytes | None]
"""Makes the field's JSON of it again; `None` once the key has been deleted."""

SEAL, OPEN = "seal", "open"

MARK = b"\x00sealed\x01"
"""What sealed bytes begin with: no field of an event is of bytes that do."""

ID_BYTES = 12
"""Of the id of their key, which follows."""


@dataclass(frozen=True)
class Personal:
    """Marks a field of an event as personal: `destination: Annotated[Address, Personal(GONE)]`.

    `erased` stands in its place once it cannot be read any more. The event says in `whose` whom it
    is about. Anywhere but in the log the field is as any other.
    """

    erased: Any

    def __get_pydantic_core_schema__(self, kind: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Opened before it is checked, sealed after it is dumped, where the log does it."""
        inner = handler(kind)
        return core_schema.with_info_wrap_validator_function(
            self._read,
            inner,
            serialization=core_schema.wrap_serializer_function_ser_schema(
                _written, schema=inner, info_arg=True
            ),
        )

    def _read(self, value: Any, check: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        if not (isinstance(value, bytes) and value.startswith(MARK)):
            return check(value)
        if not info.context:
            raise ValueError("it is sealed, and nobody here can open it")
        opened: bytes | None = info.context[OPEN](value)
        return self.erased if opened is None else check(from_json(opened))


def _written(value: Any, dump: SerializerFunctionWrapHandler, info: SerializationInfo) -> Any:
    plain = dump(value)
    if value is None or not info.context:
        return plain
    return info.context[SEAL](to_json(plain))


def id_of(sealed: bytes) -> bytes:
    """The id of the key that it was sealed with."""
    return sealed[len(MARK) : len(MARK) + ID_BYTES]


def ids_in(data: Any) -> Iterator[bytes]:
    """The ids of the keys that anything in a stored event was sealed with."""
    match data:
        case bytes() if data.startswith(MARK):
            yield id_of(data)
        case dict():
            for value in data.values():
                yield from ids_in(value)
        case list():
            for value in data:
                yield from ids_in(value)
