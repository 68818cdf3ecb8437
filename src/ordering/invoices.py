"""Invoices of an older system, as it wrote them to a file: a line of CSV for each of their lines.

In Decimal, for what is no sale may be negative, or a fraction of a penny, and is counted all the
same.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from decimal import Decimal, InvalidOperation
from itertools import groupby
from typing import NamedTuple

from bus.messages import Refused, derived_id

COLUMNS = ("InvoiceNo", "StockCode", "Quantity", "UnitPrice", "CustomerID", "Country")


class Line(NamedTuple):
    """A line of an invoice: the line of the file, pieces, and what one costs, in major units.

    With a `fault`, which says what could not be read, it counts for nothing.
    """

    at: int
    sku: str
    quantity: int
    price: Decimal
    fault: str = ""

    @property
    def amount(self) -> Decimal:
        """What the line adds to the file's total."""
        return self.quantity * self.price


class Invoice(NamedTuple):
    """An invoice, or, with a number that begins with a C, what cancels one."""

    number: str
    customer: str
    country: str
    lines: tuple[Line, ...]

    @property
    def cancels(self) -> bool:
        """Whether it takes a sale back."""
        return self.number.startswith("C")

    @property
    def id(self) -> str:
        """The id that always follows from what it says, wherever in a file."""
        said = ((line.sku, line.quantity, str(line.price)) for line in self.lines)
        return derived_id("invoice", self.number, self.customer, self.country, *said)


class Read(NamedTuple):
    """A line of the file, with what it says of its invoice."""

    number: str
    customer: str
    country: str
    line: Line


def invoices(text: Iterable[str]) -> Iterator[Invoice]:
    """The invoices in these lines of text, one at a time. Refused with `wrong_header`.

    An invoice's lines follow one another; where others come between, it is two.
    """
    for number, group in groupby(lines(text), lambda read: read.number):
        found = list(group)
        told = next((read for read in found if not read.line.fault), found[0])
        yield Invoice(number, told.customer, told.country, tuple(read.line for read in found))


def lines(text: Iterable[str]) -> Iterator[Read]:
    """The lines of a file behind its header. What cannot be read belongs to the invoice before, if
    it does not say to which."""
    reader = csv.reader(text)
    header = next(reader, [])
    missing = [column for column in COLUMNS if column not in header]
    if missing:
        raise Refused(
            "wrong_header",
            f"line 1 does not name {', '.join(missing)}: the file's columns must be"
            f" {', '.join(COLUMNS)}, and may be more",
        )
    places = [header.index(column) for column in COLUMNS]
    number, row = "", iter(reader)
    while True:
        try:
            cells = next(row)
        except StopIteration:
            return
        except csv.Error as error:
            yield Read(number, "", "", unread(reader.line_num, f"this is not CSV: {error}"))
            continue
        if any(cells):
            read = read_line(cells, len(header), places, reader.line_num, number)
            number = read.number
            yield read


def read_line(cells: list[str], width: int, places: list[int], at: int, before: str) -> Read:
    """A line of the file."""
    if len(cells) != width:
        fault = f"it has {len(cells)} columns, but the first line names {width}"
        return Read(before, "", "", unread(at, fault))
    number, sku, quantity, price, customer, country = (cells[place].strip() for place in places)
    own = number or before
    try:
        pieces, each = int(quantity), Decimal(price)
    except (ValueError, InvalidOperation):
        return Read(own, customer, country, unread(at, f"{quantity!r} pieces at {price!r} each"))
    if not number:
        return Read(own, customer, country, unread(at, "it names no invoice"))
    if not each.is_finite():
        return Read(own, customer, country, unread(at, f"{price!r} is no price"))
    return Read(own, customer, country, Line(at, sku, pieces, each))


def unread(at: int, fault: str) -> Line:
    """A line that cannot be read, and why."""
    return Line(at, "", 0, Decimal(0), fault)


def amount_of(found: Iterable[Line]) -> Decimal:
    """What these lines come to, in major units."""
    return sum((line.amount for line in found), Decimal(0))


class Survey(NamedTuple):
    """How much there is in a file; `total` is the sum of all its lines, in major units."""

    invoices: int
    lines: int
    unread: int
    total: Decimal


def survey(found: Iterable[Invoice]) -> Survey:
    """Count before anything is done."""
    count = of_lines = faults = 0
    total = Decimal(0)
    for invoice in found:
        count += 1
        of_lines += len(invoice.lines)
        faults += sum(1 for line in invoice.lines if line.fault)
        total += amount_of(invoice.lines)
    return Survey(count, of_lines, faults, total)
