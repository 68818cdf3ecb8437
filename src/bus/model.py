"""What every value and every message is made of."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

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
