"""The world's currencies, and how many decimal places each has: ISO 4217, in its own table."""

from __future__ import annotations

from typing import Annotated

from iso4217 import Currency as Listed
from pydantic import AfterValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

# XAU, XXX, XTS and the like have no minor unit: nothing can be priced in them.
PLACES = {listed.code: places for listed in Listed if (places := listed.exponent) is not None}
"""The currencies that have a minor unit, which the smallest may be the unit itself (JPY: 0)."""

UNKNOWN = "should be a currency of ISO 4217 that has a minor unit, in capital letters: EUR, say"


def places_of(currency: str) -> int:
    """How many decimal places a currency has; raises `ValueError` for what is none."""
    if currency not in PLACES:
        raise ValueError(f"{currency[:40]!r} {UNKNOWN}")
    return PLACES[currency]


def _listed(code: str) -> str:
    if code not in PLACES:
        raise PydanticCustomError("currency", UNKNOWN)
    return code


Currency = Annotated[
    str,
    AfterValidator(_listed),
    WithJsonSchema({"type": "string", "enum": sorted(PLACES), "description": "ISO 4217"}),
]
"""The code of a currency that has a minor unit."""
