"""What must be true of a log, looked at beside live traffic: `shop log verify`."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any, NamedTuple

from pydantic import ValidationError
from pymongo import ASCENDING, DESCENDING
from pymongo.client_session import ClientSession

from bus.commits import UnknownEvent
from bus.log import Log
from bus.messages import unfit

Row = Mapping[str, Any]

CHUNK = 2000
"""Commits fetched at once."""

KEPT = 20
"""Faults that are kept, the first ones of the log; the others are only counted."""

INDEXES = {"command": ["command"], "writes": ["writes.stream", "writes.version"]}
"""The unique indexes that a log rests on, and their keys."""

WRITES: list[Mapping[str, Any]] = [
    {"$unwind": "$writes"},
    {"$project": {"stream": "$writes.stream", "version": "$writes.version"}},
    {"$sort": {"stream": ASCENDING, "version": ASCENDING, "_id": ASCENDING}},
]
"""Every write of every commit, by stream and version."""


class Fault(NamedTuple):
    """Something in a log that should not be so."""

    position: int
    """Where in the log; 0 when it is about the whole of it."""
    where: str
    """The stream, the command, the event or the index."""
    what: str

    def __str__(self) -> str:
        place = f"position {self.position}" if self.position else ""
        return f"{', '.join(filter(None, (place, self.where)))}: {self.what}"


class Audit:
    """One look at a log, up to where it ended when the look began.

    It takes little memory, however long the log: what must be compared with all else is sorted by
    MongoDB, which may use its disk for that, and only neighbours are compared. Every read is at
    majority and after the first in time, so what is written meanwhile is no fault.
    """

    def __init__(
        self, log: Log, told: Callable[[str, int, int], None] = lambda what, done, total: None
    ) -> None:
        """`told` hears what is read, how many of them have been, and of how many."""
        self._collection = log.collection
        self._codec = log.codec
        self._told = told
        self.commits = 0
        """Commits in the log."""
        self.faults: list[Fault] = []
        """The first of them by position, `KEPT` at most."""
        self.count = 0
        """How many faults there are."""

    def run(self) -> None:
        """Look at all of it. Blocks."""
        with self._collection.database.client.start_session() as session:
            # The session's later reads, whichever server answers, see all that this one sees.
            last = self._collection.find_one(
                {}, {"_id": 1}, sort=[("_id", DESCENDING)], session=session
            )
            self.commits = last["_id"] if last else 0
            for check in (self._indexes, self._each, self._streams, self._commands):
                for fault in check(session):
                    self.count += 1
                    insort(self.faults, fault)
                    del self.faults[KEPT:]

    def _indexes(self, session: ClientSession) -> Iterator[Fault]:
        """Nothing but these keeps two processes from writing the same."""
        found = self._collection.index_information(session=session).values()
        if not found:
            return  # there is no log yet: no process has ever opened it
        unique = [
            [field for field, _ in index["key"]]
            for index in found
            if index.get("unique") and "partialFilterExpression" not in index
        ]
        for name, fields in INDEXES.items():
            if fields not in unique:
                yield Fault(
                    0,
                    f"index {name}",
                    f"nothing keeps {' and '.join(fields)} unique; the next process that starts "
                    "makes the index, unless something stands twice already",
                )

    def _each(self, session: ClientSession) -> Iterator[Fault]:
        """Every position is there, and what stands there can be read."""
        done = 0
        while done < self.commits:
            behind = {"_id": {"$gt": done, "$lte": self.commits}}
            found = self._collection.find(behind, session=session, batch_size=CHUNK)
            for document in found.sort("_id", ASCENDING).limit(CHUNK):
                missing, done = document["_id"] - done - 1, document["_id"]
                if missing:
                    and_more = f", and so are {missing - 1} behind it" if missing > 1 else ""
                    yield Fault(done - missing, "", f"is missing{and_more}")
                yield from self._readable(document)
            self._told("commits", done, self.commits)

    def _readable(self, document: Mapping[str, Any]) -> Iterator[Fault]:
        position = document["_id"]
        try:
            commit = self._codec.commit(document)
        except UnknownEvent as error:
            yield Fault(position, "", str(error))
            return
        except Exception as error:  # whatever stands there: tell it, and go on
            yield Fault(position, "", f"cannot be read: {error!r}")
            return
        for happened in commit.events:
            try:
                _ = happened.event  # it is read when first asked for
            except Exception as error:
                what = unfit(error) if isinstance(error, ValidationError) else repr(error)
                where = f"{happened.stream} version {happened.version}"
                yield Fault(position, where, f"{happened.kind.type_name} cannot be read: {what}")

    def _streams(self, session: ClientSession) -> Iterator[Fault]:
        """A stream's versions count 1, 2, 3 ..., in the order of the log."""
        stream, version, position = None, 0, 0
        up_to: Mapping[str, Any] = {"$match": {"_id": {"$lte": self.commits}}}
        rows = self._collection.aggregate(
            [up_to, *WRITES], session=session, allowDiskUse=True, batchSize=CHUNK
        )
        for row in self._counted("versions", rows):
            if row.get("stream") != stream:
                stream, version, position = row.get("stream"), 0, 0
            this = row.get("version")
            what = ""
            if not isinstance(this, int):
                what = "is no version"
            elif this == version:
                what = f"stands at position {position} too"
            elif this != version + 1:
                what = f"there is no version {version + 1} before it"
            elif row["_id"] <= position:
                what = f"does not come behind version {version}, which is at position {position}"
            if what:
                yield Fault(row["_id"], f"{stream} version {this}", what)
            if isinstance(this, int):
                version, position = this, row["_id"]

    def _commands(self, session: ClientSession) -> Iterator[Fault]:
        """Every command was decided once. Where there is an index, nothing else is read."""
        rows = self._collection.find(
            {}, {"_id": 0, "command": 1}, session=session, allow_disk_use=True, batch_size=CHUNK
        ).sort("command", ASCENDING)
        counted = self._counted("commands", rows)
        for command, same in groupby(counted, lambda row: row.get("command")):
            if sum(1 for _ in same) > 1:
                found = self._collection.find({"command": command}, {"_id": 1}, session=session)
                first, *later = (each["_id"] for each in found.sort("_id", ASCENDING))
                what = f"was decided before, at position {first}"
                yield from (Fault(position, f"command {command}", what) for position in later)

    def _counted(self, what: str, rows: Iterable[Row]) -> Iterator[Row]:
        for number, row in enumerate(rows, start=1):
            yield row
            if number % CHUNK == 0:
                self._told(what, number, max(number, self.commits))
