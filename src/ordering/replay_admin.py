"""The replay's part of the CLI."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TextIO

import typer

from bus.console import AsJson, Open, Running, fail, progress, show, show_one
from bus.messages import Principal
from catalog.contract import GetCurrency
from ordering.books import Books, Entry, Row, digits
from ordering.invoices import Survey, invoices, survey
from ordering.replay import Pace, Replay

REPLAY = Principal(scope="admin", name="replay")
"""Whose the orders of a replay are: a second one knows them again."""

HELP = (
    "Place the invoices of an older system as orders, at full speed and at their own prices, and "
    "say what became of each.\n\n"
    "The file is a .csv or .csv.gz with a row for each line of an invoice: InvoiceNo, StockCode, "
    "Quantity, UnitPrice, CustomerID, Country. A number that begins with C takes an earlier "
    "invoice back. What they sold must be in the catalog: see `shop catalog import`. A second "
    "replay places nothing twice."
)

ROW = ("what", "reason", "invoices", "lines", "amount", "example")


def commands(app: typer.Typer, opened: Open) -> None:
    """`shop orders replay`."""

    @app.command(help=HELP)
    def replay(
        file: Annotated[
            Path, typer.Argument(help="A .csv, or as .csv.gz.", exists=True, dir_okay=False)
        ],
        report: Annotated[
            Path | None, typer.Option(help="A CSV of what became of each.", dir_okay=False)
        ] = None,
        as_json: bool = AsJson,
    ) -> None:
        if report is not None and report.exists() and report.samefile(file):
            raise typer.BadParameter("the report would overwrite the file", param_hint="report")
        found = counted(file)
        with opened() as running, reported(report) as on_entry, progress() as bars:
            bar = bars.add_task("invoices", total=found.invoices)
            books = Books(running.run(currency(running)), on_entry)
            play = Replay(running.bus, books, REPLAY, on_done=lambda: bars.advance(bar))
            with opened_text(file) as text:
                running.run(play.run(invoices(text)))
        tell(books, play.pace, found, as_json=as_json)


async def currency(running: Running) -> str:
    """What the shop sells in, and so what the invoices are read in."""
    return await running.bus.ask(GetCurrency(), principal=REPLAY)


@contextmanager
def opened_text(path: Path) -> Iterator[TextIO]:
    """A file's text; what is no UTF-8 in it is marked, and stops nothing."""
    packed = path.suffix.lower() == ".gz"
    with (gzip.open if packed else open)(
        path, "rt", encoding="utf-8-sig", errors="replace", newline=""
    ) as text:
        yield text


def counted(path: Path) -> Survey:
    """What a file has in all, before anything of it is placed; a broken one ends the command."""
    try:
        with opened_text(path) as text:
            return survey(invoices(text))
    except (OSError, EOFError, zlib.error) as error:
        fail(f"{path} cannot be read to its end ({error}): nothing of it was placed")


@contextmanager
def reported(path: Path | None) -> Iterator[Callable[[Entry], None]]:
    """Writes every entry of the books into a CSV, if there is to be one."""
    if path is None:
        yield lambda entry: None
        return
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("invoice", "what", "reason", "lines", "amount", "order_id", "detail"))
        yield lambda it: writer.writerow(
            (it.number, *it.fate, it.lines, f"{it.amount:f}", it.order_id, it.detail)
        )


def tell(books: Books, pace: Pace, found: Survey, *, as_json: bool) -> None:
    """The books and the pace on stdout; exit 1 where they do not agree with the file."""
    wrong = books.disagreements(found)
    if as_json:
        show_one(in_full(books, pace, found, wrong), as_json=True)
    else:
        show([line(row, books.currency) for row in books.rows()], ROW, as_json=False)
        show_one(in_short(books, pace, found), as_json=False)
    for each in wrong:
        typer.echo(each, err=True)
    if wrong:
        fail("the books do not agree with the file")


def in_short(books: Books, pace: Pace, found: Survey) -> dict[str, object]:
    """What a person wants to know of a replay."""
    ours = books.currency
    return {
        "in the file": f"{found.invoices:,} invoices, {found.lines:,} lines,"
        f" {digits(found.total, ours)} {ours}",
        "sold, less cancelled": f"{digits(books.amount('sold', 'cancelled'), ours)} {ours}",
        "revenue of the orders": f"{digits(books.revenue, ours)} {ours}",
        "placed": f"{pace.placed:,} orders{speed(pace.placed, pace.placed_in)}",
        "confirmed": f"{pace.confirmed:,} orders{speed(pace.confirmed, pace.confirmed_in)}",
        "placed by an earlier replay": f"{pace.already:,} orders",
    }


def in_full(books: Books, pace: Pace, found: Survey, wrong: list[str]) -> dict[str, object]:
    """The same for programs; amounts are decimals in major units."""
    return {
        "currency": books.currency,
        "file": {"invoices": found.invoices, "lines": found.lines, "total": found.total},
        "rows": [
            {
                "what": row.fate.what,
                "reason": row.fate.reason,
                "invoices": row.invoices,
                "lines": row.lines,
                "amount": str(row.amount),
                "example": row.example,
            }
            for row in books.rows()
        ],
        "sold": books.amount("sold", "cancelled"),
        "revenue": books.revenue,
        "placed": pace.placed,
        "already_placed": pace.already,
        "placed_in_seconds": round(pace.placed_in, 3),
        "confirmed": pace.confirmed,
        "confirmed_in_seconds": round(pace.confirmed_in, 3),
        "disagreements": wrong,
    }


def line(row: Row, currency: str) -> dict[str, object]:
    """A row of the books as one of a table."""
    return {
        "what": row.fate.what,
        "reason": row.fate.reason,
        "invoices": f"{row.invoices:,}",
        "lines": f"{row.lines:,}",
        "amount": digits(row.amount, currency),
        "example": row.example,
    }


def speed(count: int, seconds: float) -> str:
    """How many a second, if there are any."""
    return f" in {seconds:.1f} s, {count / seconds:,.0f} a second" if count and seconds else ""
