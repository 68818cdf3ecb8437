"""Lists the products of a price list, each with all its rows; or says what listing it would do."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

from bus.messages import SYSTEM, Command, Principal, Query, Refused
from catalog import pictures
from catalog.commands import Listing, ListProduct, Picture, StorePicture
from catalog.folder import Folder, load
from catalog.offered import Terms, product_of
from catalog.outcome import Outcome
from catalog.queries import PreviewProduct
from catalog.row import Row
from catalog.stock_commands import GetStock

R = TypeVar("R")

OPEN_FILES = 2
"""Picture files in memory at once: one that is decoded takes 160 MB."""

SKUS = 1000
"""SKUs that are asked after at once."""


class Desk(Protocol):
    """Where commands and questions are handed in: the bus."""

    async def send(self, command: Command[R], /, *, principal: Principal = SYSTEM) -> R:
        """Have a command done."""

    async def ask(self, query: Query[R], /, *, principal: Principal = SYSTEM) -> R:
        """Have a question answered."""


class Wanted(NamedTuple):
    """A row and what it asks for."""

    row: Row
    product: ListProduct


class Enlisting:
    """Lists products on somebody's behalf, and counts what came of it."""

    def __init__(
        self, desk: Desk, folder: Folder, terms: Terms, outcome: Outcome, principal: Principal
    ) -> None:
        self._desk = desk
        self._folder = folder
        self._terms = terms
        self._outcome = outcome
        self._principal = principal
        self._files = asyncio.Semaphore(OPEN_FILES)

    async def enlist(self, batch: Sequence[Sequence[Row]]) -> None:
        """List these products; what cannot be is reported."""
        listed = await asyncio.gather(*(self._product(group) for group in batch))
        if self._terms.currency != self._outcome.currency:
            await self._ask_prices([sku for skus in listed for sku in skus])

    async def _product(self, group: Sequence[Row]) -> list[str]:
        """List one product with all its variants, or those of them that can be: their SKUs."""
        good, shown = await self._pictured(group)
        if not good:
            return []
        whole = together([each.product for each in good], tuple(shown.values()) or None)
        self._hear(good, whole)
        try:
            listings = [await self._list(whole)]
            skus = [variant.sku for variant in whole.variants]
        except Refused as refusal:
            if len(good) == 1:
                self._reject(good[0].row, refusal)
                return []
            listings, skus = [], []  # one variant is wrong: list the others
            for row, product in good:
                try:
                    alone = whole.model_copy(update={"variants": product.variants})
                    listings.append(await self._list(alone))
                    skus.append(product.variants[0].sku)
                except Refused as alone_refused:
                    self._reject(row, alone_refused)
        self._count(listings)
        self._outcome.pictures += len(shown)
        return skus

    async def _pictured(self, group: Sequence[Row]) -> tuple[list[Wanted], dict[Path, Picture]]:
        """The rows whose pictures, if they have any, are pictures; and these."""
        good: list[Wanted] = []
        shown: dict[Path, Picture] = {}
        for row in group:
            path = None
            try:
                path = self._folder.find(row)
                if path is not None and path not in shown:
                    shown[path] = await self._keep(path)
            except Refused as refusal:
                self._reject(row, refusal, f"{path}: " if path else "")
            except OSError as error:
                self._outcome.reject(row.fault("no_picture", f"{path}: {error.strerror}"))
            else:
                good.append(Wanted(row, product_of(row, self._terms)))
        return good, shown

    async def _keep(self, path: Path) -> Picture:
        async with self._files:
            content = await asyncio.to_thread(load, path)
            if self._outcome.written:
                command = StorePicture(content=content)
                return await self._desk.send(command, principal=self._principal)
            digest, _, width, height = await asyncio.to_thread(pictures.check, content)
            return Picture(digest=digest, width=width, height=height)

    async def _list(self, product: ListProduct) -> Listing:
        if self._outcome.written:
            return await self._desk.send(product, principal=self._principal)
        return await self._desk.ask(PreviewProduct(product=product), principal=self._principal)

    def _hear(self, good: Sequence[Wanted], whole: ListProduct) -> None:
        """Note the rows that are not heard in what they say of their product."""
        for row, product in good:
            for field in OF_THE_PRODUCT:
                said = getattr(product, field)
                if said is not None and said != getattr(whole, field):
                    self._outcome.overrule(f"{row.where} has another {field}")
                    break

    def _reject(self, row: Row, refusal: Refused, where: str = "") -> None:
        self._outcome.reject(row.fault(refusal.code, f"{where}{refusal.message}"))

    def _count(self, listings: Sequence[Listing]) -> None:
        if any(listing.new for listing in listings):
            self._outcome.new += 1
        elif any(listing.changes for listing in listings):
            self._outcome.changed += 1
        elif listings:
            self._outcome.unchanged += 1

    async def _ask_prices(self, skus: Sequence[str]) -> None:
        """Count those that cannot be sold yet, for they have no price in the shop's currency."""
        for first in range(0, len(skus), SKUS):
            some = tuple(skus[first : first + SKUS])
            levels = await self._desk.ask(GetStock(skus=some))
            priced = sum(level.price is not None for level in levels)
            self._outcome.not_for_sale += len(some) - priced


OF_THE_PRODUCT = ("description", "brand", "category", "categories")
"""What a product has once, whatever its rows say."""


def together(products: Sequence[ListProduct], shown: tuple[Picture, ...] | None) -> ListProduct:
    """The product that several rows are variants of; the first that says something is heard."""
    first = products[0]
    heard = {
        field: next((said for p in products if (said := getattr(p, field)) is not None), None)
        for field in OF_THE_PRODUCT
    }
    variants = tuple(variant for product in products for variant in product.variants)
    return first.model_copy(update={**heard, "variants": variants, "pictures": shown})
