"""A collection whose inserts a test can watch, hold back and spoil."""

import threading
from collections.abc import Callable
from typing import Any

from pymongo.errors import AutoReconnect

Documents = list[dict[str, Any]]
Insert = Callable[[Documents], Any]
Meddle = Callable[[Insert, Documents], Any]


class Meddled:
    """Stands before a collection. `meddle` gets each ordered insert and its documents."""

    def __init__(self, collection: Any, meddle: Meddle | None = None) -> None:
        self._collection = collection
        self.meddle: Meddle = meddle or (lambda insert, documents: insert(documents))
        self.groups: list[int] = []

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return type(self._collection)  # `isinstance` sees what stands behind

    def __getattr__(self, name: str) -> Any:
        return getattr(self._collection, name)

    def insert_many(self, documents: Documents, ordered: bool = True) -> Any:
        """The one call with which a log writes."""
        self.groups.append(len(documents))
        return self.meddle(
            lambda some: self._collection.insert_many(some, ordered=ordered), documents
        )


class Gate:
    """Holds every insert back until it is opened."""

    def __init__(self) -> None:
        self._reached = threading.Event()
        self._open = threading.Event()

    def __call__(self, insert: Insert, documents: Documents) -> Any:
        self._reached.set()
        assert self._open.wait(30), "the gate was never opened"
        return insert(documents)

    def reached(self) -> None:
        """Return when the writer stands before the gate."""
        assert self._reached.wait(15), "the writer never came"

    def open(self) -> None:
        """Let through what waits, and all that follows."""
        self._open.set()


class Once:
    """Does something else with the first insert; the later ones pass."""

    def __init__(self, first: Meddle) -> None:
        self._first: Meddle | None = first

    def __call__(self, insert: Insert, documents: Documents) -> Any:
        first, self._first = self._first, None
        return first(insert, documents) if first is not None else insert(documents)


def drop(insert: Insert, documents: Documents) -> None:
    """The request never arrives."""
    raise AutoReconnect("the connection broke before the request")


def lose_the_answer(insert: Insert, documents: Documents) -> None:
    """The request is carried out, but nobody hears of it."""
    insert(documents)
    raise AutoReconnect("the connection broke before the answer")


def cut_short(insert: Insert, documents: Documents) -> None:
    """The server dies in the middle of the group."""
    insert(documents[: len(documents) // 2])
    raise AutoReconnect("the connection broke before the answer")
