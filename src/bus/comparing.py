"""Two builds of a view held against each other, document by document, at the same position."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any, NamedTuple

from pymongo import ASCENDING
from pymongo import collection as pymongo

from bus.mongo import Document

SHOWN = 20
"""Differences that are kept to be shown; the rest is counted."""

TOGETHER = 1000
"""Documents fetched at once."""

Table = pymongo.Collection[Document]

BUT_BUILD = {"build": False}


Plain = Callable[[Document], Document]


def _as_it_is(document: Document) -> Document:
    return document


class Difference(NamedTuple):
    """What a field of a document is in the live build and in the rebuilt one; `None` when it is
    not there."""

    id: str
    field: str
    live: Any
    rebuilt: Any


class Comparison:
    """What has been found so far. A document whose positions differ waits to be held against the
    other again, when both have come further."""

    def __init__(self, live: Table, rebuilt: Table, plain: Plain = _as_it_is) -> None:
        """`plain` opens what is sealed in a document: sealed twice, the same looks different."""
        self.compared = 0
        self.waiting: dict[str, int] = {}
        """The documents that wait, with the positions of the live ones."""
        self.differing: dict[str, int] = {}
        """The documents that differ, and in how many fields."""
        self.shown: list[Difference] = []
        self._live = live
        self._rebuilt = rebuilt
        self._plain = plain

    def whole(self, told: Callable[[int], None]) -> None:
        """Compare all documents; `told` hears how many have been. Blocks."""
        for number, (id, live, rebuilt) in enumerate(self._pairs(), start=1):
            self._judge(id, live, rebuilt, level=None)
            if number % TOGETHER == 0:
                told(number)

    def again(self, ids: Collection[str], *, level: int | None) -> None:
        """Compare these documents, and those that wait. `level` is the position of the log that
        both builds show, if they do: up to there nothing is left to wait for. Blocks."""
        wanted, self.waiting = sorted({*self.waiting, *ids}), {}
        for start in range(0, len(wanted), TOGETHER):
            some = wanted[start : start + TOGETHER]
            live, rebuilt = _fetched(self._live, some), _fetched(self._rebuilt, some)
            for id in some:
                self._judge(id, live.get(id), rebuilt.get(id), level=level)

    def _pairs(self) -> Iterator[tuple[str, Document | None, Document | None]]:
        """All documents of both, in the order of their ids."""
        left, right = _ordered(self._live), _ordered(self._rebuilt)
        live, rebuilt = next(left, None), next(right, None)
        while live or rebuilt:
            id = min(each["_id"] for each in (live, rebuilt) if each)
            ours = live if live and live["_id"] == id else None
            theirs = rebuilt if rebuilt and rebuilt["_id"] == id else None
            yield id, ours, theirs
            live = next(left, None) if ours else live
            rebuilt = next(right, None) if theirs else rebuilt

    def _judge(
        self, id: str, live: Document | None, rebuilt: Document | None, *, level: int | None
    ) -> None:
        together = live and rebuilt and live["position"] == rebuilt["position"]
        if not together and (level is None or (live and live["position"] > level)):
            self.waiting[id] = live["position"] if live else 0
            return
        self.compared += 1
        if self.differing.pop(id, None):  # it has changed since
            self.shown = [each for each in self.shown if each.id != id]
        if found := list(
            differences(id, live and self._plain(live), rebuilt and self._plain(rebuilt))
        ):
            self.differing[id] = len(found)
            self.shown += found[: SHOWN - len(self.shown)]


def differences(id: str, live: Document | None, rebuilt: Document | None) -> Iterator[Difference]:
    """Where two builds of a document differ, field by field; which build it is of is no
    difference."""
    if live is None or rebuilt is None:
        yield Difference(id, "document", live and "there", rebuilt and "there")
        return
    if live == rebuilt:
        return
    left, right = dict(_fields(live)), dict(_fields(rebuilt))
    for field in sorted(left.keys() | right.keys()):
        if left.get(field) != right.get(field):
            yield Difference(id, field.removeprefix("doc."), left.get(field), right.get(field))


def _fields(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value in a document that holds no other, under its path."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for name, each in inner:
        if isinstance(each, dict | list) and each:
            yield from _fields(each, f"{path}{name}.")
        else:
            yield f"{path}{name}", each


def _ordered(table: Table) -> Iterator[Document]:
    return iter(table.find({}, BUT_BUILD, batch_size=TOGETHER).sort("_id", ASCENDING))


def _fetched(table: Table, ids: list[str]) -> dict[str, Document]:
    found = table.find({"_id": {"$in": ids}}, BUT_BUILD)
    return {each["_id"]: each for each in found}
