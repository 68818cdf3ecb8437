"""A price list in JSON, an array of objects, read element by element. Numbers are read digit by
digit, never as floats."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache
from typing import Any

from catalog.columns import (
    ATTRIBUTE,
    REQUIRED,
    SEPARATOR,
    Mapped,
    assigned,
    no_column,
    readable,
)
from catalog.json_array import Unreadable, elements
from catalog.lines import Source
from catalog.row import Fault, Row, Spot, row

MOST_UNUSED = 100
"""Names of unused fields that are remembered."""


class JsonRows:
    """The rows of an array; `unused` are the names of fields that nobody asked for, so far."""

    def __init__(self, source: Source, mapping: Mapped) -> None:
        self._source = source
        self._mapping = mapping
        self._assigned = lru_cache(256)(self._assign)
        self._unused: dict[str, None] = {}

    @property
    def unused(self) -> tuple[str, ...]:
        """As they are called in the file."""
        return tuple(self._unused)

    def __iter__(self) -> Iterator[Row | Fault]:
        """Raises `NotJson` where the text itself is broken. Refused with `bad_mapping` when the
        first object has nothing that is called so."""
        for number, (line, element) in enumerate(elements(self._source), start=1):
            where = f"row {number}" if line == 1 else f"row {number} (line {line})"
            yield self._row(Spot(where, line, number), element)

    def _row(self, spot: Spot, element: Any) -> Row | Fault:
        if isinstance(element, Unreadable):
            return spot.fault(element.kind, element.reason)
        if not isinstance(element, dict):
            return spot.fault("no_object", "it is no object")
        said = flat(element)
        if spot.number == 1:
            self._check(tuple(said))
        columns = self._assigned(tuple(said))
        values: dict[str, str] = {}
        for field, key in columns.items():
            value = said[key]
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
                return spot.fault(f"invalid_{field}", f"{readable(key)} must be text or a number")
            values[field] = plain(value)
        return row(spot, values, columns)

    def _check(self, keys: tuple[str, ...]) -> None:
        has = [key.strip().lower() for key in keys]
        wanted = (self._mapping.get(field) for field in REQUIRED)
        gone = [key for key in wanted if key is not None and key.lower() not in has]
        if gone:
            raise no_column(f"{self._source.name}, row 1", gone, keys)

    def _assign(self, keys: tuple[str, ...]) -> dict[str, str]:
        columns = assigned(keys, self._mapping)
        for key in keys:
            if key not in columns.values() and len(self._unused) < MOST_UNUSED:
                self._unused.setdefault(readable(key))
        return columns


def flat(element: dict[str, Any]) -> dict[str, Any]:
    """An object as a CSV would have it: `"attributes": {"Colour": "blue"}` is `attribute:Colour`,
    and a list of categories is one text."""
    said = dict(element)
    words, categories = said.get("attributes"), said.get("categories")
    if isinstance(words, dict):
        del said["attributes"]
        said |= {ATTRIBUTE + word: value for word, value in words.items()}
    if isinstance(categories, list) and all(isinstance(each, str) for each in categories):
        said["categories"] = SEPARATOR.join(categories)
    return said


def plain(value: str | int | Decimal) -> str:
    """A value as a person would write it; `1E+2` is 100."""
    if isinstance(value, Decimal) and abs(value.adjusted()) < 30:
        return f"{value:f}"
    return str(value)
