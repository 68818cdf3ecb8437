"""A price list in CSV (RFC 4180), row by row. A row that is broken costs no other."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

from bus.messages import Refused
from catalog.columns import Mapped, assigned, check_header, readable
from catalog.lines import MAX_LINE, Source, TooLong
from catalog.row import Fault, Row, Spot, row

UNCLOSED = f"a quote is opened and not closed within {csv.field_size_limit():,} characters"


class CsvRows:
    """The rows behind a header; `unused` are the columns that nobody asked for.

    Refused with `wrong_header` and `bad_mapping` when the first line names not what is needed.
    """

    def __init__(self, source: Source, mapping: Mapped) -> None:
        self._feed = Feed(source)
        self._reader = csv.reader(self._feed, strict=True)
        self._header = header(source.name, self._reader)
        check_header(source.name, self._header, mapping)
        self._columns = assigned(self._header, mapping)
        self.unused = tuple(
            readable(column.strip())
            for column in self._header
            if column.strip() and column not in self._columns.values()
        )

    def __iter__(self) -> Iterator[Row | Fault]:
        """A row may span lines, and is known by its first."""
        places = {field: self._header.index(column) for field, column in self._columns.items()}
        number = 0
        while True:
            line = self._feed.begin()
            spot = Spot(f"line {line}", line, number + 1)
            try:
                values = next(self._reader)
            except StopIteration:
                return
            except TooLong:
                yield spot.fault("too_long", f"it is longer than {MAX_LINE:,} bytes")
            except csv.Error as error:
                self._feed.back_to_second()
                yield spot.fault("not_csv", f"this is not CSV: {said(error)}")
            else:
                if not any(value.strip() for value in values):
                    continue
                yield self._row(spot, values, places)
            number += 1

    def _row(self, spot: Spot, values: Sequence[str], places: dict[str, int]) -> Row | Fault:
        if len(values) != len(self._header):
            reason = f"it has {len(values)} columns, but the first line names {len(self._header)}"
            return spot.fault("wrong_columns", reason)
        return row(spot, {field: values[at] for field, at in places.items()}, self._columns)


class Feed:
    """The lines of a file, for the CSV reader, who cannot go back. Bytes that are no UTF-8 survive
    as surrogates, so that only their own row is lost."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._line = 0
        self._taken: list[str | None] = []
        self._again: deque[str | None] = deque()
        self._size = 0

    def __iter__(self) -> Feed:
        return self

    def __next__(self) -> str:
        text = self._again.popleft() if self._again else self._read()
        self._taken.append(text)
        if text is None and len(self._taken) == 1:
            self._line += 1
            raise TooLong
        self._size += len(text or "")
        if text is None or self._size > MAX_LINE + len(self._taken[0] or ""):
            self._line += 1
            raise csv.Error(UNCLOSED)
        self._line += 1
        return text

    def begin(self) -> int:
        """A new row: the number of the line on which it will start."""
        self._taken.clear()
        self._size = 0
        return self._line + 1

    def back_to_second(self) -> None:
        """What followed the row's first line is rows of their own: a quote that was not closed
        swallows no other row."""
        self._again.extendleft(reversed(self._taken[1:]))
        self._line -= len(self._taken) - 1
        del self._taken[1:]

    def _read(self) -> str | None:
        """The next line of the file, `None` for one that is too long."""
        try:
            line = self._source.line()
        except TooLong:
            return None
        if not line:
            raise StopIteration
        text = line.decode("utf-8", "surrogateescape")
        return text if self._line else text.removeprefix("\ufeff")


def header(name: str, reader: Any) -> list[str]:
    """The names of the columns."""
    try:
        columns: list[str] = next(reader, [])
    except (csv.Error, TooLong) as error:
        reason = said(error) if isinstance(error, csv.Error) else "it is far too long"
        raise Refused("wrong_header", f"{name}, line 1: {reason}") from None
    if columns and columns[0].startswith(("\udcff\udcfe", "\udcfe\udcff")):
        raise Refused("wrong_header", f"{name} is UTF-16: save it as CSV (UTF-8)")
    return columns


def said(error: csv.Error) -> str:
    """What the CSV reader means."""
    text = str(error)
    if text == "unexpected end of data" or text.startswith("field larger"):
        return UNCLOSED
    return text.partition(" - ")[0]
