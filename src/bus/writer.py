"""Group commit: one thread per log turns everything queued into one ordered insert.

A position is claimed by inserting at head + 1. The next one is claimed only when that one is
majority-committed, or stands before it in the same ordered insert: so what a majority sees is
always a dense prefix, with no counter, no clock and no lock.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import accumulate, chain
from typing import Any

import bson
import structlog
from pymongo import DESCENDING
from pymongo.collection import Collection
from pymongo.errors import BulkWriteError, PyMongoError

from bus.commits import Commit
from bus.faults import told
from bus.messages import Busy
from bus.metrics import APPEND_BATCH, APPEND_SECONDS, APPENDS, EVENTS, UNCERTAIN, from_zero
from bus.mongo import Document, numbered
from bus.pending import Conflict, Pending, Repeated

GROUP = 500
"""Decisions in one insert, at most."""

INSERT_BYTES = 16 * 1024 * 1024
"""Size of an insert from which on nothing joins it. The driver would send one over 48 MB in parts,
and after a failure of one part might go on with the next, behind positions that are rolled back."""

LINGER = 0.002
"""Seconds for more decisions to join, when the last group was more than one: under load a moment's
wait makes one insert of what would be several. Who comes alone goes at once."""

PATIENCE = 15.0
"""Seconds for which the writer tries to find out what became of a group before it answers
`Busy`."""

DUPLICATE = 11000
"""MongoDB's code for a unique index that refuses."""

log = structlog.get_logger(__name__)


class Writer:
    """The one thread that appends to a log."""

    def __init__(
        self,
        context: str,
        collection: Collection[dict[str, Any]],
        capacity: int,
        encode: Callable[[Sequence[Pending]], None],
        settle: Callable[[list[Pending]], None],
        hear: Callable[[list[Document]], None],
    ) -> None:
        self._context = context
        self._collection = collection
        self._capacity = capacity
        self._encode = encode
        self._settle = settle
        self._hear = hear
        self._queue: queue.SimpleQueue[Pending | None] = queue.SimpleQueue()
        self._latency = APPEND_SECONDS.labels(context)
        self._batch = APPEND_BATCH.labels(context)
        from_zero(APPENDS, context, last=("committed", "conflict", "repeated", "refused", "failed"))
        from_zero(UNCERTAIN, last=(context,))
        self._head: int | None = None
        self._taken: set[tuple[str, int]] = set()  # what others wrote last, as far as it is known
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name=f"{context}-writer", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Write what is queued, then end the thread. Blocks."""
        self._queue.put(None)
        self._thread.join()

    @property
    def waiting(self) -> int:
        """How many decisions are queued."""
        return self._queue.qsize()

    def submit(self, pending: Pending) -> None:
        """Queue a decision; raises `Busy` when `capacity` wait already."""
        if self._queue.qsize() >= self._capacity:
            raise Busy(
                f"{self._capacity} decisions wait for the {self._context} log; "
                "try again in a moment"
            )
        self._queue.put(pending)

    def _run(self) -> None:
        for group in self._groups():
            self._write(group)
            self._loop.call_soon_threadsafe(self._settle, group)
            self._measure(group)

    def _measure(self, group: list[Pending]) -> None:
        """Count what became of a group."""
        at = time.perf_counter()
        self._batch.observe(len(group))
        for pending in group:
            self._latency.observe(at - pending.since)
        for became, decisions in Counter(pending.became for pending in group).items():
            APPENDS.labels(self._context, became).inc(decisions)
        happened = (p.events for p in group if isinstance(p.verdict, Commit))
        for kind, events in Counter(each.kind for each in chain.from_iterable(happened)).items():
            EVENTS.labels(kind.type_name).inc(events)

    def _groups(self) -> Iterator[list[Pending]]:
        """Everything that is queued, again and again, until told to stop."""
        group: list[Pending] = []
        while (first := self._queue.get()) is not None:
            if len(group) > 1:
                time.sleep(LINGER)
            group = [first]
            while len(group) < GROUP:
                try:
                    following = self._queue.get_nowait()
                except queue.Empty:
                    break
                if following is None:
                    yield group
                    return
                group.append(following)
            yield group

    def _write(self, group: list[Pending]) -> None:
        """Bring every decision of the group to a verdict. Never raises."""
        give_up = time.monotonic() + PATIENCE
        pause = 0.001
        while todo := self._undecided(group):
            trouble = "what others wrote last is not confirmed by a majority"
            try:
                if fresh := [pending for pending in todo if not pending.body]:
                    self._encode(fresh)
                    continue  # some may have failed, and others with them
                if self._insert(todo):
                    pause = 0.001
                    continue
            except Exception as error:  # whatever it was: find out what became of the group
                trouble = told(error)
                UNCERTAIN.labels(self._context).inc()
                log.warning(
                    "log.uncertain", context=self._context, decisions=len(todo), error=trouble
                )
                self._head = None
                for pending in todo:
                    pending.in_doubt = True
                pause = max(pause, 0.05)
                with suppress(PyMongoError):  # still away: the next insert will tell
                    self._look_up(todo)
            if time.monotonic() > give_up:
                group.extend(self._queued())  # they need not wait as long, each group in turn
                for pending in self._undecided(group):
                    pending.verdict = Busy(
                        f"the {self._context} log cannot be written now: {trouble}", 5
                    )
                return
            time.sleep(pause)  # another process is ahead, or the server is away: give it a moment
            pause = min(pause * 2, 0.5)

    def _queued(self) -> Iterator[Pending]:
        """What waits in the queue now."""
        with suppress(queue.Empty):
            while True:
                pending = self._queue.get_nowait()
                if pending is None:  # the word to stop: it stays
                    self._queue.put(None)
                    return
                yield pending

    def _undecided(self, group: list[Pending]) -> list[Pending]:
        """What is still to be written, without the decisions that have failed already."""
        todo = []
        for pending in group:
            if pending.verdict is None and any(basis.failed for basis in pending.after):
                pending.verdict = Conflict("made upon a decision that failed")
            elif pending.verdict is None and (taken := self._taken.intersection(pending.writes)):
                pending.verdict = Conflict("another process was faster", taken)
            if pending.verdict is None:
                todo.append(pending)
        return todo

    def _insert(self, todo: list[Pending]) -> bool:
        """One ordered insert at head + 1; whether it got us on. Raises when nobody knows."""
        if self._head is None:
            self._head = head_of(self._collection)
        first = self._head + 1
        todo = fitting(todo)
        documents = [
            numbered(self._collection, position, pending.body)
            for position, pending in enumerate(todo, first)
        ]
        failure: dict[str, Any] | None = None
        done = len(todo)
        try:
            self._collection.insert_many(documents, ordered=True)
        except BulkWriteError as error:
            details: Any = error.details
            failure = next(iter(details.get("writeErrors", ())), None)
            if failure is None or details.get("writeConcernErrors"):
                raise
            done = int(failure["index"])
        for position, pending in enumerate(todo[:done], first):
            pending.verdict = pending.commit(position)
        self._head += done
        if failure is None:
            return True
        if failure.get("code") != DUPLICATE:  # this one the server won't take; the others it may
            todo[done].verdict = Busy(f"the {self._context} log refuses it: {failure['errmsg']}", 5)
            return True
        return self._refused(todo[done:], self._head + 1, failure.get("keyPattern")) or done > 0

    def _refused(self, todo: list[Pending], position: int, key: dict[str, Any] | None) -> bool:
        """A unique index refused the first of these decisions: give the verdict, or make ready to
        try again."""
        pending = todo[0]
        if key is None or "_id" not in key:
            self._look_up([pending])
            if pending.verdict is not None:
                return True
            if key is None:  # mongomock does not say which index it was: look
                taken = self._collection.find_one({"_id": position}, {"_id": 1})
                key = {"_id": 1} if taken else {"writes.stream": 1}
            if "command" in key:
                return False  # decided, but no majority has it yet: it will appear, or go away
            if "_id" not in key:
                pending.verdict = Conflict("another process was faster", pending.writes)
                return True
        self._head = self._give_way(todo, position)
        return self._head >= position  # if not, no majority has yet what took the position

    def _give_way(self, todo: list[Pending], position: int) -> int:
        """Others have written from this position on: see what, and have it heard of before what it
        has made old is decided again. Returns the new head."""
        found = self._collection.find({"_id": {"$gte": position}}).sort("_id", 1)
        others = list(found.limit(GROUP))
        if not others or len(others) == GROUP:
            return head_of(self._collection)
        self._loop.call_soon_threadsafe(self._hear, others)
        ours = {pending.command for pending in todo}  # if only the answer was lost
        self._taken = {
            (write["stream"], write["version"])
            for each in others
            if each["command"] not in ours
            for write in each["writes"]
        }
        return int(others[-1]["_id"])

    def _look_up(self, todo: list[Pending]) -> None:
        """Give the verdict on every command that stands in the log already, by whoever's hand."""
        commands = [pending.command for pending in todo]
        found = {
            each["command"]: each for each in self._collection.find({"command": {"$in": commands}})
        }
        for pending in todo:
            if (document := found.get(pending.command)) is None:
                continue
            position = int(document.pop("_id"))
            # It is ours, if only the answer was lost; then what was made upon it stands too. Else
            # it is a twin's, decided elsewhere in the same millisecond.
            if pending.in_doubt and bson.encode(document) == pending.body:
                pending.verdict = pending.commit(position)
            else:
                pending.verdict = Repeated(position)


def fitting(todo: list[Pending]) -> list[Pending]:
    """As many of these decisions, from the first on, as one insert may have."""
    sizes = accumulate(len(pending.body) for pending in todo)
    return todo[: 1 + sum(1 for size in sizes if size < INSERT_BYTES)]


def head_of(collection: Collection[dict[str, Any]]) -> int:
    """The last position a majority has; 0 in an empty log."""
    last = collection.find_one({}, {"_id": 1}, sort=[("_id", DESCENDING)])
    return int(last["_id"]) if last else 0
