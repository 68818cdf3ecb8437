"""Faults planted in the product, by this switch in test code only: the suite must find each."""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from pymongo import WriteConcern
from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from bus import cache, mongo
from bus.commits import Commit
from bus.feed import Feed
from bus.freshness import Freshness
from bus.handling import Share
from bus.leases import Lease, Leases
from bus.pending import Pending
from bus.rota import Rota
from bus.tasks import in_thread
from bus.writer import Writer, head_of
from payment.gateway import Outcome
from payment.stripe import StripeGateway

BEHIND = 0.1
"""Seconds by which a write comes after its acknowledgement, where that is planted."""


def replace(owner: Any, name: str, by: Any) -> Any:
    """Put something else in the place of what is there; what was there."""
    there = getattr(owner, name)  # raises when a plant does not fit the product any more
    setattr(owner, name, by)
    return there


def shorten_leases(seconds: float) -> None:
    """No fault: let the leases of the dead run out sooner."""
    for name, module in list(sys.modules.items()):
        if name.startswith("bus.") and hasattr(module, "TERM"):
            replace(module, "TERM", seconds)


def no_unique_index() -> None:
    """Two processes may write the same version of a stream."""

    def careless(self: Collection[Any], keys: Any, **options: Any) -> Any:
        if options.get("name") == "writes":
            with suppress(OperationFailure):
                self.drop_index("writes")
            options["unique"] = False
        return create(self, keys, **options)

    create = replace(Collection, "create_index", careless)


def weak_writes() -> None:
    """One node's memory is enough."""
    replace(mongo, "MAJORITY", WriteConcern(1, j=False))


def acknowledge_before_append() -> None:
    """The log is written a moment after everybody was told that it is."""

    def write_behind(self: Writer, group: list[Pending]) -> None:
        first = (self._head or head_of(self._collection)) + 1
        for position, pending in enumerate(group, first):
            pending.verdict = pending.commit(position)
        told = threading.Event()

        def tell() -> None:
            self._settle(group)
            told.set()

        self._loop.call_soon_threadsafe(tell)
        told.wait()
        time.sleep(BEHIND)
        for pending in group:
            pending.verdict = None
        write(self, group)

    write = replace(Writer, "_write", write_behind)


def position_before_effect() -> None:
    """What was taken up counts as done."""
    replace(Share, "done_to", lambda self: self.taken)


def new_key_per_retry() -> None:
    """Asked again, the gateway takes it for another call."""
    asked: Counter[str] = Counter()

    def forgetful(operation: str) -> None:
        async def call(self: StripeGateway, key: str, *about: Any) -> Outcome:
            asked[key] += 1
            again = f"{key}-{asked[key]}" if asked[key] > 1 else key
            outcome: Outcome = await real(self, again, *about)
            return outcome

        real = replace(StripeGateway, operation, call)

    for operation in ("authorize", "capture", "void", "refund"):
        forgetful(operation)


def no_fencing() -> None:
    """Whoever once held a lease may store a position, and work on."""

    async def write(self: Leases, done: Mapping[Lease, int], more: Mapping[str, Any]) -> bool:
        for lease, position in done.items():
            id, change = f"{lease.reader}/{lease.partition}", {"position": position, **more}
            await in_thread(partial(self._collection.update_one, {"_id": id}, {"$set": change}))
        return True

    replace(Leases, "_write", write)
    replace(Rota, "valid", lambda self: True)


def skip_holes() -> None:
    """What comes early is taken for what comes next."""

    def accept(self: Feed, commits: Sequence[Commit]) -> None:
        if fresh := [commit for commit in commits if commit.position > self.head]:
            self._extend(fresh)

    async def after(self: Feed, position: int, limit: int) -> list[Commit]:
        await self.reached(position + 1)
        there = range(position + 1, min(position + limit, self.head) + 1)
        found = [self._tail[at] for at in there if at in self._tail]
        return found or list(await real(self, position, limit))

    replace(Feed, "_accept", accept)
    real = replace(Feed, "after", after)


def accept_older() -> None:
    """What comes last to the cache stays there, however old it is, and whoever reads it believes
    it."""
    replace(Freshness, "vouches", lambda self, stream, position: True)
    worse = """
    for n = 1, #KEYS do
      redis.call('SET', KEYS[n], ARGV[n + 1], 'EX', ARGV[1])
    end
    """
    replace(cache, "PUT", worse)


PLANTS: Mapping[str, Callable[[], None]] = {
    plant.__name__: plant
    for plant in (
        no_unique_index,
        weak_writes,
        acknowledge_before_append,
        position_before_effect,
        new_key_per_retry,
        no_fencing,
        skip_holes,
        accept_older,
    )
}
