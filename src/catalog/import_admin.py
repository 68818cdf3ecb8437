"""The import's part of the CLI."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from bus.console import AsJson, Open, fail, progress, show_one
from catalog.columns import NAMED, SEPARATOR, mapped
from catalog.commands import MAX_ON_HAND
from catalog.contract import ANYWHERE
from catalog.intake import Progress, take_in
from catalog.outcome import KEPT, Outcome
from catalog.price_admin import ADMIN
from catalog.row import Fault
from catalog.stock_admin import Warehouses, check_place

HELP = (
    "Bring a price list into the catalog; a bad row is reported, and the rest go in.\n\n"
    "It is a .csv, whose first line names the columns, or a .json, an array of objects; of any "
    f"size, also as .gz. Its fields: {NAMED}. Several categories have {SEPARATOR} between them, "
    "weight_g is in grams, stock the pieces there are if the SKU is new. What it does not say "
    "stays as it is, and a second run changes nothing."
)


def commands(app: typer.Typer, shop: Open, warehouses: Warehouses) -> None:
    """`shop catalog import`."""

    @app.command("import", help=HELP)
    def take(
        file: Annotated[
            Path, typer.Argument(help="A .csv or .json, or as .gz.", exists=True, dir_okay=False)
        ],
        images: Annotated[
            Path | None, typer.Option(help="Where the pictures are.", exists=True, file_okay=False)
        ] = None,
        currency: Annotated[
            str | None, typer.Option(help="What the prices are in; the shop's unless said.")
        ] = None,
        stock: Annotated[
            int, typer.Option(min=0, max=MAX_ON_HAND, help="Pieces of each SKU that is new.")
        ] = 0,
        warehouse: Annotated[
            str, typer.Option(help="Where these pieces are; *: anywhere.")
        ] = ANYWHERE,
        draft: Annotated[
            bool, typer.Option("--draft", help="Keep products that are new as drafts.")
        ] = False,
        columns: Annotated[
            list[str] | None,
            typer.Option("--map", help="Which column is what: sku=StockCode,name=Description."),
        ] = None,
        dry_run: Annotated[
            bool, typer.Option("--dry-run", help="Say what would be; write nothing.")
        ] = False,
        report: Annotated[
            Path | None, typer.Option(help="A CSV of every rejected row.", dir_okay=False)
        ] = None,
        as_json: bool = AsJson,
    ) -> None:
        wanted = mapped(columns or ())
        if report is not None and report.exists() and report.samefile(file):
            raise typer.BadParameter(
                "the report would overwrite the price list", param_hint="report"
            )
        with reported(report) as on_fault, shop() as running, drawn() as on_progress:
            running.run(check_place(running.bus, warehouse, warehouses))
            outcome = running.run(
                take_in(
                    running.bus, file,
                    images=images, currency=currency.upper() if currency else None, stock=stock,
                    warehouse=warehouse, draft=draft, mapping=wanted, dry_run=dry_run,
                    principal=ADMIN, on_fault=on_fault, on_progress=on_progress,
                )
            )  # fmt: skip
        tell(outcome, report, as_json=as_json)


@contextmanager
def reported(path: Path | None) -> Iterator[Callable[[Fault], None]]:
    """Writes every fault into a CSV, if there is to be one."""
    if path is None:
        yield lambda fault: None
        return
    # What is no UTF-8, in a path, must not stop the report that says so.
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("line", "row", "sku", "kind", "reason"))
        yield lambda it: writer.writerow((it.line, it.number, it.sku, it.kind, it.reason))


@contextmanager
def drawn() -> Iterator[Callable[[Progress], None]]:
    """Two bars: the rows of the file, then its products."""
    with progress() as bars:
        rows = bars.add_task("rows", total=None)
        products = bars.add_task("products", total=None, visible=False)

        def draw(now: Progress) -> None:
            if not now.reading:
                bars.update(rows, completed=now.rows, total=now.rows)
                bars.update(products, completed=now.done, total=now.total, visible=True)
                return
            # How many rows there are is not known yet: as the bytes that are read to all there are.
            total = round(now.rows * now.total / now.done) if now.done else None
            bars.update(rows, completed=now.rows, total=total)

        yield draw


def tell(outcome: Outcome, report: Path | None, *, as_json: bool) -> None:
    """What became of an import: the sum on stdout, faults on stderr; exit 1 if there are any."""
    for fault in outcome.faults:
        typer.echo(f"{fault.where}: {fault.reason}", err=True)
    for line in notes(outcome, report):
        typer.echo(line, err=True)
    counts: dict[str, object] = {
        "rows": outcome.rows,
        "products_new": outcome.new,
        "products_changed": outcome.changed,
        "products_unchanged": outcome.unchanged,
        "pictures": outcome.pictures,
        "repeated": outcome.repeated,
        "faults": outcome.rejected.total(),
    }
    if as_json:
        counts |= {
            "overruled": outcome.overruled,
            "not_for_sale": outcome.not_for_sale,
            "rejected": dict(outcome.rejected),
            "dry_run": not outcome.written,
        }
    show_one(counts, as_json=as_json)
    if outcome.rejected:
        fail(f"{outcome.rejected.total():,} of {outcome.rows:,} rows could not be imported")


def notes(outcome: Outcome, report: Path | None) -> Iterator[str]:
    """What is to be known besides the faults that are shown."""
    for kind, count in outcome.rejected.most_common():
        if count > KEPT:
            where = f"in {report}" if report else "--report FILE lists them all"
            yield f"{kind}: {count:,} rows, the first {KEPT} are shown ({where})"
    if outcome.repeated:
        yield f"{outcome.repeated:,} rows repeat an earlier one: {outcome.first_repeated}"
    if outcome.overruled:
        yield (
            f"{outcome.overruled:,} rows say something else of their product than its first row, "
            f"which is heard: {outcome.first_overruled}"
        )
    if outcome.not_for_sale:
        yield (
            f"{outcome.not_for_sale:,} SKUs have no price in {outcome.currency}, in which this "
            "shop sells: they are not for sale yet"
        )
    if outcome.unused:
        yield f"not used: {', '.join(outcome.unused)}"
    if not outcome.written:
        yield "a dry run: nothing was written"
