"""What every value and every message is made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

MAX_INTEGER = 2**53 - 1
"""The largest integer every JSON reader keeps exactly (RFC 8259, section 6)."""


class Model(BaseModel):
    """A frozen, strict value that refuses unknown fields."""

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="forbid",
        serialize_by_alias=True,
        ser_json_bytes="base64",  # on a wire: bytes need not be text
        val_json_bytes="base64",
    )


def unfit(error: ValidationError) -> str:
    """What is wrong with which fields, in one line."""
    return "; ".join(
        f"{'.'.join(map(str, each['loc'])) or 'all of it'}: {complaint(each)}"
        for each in error.errors(include_url=False)
    )


def complaint(wrong: Mapping[str, Any]) -> str:
    """What is wrong with a field: of a check of our own, its words alone."""
    words: str = wrong["msg"]
    return words.removeprefix("Value error, ")
