"""Price lists as files, CSV or JSON: read into rows, each good or with what is wrong with it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from bus.messages import Refused

FIELDS = ("sku", "name", "description", "brand", "category", "price", "product_id", "image")
REQUIRED = ("sku", "name", "price")

ALIASES = {"id": ("product_id", "sku"), "type": ("category",)}
"""What other shops' exports call these fields."""

NAMED = ", ".join(field if field in REQUIRED else f"{field}?" for field in FIELDS)


class Fault(NamedTuple):
    """What is wrong with a row, and where it stands: `line 7`."""

    where: str
    reason: str


class Row(NamedTuple):
    """One row: where it stands and what it says; a field that says nothing is not there."""

    where: str
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PriceList:
    """A file that was read; `unused` are the columns nobody asked for."""

    rows: tuple[Row | Fault, ...]
    unused: tuple[str, ...]


def read(path: Path) -> PriceList:
    """Read a price list. Refused when no row of it could be read; raises `OSError`."""
    kinds = {".csv": read_csv, ".json": read_json}
    reader = kinds.get(path.suffix.lower())
    if reader is None:
        raise Refused("unknown_format", f"{path.name} is neither .csv nor .json: name a price list")
    # Bytes that are no UTF-8 survive as surrogates, so that only their own row is lost.
    text = path.read_bytes().decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    return reader(path.name, text)


def read_csv(name: str, text: str) -> PriceList:
    """A CSV file as RFC 4180 has it; its first line names the columns."""
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(lines, [])
    except csv.Error as error:
        raise Refused("wrong_header", f"{name}, line 1: {error}") from None
    columns = [column.strip().lower() for column in header]
    missing = [field for field in REQUIRED if not any(field in meant(c) for c in columns)]
    if missing:
        raise Refused(
            "wrong_header",
            f"{name} has no column {', '.join(missing)}: its first line must name the columns, "
            f"with commas between them: {NAMED}",
        )
    twice = [column for column in columns if columns.count(column) > 1]
    if twice:
        raise Refused("wrong_header", f"{name} has two columns {twice[0]}: name each once")
    rows = tuple(csv_rows(lines, columns))
    return PriceList(rows, tuple(column for column in columns if not meant(column)))


def csv_rows(lines: Any, columns: list[str]) -> Iterator[Row | Fault]:
    """The rows behind the header; a row may span lines and is known by its first."""
    while True:
        where = f"line {lines.line_num + 1}"
        try:
            values = next(lines)
        except StopIteration:
            return
        except csv.Error as error:
            yield Fault(where, f"this is not CSV: {error}")
            continue
        if not any(value.strip() for value in values):
            continue
        if len(values) != len(columns):
            reason = f"it has {len(values)} columns, but the first line names {len(columns)}"
            yield Fault(where, reason)
            continue
        yield row(where, dict(zip(columns, values, strict=True)))


def read_json(name: str, text: str) -> PriceList:
    """A JSON file: an array of objects. Numbers are read digit by digit, never as floats."""
    try:
        objects = json.loads(text, parse_float=Decimal, parse_constant=str)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise Refused("not_json", f"{name} is not JSON: {error.msg} at {place}") from None
    except (ValueError, RecursionError) as error:  # numbers or nesting beyond all reason
        raise Refused("not_json", f"{name} cannot be read: {error}") from None
    if not isinstance(objects, list):
        raise Refused("not_json", f"{name} must be an array of objects with the fields {NAMED}")
    rows = tuple(json_row(f"row {n}", entry) for n, entry in enumerate(objects, start=1))
    keys = (key for entry in objects if isinstance(entry, dict) for key in entry)
    return PriceList(rows, tuple(dict.fromkeys(key for key in keys if not meant(key.lower()))))


def json_row(where: str, entry: Any) -> Row | Fault:
    """One object as a row."""
    if not isinstance(entry, dict):
        return Fault(where, "it is no object")
    values: dict[str, str] = {}
    for key, value in entry.items():
        if not meant(key.lower()) or value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
            return Fault(where, f"{key} must be text or a number")
        values[key.lower()] = plain(value)
    return row(where, values)


def plain(value: str | int | Decimal) -> str:
    """A value as a person would write it; `1E+2` is 100."""
    if isinstance(value, Decimal) and abs(value.adjusted()) < 30:
        return f"{value:f}"
    return str(value)


def row(where: str, values: Mapping[str, str]) -> Row | Fault:
    """The fields of a row, by the names they have here."""
    fields: dict[str, str] = {}
    for column, value in values.items():
        try:
            value.encode()
        except UnicodeEncodeError:
            return Fault(where, f"{column} is not UTF-8: save the file as UTF-8")
        if value.strip():
            for field in meant(column):
                # A field's own name is stronger than an alias.
                if field == column or field not in values:
                    fields.setdefault(field, value.strip())
    for field in REQUIRED:
        if field not in fields:
            return Fault(where, f"it has no {field}")
    return Row(where, fields)


def meant(column: str) -> tuple[str, ...]:
    """The fields that a column stands for."""
    return (column,) if column in FIELDS else ALIASES.get(column, ())
