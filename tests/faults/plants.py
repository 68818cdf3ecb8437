"""Faults planted in the product, by this switch in test code only: the suite must find each."""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from pymongo import WriteConcern
from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from bus import cache, mongo
from bus.lanes import Lanes
from bus.freshness import Freshness
from bus.leases import Leases
from bus.tasks import in_thread
from bus.writer import Pending, Writer, head_of
from payment.gateway import Outcome
from tests.faults.ledger import Call
from tests.faults.remote_gateway import RemoteGateway

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
    replace(Lanes, "done_to", lambda self: self._taken)


def new_key_per_retry() -> None:
    """Asked again, the gateway takes it for another call."""
    asked: Counter[str] = Counter()

    async def forgetful(self: RemoteGateway, call: Call) -> Outcome:
        asked[call.key] += 1
        again = f"{call.key}-{asked[call.key]}" if asked[call.key] > 1 else call.key
        own = {"key": again, "authorization": again} if call.operation == "authorize" else {}
        outcome: Outcome = await real(self, Call(**{**vars(call), "key": again, **own}))
        return outcome

    real = replace(RemoteGateway, "_call", forgetful)


def no_fencing() -> None:
    """Whoever thinks that he holds a lease may store a position."""

    async def keep(self: Leases, lease: Any, position: int) -> None:
        renewed = {"$set": {"position": position}}
        await in_thread(lambda: self._collection.update_one({"_id": lease.name}, renewed))

    replace(Leases, "keep", keep)


def accept_older() -> None:
    """What comes last to the cache stays there, however old it is, and whoever reads it believes
    it."""
    Freshness.vouches = lambda self, stream, position: True  # type: ignore[method-assign]
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
        accept_older,
    )
}
