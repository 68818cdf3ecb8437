"""A row of a price list: where it stands and what it says, or what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from catalog.columns import REQUIRED, readable


class Fault(NamedTuple):
    """What is wrong with a row, and where it stands: `line 7`. `kind` is for programs."""

    where: str
    reason: str
    kind: str = "invalid_row"
    sku: str = ""
    line: int = 0
    number: int = 0


class Row(NamedTuple):
    """One row: where it stands and what it says; a field that says nothing is not there.

    `line` is the line of the file, `number` counts the rows from 1.
    """

    where: str
    fields: Mapping[str, str]
    line: int = 0
    number: int = 0

    def fault(self, kind: str, reason: str) -> Fault:
        """This row, with what is wrong with it."""
        sku = readable(self.fields.get("sku", ""), 80)
        return Fault(self.where, reason, kind, sku, self.line, self.number)


class Spot(NamedTuple):
    """Where a row stands."""

    where: str
    line: int
    number: int

    def fault(self, kind: str, reason: str) -> Fault:
        """What stands here, with what is wrong with it."""
        return Fault(self.where, reason, kind, "", self.line, self.number)


def row(spot: Spot, values: Mapping[str, str], columns: Mapping[str, str]) -> Row | Fault:
    """The fields of a row; `columns` says what each is called in the file."""
    fields = {field: text for field, value in values.items() if (text := value.strip())}
    found = Row(spot.where, fields, spot.line, spot.number)
    for field, text in fields.items():
        if not text.isascii() and not is_text(text):
            column = readable(columns[field].strip())
            return found.fault("not_utf8", f"{column} is not UTF-8: save the file as UTF-8")
    for field in REQUIRED:
        if field not in fields:
            return found.fault(f"no_{field}", f"it has no {field}")
    return found


def is_text(text: str) -> bool:
    """Whether all of it was UTF-8; what was not has survived as surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
