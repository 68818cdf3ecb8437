"""Takes a price list into the catalog: a bad row is reported, and the rest go in.

The file is first read to its end, row by row, and what is good is put aside on disk: so a product
comes with all its rows, wherever they stand, and a second run changes nothing.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from pydantic import TypeAdapter, ValidationError

from bus.messages import SYSTEM, Principal, Refused, places_of
from catalog.columns import Mapped, readable
from catalog.commands import MAX_VARIANTS, Place
from catalog.contract import ANYWHERE, GetCurrency
from catalog.enlisting import Desk, Enlisting
from catalog.folder import Folder
from catalog.lines import Source
from catalog.offered import Terms, differences, product_id, product_of
from catalog.outcome import Outcome
from catalog.row import Fault, Row
from catalog.rows import Reading
from catalog.seen import Seen

AT_ONCE = 5_000
"""Rows that are read before others get their turn."""

BATCH = 200
"""Products that are decided at once, and committed as a group."""


class Progress(NamedTuple):
    """How far an import is: `done` of `total` bytes of the file, later of its products."""

    reading: bool
    done: int
    total: int
    rows: int


async def take_in(
    desk: Desk,
    file: Path,
    *,
    images: Path | None = None,
    currency: str | None = None,
    stock: int = 0,
    warehouse: str = ANYWHERE,
    draft: bool = False,
    mapping: Mapped | None = None,
    dry_run: bool = False,
    principal: Principal = SYSTEM,
    on_fault: Callable[[Fault], None] = lambda fault: None,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> Outcome:
    """Import a file. `currency` is what the prices are in (the shop's, unless it says so), `stock`
    how many pieces there are of each SKU that is new, where its row does not say; a `dry_run`
    writes nothing.

    `on_fault` hears of every row that is not taken. Raises `OSError`, and `Refused` when nothing of
    the file can be read.
    """
    ours = await desk.ask(GetCurrency())
    reason = f"import of {readable(file.name, 100)}"
    terms = checked(Terms(currency or ours, stock, warehouse, draft, reason))
    outcome = Outcome(written=not dry_run, currency=ours, on_fault=on_fault)
    folder = Folder(images)
    with Source(file) as source, Seen() as seen:
        sorting = Sorting(Reading(file, source, mapping), seen, folder, terms, outcome)
        while await asyncio.to_thread(sorting.some):
            on_progress(Progress(True, source.position, source.size, outcome.rows))
        enlisting = Enlisting(desk, folder, terms, outcome, principal)
        total, done = seen.products(), 0
        groups = seen.groups()
        while batch := await asyncio.to_thread(lambda: [*islice(groups, BATCH)]):
            await enlisting.enlist(batch)
            done += len(batch)
            on_progress(Progress(False, done, total, outcome.rows))
    return outcome


class Sorting:
    """Reads the rows and puts aside the first good one of each SKU; the others are reported."""

    def __init__(
        self, reading: Reading, seen: Seen, folder: Folder, terms: Terms, outcome: Outcome
    ) -> None:
        self._reading = reading
        self._rows = iter(reading)
        self._seen = seen
        self._folder = folder
        self._terms = terms
        self._outcome = outcome

    def some(self) -> bool:
        """Some more rows; whether there were any."""
        before = self._outcome.rows
        for row in islice(self._rows, AT_ONCE):
            self._outcome.rows += 1
            try:
                fault = row if isinstance(row, Fault) else self._sort(row)
            except sqlite3.OperationalError as error:
                raise Refused(
                    "no_room",
                    f"what is read is put aside in a temporary file, but: {error}; "
                    "set SQLITE_TMPDIR to a folder with room",
                ) from None
            if fault is not None:
                self._outcome.reject(fault)
        self._outcome.unused = self._reading.unused
        return self._outcome.rows > before

    def _sort(self, row: Row) -> Fault | None:
        try:
            known = self._seen.row(row.fields["sku"])
            if known is not None:
                return self._again(row, known)
            product_of(row, self._terms)
            self._folder.find(row)
        except Refused as refusal:
            return row.fault(refusal.code, refusal.message)
        product = product_id(row)
        if self._seen.variants(product) >= MAX_VARIANTS:
            reason = f"product {product} has {MAX_VARIANTS} variants already, the most"
            return row.fault("too_many_variants", reason)
        self._seen.add(row, product)
        return None

    def _again(self, row: Row, known: Row) -> Fault | None:
        sku = row.fields["sku"]
        found: dict[str, str] = {}
        if row.fields != known.fields:
            found = differences(row, known, self._terms.currency)
        if not found:
            self._outcome.repeat(f"{row.where} says of SKU {sku} what {known.where} says")
            return None
        field, _, _ = next(iter(found)).partition(":")
        return row.fault(f"conflicting_{field}", f"SKU {sku} {', '.join(found.values())}")


def checked(terms: Terms) -> Terms:
    """The terms; refused with `unknown_currency` and `invalid_warehouse`."""
    try:
        places_of(terms.currency)
    except ValueError as error:
        raise Refused("unknown_currency", str(error)) from None
    try:
        TypeAdapter(Place).validate_python(terms.warehouse)
    except ValidationError:
        raise Refused(
            "invalid_warehouse", f"no warehouse can be called {readable(terms.warehouse)!r}"
        ) from None
    return terms
