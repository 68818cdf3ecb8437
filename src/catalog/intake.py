"""Takes a price list into the catalog: a bad row is reported, and the rest go in."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

from pydantic import ValidationError

from bus.messages import Command, Query, Refused
from catalog.commands import (
    MAX_VARIANTS,
    Listing,
    ListProduct,
    Offered,
    Picture,
    StorePicture,
)
from catalog.pictures import MAX_BYTES
from catalog.prices import price_of
from catalog.queries import GetCurrency
from catalog.rows import Fault, Row, read

R = TypeVar("R")

BATCH = 200
"""Products that are decided at once, and committed as a group."""

OPEN_FILES = 4
"""Picture files in memory at once."""

ENDINGS = (".webp", ".png", ".jpg", ".jpeg")


class Desk(Protocol):
    """Where commands and questions are handed in: the bus."""

    async def send(self, command: Command[R], /) -> R:
        """Have a command done."""

    async def ask(self, query: Query[R], /) -> R:
        """Have a question answered."""


class Wanted(NamedTuple):
    """A good row: what it asks for, and the file of its picture, if it has one."""

    where: str
    product: ListProduct
    picture: Path | None


@dataclass(slots=True)
class Outcome:
    """What became of a price list."""

    rows: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    pictures: int = 0
    unused: tuple[str, ...] = ()
    faults: list[Fault] = field(default_factory=list)


async def take_in(
    desk: Desk,
    file: Path,
    *,
    images: Path | None = None,
    currency: str | None = None,
    stock: int = 0,
    on_progress: Callable[[int, int], None] = lambda done, rows: None,
) -> Outcome:
    """Import a file; `stock` is how many pieces there are of each SKU that is new.

    `on_progress` hears how many rows of how many are done. Raises `OSError`, and `Refused` when
    nothing of the file can be read or the currency is not the shop's.
    """
    ours = await desk.ask(GetCurrency())
    if currency not in (None, ours):
        raise Refused(
            "wrong_currency",
            f"the prices are in {currency}, but this shop sells in {ours}: give them in {ours}",
        )
    listed = await asyncio.to_thread(read, file)
    folder = Folder(images)
    outcome = Outcome(rows=len(listed.rows), unused=listed.unused)
    groups = grouped(checked(listed.rows, folder, ours, stock, outcome.faults))
    files = asyncio.Semaphore(OPEN_FILES)
    done = len(outcome.faults)
    on_progress(done, outcome.rows)
    for first in range(0, len(groups), BATCH):
        batch = groups[first : first + BATCH]
        await asyncio.gather(*(enlist(desk, group, files, outcome) for group in batch))
        done += sum(map(len, batch))
        on_progress(done, outcome.rows)
    return outcome


def checked(
    rows: Iterable[Row | Fault], folder: Folder, currency: str, stock: int, faults: list[Fault]
) -> list[Wanted]:
    """The rows that can be meant; the others are added to `faults`."""
    good: list[Wanted] = []
    taken: dict[str, str] = {}
    variants: Counter[str] = Counter()
    for row in rows:
        if isinstance(row, Fault):
            faults.append(row)
            continue
        try:
            product = product_of(row, currency, stock)
            picture = folder.find(row)
        except ValidationError as error:
            faults.append(Fault(row.where, in_one_line(error)))
            continue
        except Refused as refusal:
            faults.append(Fault(row.where, refusal.message))
            continue
        sku = product.variants[0].sku
        if sku in taken:
            faults.append(Fault(row.where, f"SKU {sku} stands on {taken[sku]} already"))
            continue
        variants[product.product_id] += 1
        if variants[product.product_id] > MAX_VARIANTS:
            reason = f"product {product.product_id} has {MAX_VARIANTS} variants already, the most"
            faults.append(Fault(row.where, reason))
            continue
        taken[sku] = row.where
        good.append(Wanted(row.where, product, picture))
    return good


def product_of(row: Row, currency: str, stock: int) -> ListProduct:
    """The product with one variant that a row speaks of."""
    fields = row.fields
    price = price_of(fields["price"], currency)
    sold = Offered(sku=fields["sku"], name=fields["name"], price=price, on_hand=stock)
    return ListProduct(
        product_id=fields.get("product_id", fields["sku"]),
        name=fields["name"],
        description=fields.get("description"),
        brand=fields.get("brand"),
        category=fields.get("category"),
        variants=(sold,),
    )


def in_one_line(error: ValidationError) -> str:
    """What is wrong with the fields of a row."""
    first = error.errors(include_url=False, include_context=False)[0]
    value = str(first["input"])
    shown = value if len(value) <= 40 else f"{value[:40]}…"
    return f"{first['loc'][-1]} cannot be {shown!r}: {first['msg']}"


def grouped(wanted: Sequence[Wanted]) -> list[list[Wanted]]:
    """The rows of one product together."""
    groups: dict[str, list[Wanted]] = {}
    for row in wanted:
        groups.setdefault(row.product.product_id, []).append(row)
    return list(groups.values())


async def enlist(
    desk: Desk, group: list[Wanted], files: asyncio.Semaphore, outcome: Outcome
) -> None:
    """List one product with all its variants, or those of them that can be."""
    pictures: dict[Path, Picture] = {}
    good: list[Wanted] = []
    for row in group:
        try:
            if row.picture is not None and row.picture not in pictures:
                async with files:
                    content = await asyncio.to_thread(load, row.picture)
                    pictures[row.picture] = await desk.send(StorePicture(content=content))
        except (Refused, OSError) as error:
            outcome.faults.append(Fault(row.where, f"{row.picture}: {error}"))
        else:
            good.append(row)
    if not good:
        return
    outcome.pictures += len(pictures)
    whole = together([row.product for row in good], tuple(pictures.values()) or None)
    if await listed(desk, whole, good[0].where, [] if len(good) > 1 else outcome.faults, outcome):
        return
    for row in good if len(good) > 1 else ():  # one variant is wrong: list the others
        alone = whole.model_copy(update={"variants": row.product.variants})
        await listed(desk, alone, row.where, outcome.faults, outcome)


async def listed(
    desk: Desk, product: ListProduct, where: str, faults: list[Fault], outcome: Outcome
) -> bool:
    """List a product and count what came of it; whether it was not refused."""
    try:
        listing: Listing = await desk.send(product)
    except Refused as refusal:
        faults.append(Fault(where, refusal.message))
        return False
    outcome.new += listing.new
    outcome.changed += not listing.new and listing.changes > 0
    outcome.unchanged += listing.changes == 0
    return True


def together(products: list[ListProduct], pictures: tuple[Picture, ...] | None) -> ListProduct:
    """The product that several rows are variants of; the first that says something is heard."""
    return ListProduct(
        product_id=products[0].product_id,
        name=products[0].name,
        description=next((p.description for p in products if p.description is not None), None),
        brand=next((p.brand for p in products if p.brand is not None), None),
        category=next((p.category for p in products if p.category is not None), None),
        variants=tuple(variant for p in products for variant in p.variants),
        pictures=pictures,
    )


class Folder:
    """Where pictures are looked for; without one, none are."""

    def __init__(self, path: Path | None) -> None:
        self._path = path.resolve() if path is not None else None
        self._names = {entry.name for entry in path.iterdir()} if path is not None else set()

    def find(self, row: Row) -> Path | None:
        """The picture a row names, or one that is called as its SKU or product is."""
        if self._path is None:
            return None
        named = row.fields.get("image")
        if named is not None:
            return self._within(self._path, named)
        ids = (row.fields["sku"], row.fields.get("product_id", ""))
        names = (f"{id}{ending}" for id in ids for ending in ENDINGS)
        return next((self._path / name for name in names if name in self._names), None)

    @staticmethod
    def _within(folder: Path, named: str) -> Path:
        path = (folder / named).resolve()
        if not path.is_relative_to(folder):
            raise Refused("picture_outside", f"picture {named} is not in {folder}: move it there")
        if not path.is_file():
            raise Refused("no_picture", f"there is no picture {named} in {folder}")
        return path


def load(path: Path) -> bytes:
    """A picture's content, as far as it may be that large."""
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)
