"""Price lists as files, CSV or JSON, plain or as `.gz`: read row by row, however large they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bus.messages import Refused
from catalog.columns import FIELDS as FIELDS
from catalog.columns import NAMED, Mapped
from catalog.columns import REQUIRED as REQUIRED
from catalog.csv_rows import CsvRows
from catalog.json_array import NotJson
from catalog.json_rows import JsonRows
from catalog.lines import BrokenOff, Source
from catalog.row import Fault as Fault
from catalog.row import Row as Row

KINDS: Mapping[str, type[CsvRows] | type[JsonRows]] = {".csv": CsvRows, ".json": JsonRows}

BROKEN = "broken_file"
"""The kind of fault behind which nothing could be read."""


@dataclass(frozen=True, slots=True)
class PriceList:
    """A file that was read; `unused` are the columns nobody asked for."""

    rows: tuple[Row | Fault, ...]
    unused: tuple[str, ...]


class Reading:
    """A price list that is being read. Refused when it is of no kind that can be."""

    def __init__(self, path: Path, source: Source, mapping: Mapped | None = None) -> None:
        kind = KINDS.get(kind_of(path))
        if kind is None:
            raise Refused(
                "unknown_format",
                f"{path.name} is neither .csv nor .json, nor one of these as .gz: "
                "name a price list",
            )
        self._source = source
        try:
            self._rows = kind(source, mapping or {})
        except BrokenOff as error:
            raise Refused("not_gzip", f"{source.name} cannot be unpacked: {error}") from None

    @property
    def unused(self) -> tuple[str, ...]:
        """The columns nobody asked for, as far as was read."""
        return self._rows.unused

    def __iter__(self) -> Iterator[Row | Fault]:
        """Every row; where the file is broken, a last fault says so. Refused when nothing of it
        can be read."""
        number, line = 0, 0
        try:
            for row in self._rows:
                number, line = row.number, row.line
                yield row
        except NotJson as error:
            name = self._source.name
            if not number:
                reason = f"{name} is not JSON: {error}. A price list is an array of objects with "
                raise Refused("not_json", f"{reason}the fields {NAMED}") from None
            yield nothing_behind(f"this is not JSON: {error}", number + 1, line)
        except BrokenOff as error:
            if not number:
                reason = f"{self._source.name} cannot be unpacked: {error}"
                raise Refused("not_gzip", reason) from None
            yield nothing_behind(f"the file cannot be unpacked: {error}", number + 1, line)


def read(path: Path, mapping: Mapping[str, str] | None = None) -> PriceList:
    """Read a short price list at once. Refused when nothing of it can be; raises `OSError`."""
    with Source(path) as source:
        reading = Reading(path, source, mapping)
        rows = tuple(reading)
        return PriceList(rows, reading.unused)


def nothing_behind(reason: str, number: int, line: int) -> Fault:
    """The last fault of a file that is broken behind a line."""
    where = f"behind row {number - 1} (line {line})"
    return Fault(where, f"{reason}; nothing behind it was read", BROKEN, "", line, number)


def kind_of(path: Path) -> str:
    """How the name ends, without the `.gz` of what is packed."""
    plain = path.with_suffix("") if path.suffix.lower() == ".gz" else path
    return plain.suffix.lower()
