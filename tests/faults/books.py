"""What stands in a shop's logs, read straight from MongoDB: the truth that all else is held
against."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pymongo import MongoClient
from pymongo.database import Database

from bus.commits import Commit
from bus.context import Context
from bus.views import Documents, Stored
from catalog import item as items
from catalog.item import Item, ItemEvent
from ordering.order import Order, OrderEvent, OrderPlaced, evolve
from ordering.views import present
from shop.container import Shop
from shop.running import assembled
from shop.settings import Settings


@dataclass
class Shelf:
    """The pieces of one SKU as the orders have it."""

    reserved: int = 0
    allocated: int = 0
    shipped: int = 0


@dataclass
class Book:
    """One context's log."""

    context: Context
    commits: list[Commit] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    _versions: Counter[str] = field(default_factory=Counter)
    _commands: set[str] = field(default_factory=set)

    def add(self, commit: Commit) -> None:
        """The next commit, which must follow from those before."""
        said = f"{self.context.name} log at {commit.position}"
        self.commits.append(commit)
        if commit.position != len(self.commits):
            self.faults.append(f"{said}: position {len(self.commits)} is missing")
        if commit.command in self._commands:
            self.faults.append(f"{said}: command {commit.command} was decided before")
        self._commands.add(commit.command)
        for stream, version in commit.writes:
            if version != self._versions[stream] + 1:
                before = self._versions[stream]
                self.faults.append(f"{said}: {stream} goes from version {before} to {version}")
            self._versions[stream] = version


class Books:
    """The logs of all contexts, as far as they have been read."""

    def __init__(self, mongo: MongoClient[dict[str, Any]], settings: Settings) -> None:
        self._shop: Shop = assembled(settings)
        self._mongo = mongo
        self._prefix = settings.mongodb_prefix
        self.books = {
            name: Book(context)
            for name, context in self._shop.platform().contexts.items()
            if context.log.codec.types
        }
        self.orders: dict[str, Order] = {}
        self.versions: dict[str, int] = {}
        """Of each order."""
        self.buyers: dict[str, list[str]] = defaultdict(list)
        """The orders of each buyer."""
        self.items: dict[str, Item] = {}
        self._then: dict[tuple[str, int], Order] = {}

    def close(self) -> None:
        """Let go of the servers."""
        self._shop.mongo().close()

    def database(self, name: str) -> Database[dict[str, Any]]:
        """A context's database."""
        return self._mongo[f"{self._prefix}_{name}"]

    def read(self) -> Books:
        """Read on from where it was."""
        for name, book in self.books.items():
            behind = {"_id": {"$gt": len(book.commits)}}
            for document in self.database(name)["log"].find(behind).sort("_id", 1):
                commit = book.context.log.codec.commit(document)
                book.add(commit)
                try:
                    self._take(commit)
                except (ValueError, TypeError) as error:
                    book.faults.append(f"{name} log at {commit.position}: {error}")
        return self

    @property
    def faults(self) -> list[str]:
        """What is wrong with the logs themselves."""
        return [fault for book in self.books.values() for fault in book.faults]

    def shown(self, order_id: str, version: int) -> dict[str, Any] | None:
        """An order at a version, as a client is to see it; `None` where there is none."""
        order = self._then.get((order_id, version))
        if order is None:
            return None
        shown: dict[str, Any] = present(order, version).model_dump(mode="json", exclude_none=True)
        return shown

    def shelves(self) -> dict[str, Shelf]:
        """What the orders say that the shelves should hold."""
        shelves: dict[str, Shelf] = defaultdict(Shelf)
        for order in self.orders.values():
            for line in order.items:
                shelf = shelves[line.sku]
                shelf.reserved += line.quantity * (order.status == "pending")
                kept = order.status == "confirmed" and not order.shipped
                shelf.allocated += line.quantity * kept
                shelf.shipped += line.quantity * order.shipped
        return shelves

    def sold(self) -> Counter[str]:
        """Pieces that were ever in the house, by SKU."""
        house: Counter[str] = Counter()
        for commit in self.books["catalog"].commits:
            for happened in commit.events:
                if isinstance(happened.event, items.StockAdjusted):
                    house[happened.event.sku] += happened.event.change
                if isinstance(happened.event, items.StockReceived):
                    house[happened.event.sku] += happened.event.quantity
        return house

    def views(self) -> Iterator[tuple[str, Documents[Any], Mapping[str, Stored[Any]]]]:
        """Each view, and its documents as they are when built from the log afresh."""
        for book in self.books.values():
            for documents in book.context.views:
                yield documents.key, documents, rebuilt(documents, book.commits)

    def _take(self, commit: Commit) -> None:
        for happened in commit.events:
            event = happened.event
            if isinstance(event, OrderPlaced):
                self.buyers[event.buyer_id].append(event.order_id)
            if isinstance(event, OrderEvent):
                order = evolve(self.orders.get(event.order_id), event)
                self.orders[event.order_id] = order
                self.versions[event.order_id] = happened.version
                self._then[event.order_id, happened.version] = order
            elif isinstance(event, ItemEvent):
                self.items[event.sku] = items.evolve(self.items.get(event.sku), event)


def rebuilt(documents: Documents[Any], commits: Iterable[Commit]) -> dict[str, Stored[Any]]:
    """A view's documents, from nothing but its function and the log."""
    view = documents.view
    built: dict[str, Stored[Any]] = {}
    for commit in commits:
        for happened in commit.events:
            if (id_of := view.ids.get(type(happened.event))) is None:
                continue
            id = id_of(happened.event)
            before = built.get(id)
            doc = view.evolve(before.doc if before else None, happened.event)
            first = before.first if before else commit.position
            built[id] = Stored(id, doc, happened.version, commit.position, first)
    return built
