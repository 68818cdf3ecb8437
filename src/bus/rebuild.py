"""A view built afresh from its log beside the live one, compared with it, and put in its place."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Collection
from contextlib import suppress
from functools import partial
from typing import Any, Generic, NamedTuple, TypeVar

from pymongo.errors import PyMongoError

from bus.building import Building
from bus.comparing import Comparison, Table
from bus.context import Context
from bus.keeping import ViewWork
from bus.leases import TERM, Lease, Leases
from bus.messages import Refused, new_id
from bus.partitions import PARTITIONS
from bus.tasks import ended, in_thread
from bus.views import Documents

D = TypeVar("D")

ALL = range(PARTITIONS)

NEAR = 1_000
"""Commits that may be left to fold and compare while nobody keeps the live view."""

CHUNK = 1_000
"""Commits by which the live view is brought along at once."""

FURTHEST = 2**63 - 1

Told = Callable[[str, int, int], None]
"""Hears what is being done, how much of that is done, and how much there is."""


class Report(NamedTuple):
    """What came of a rebuild."""

    against: str | None
    """The collection that it was compared with, if there was one."""
    comparison: Comparison
    position: int
    """The position of the log that it shows."""
    switched: bool


def rebuilding(context: Context, live: Documents[Any]) -> bool:
    """Whether a rebuild of a view is at work. Blocks."""
    lease = {"reader": _alone(context, live), "owner": {"$ne": None}}
    at_work = {**lease, "$expr": {"$gt": ["$until", "$$NOW"]}}
    return context.database["readers"].find_one(at_work) is not None


def _alone(context: Context, live: Documents[Any]) -> str:
    """By what lease a rebuild keeps others away."""
    return f"{context.name}.{live.key}.rebuild"


class Rebuild(Generic[D]):
    """The rebuild of one view of a context.

    The new build grows in a collection of its own, of which the server knows that only documents of
    this build belong there. Whoever still writes the old one when the new one has got its name is
    refused by that rule, however late it comes, and goes on from where the new one stands.
    """

    def __init__(
        self, context: Context, live: Documents[D], ring: Callable[[], None], told: Told
    ) -> None:
        """`ring` has all processes look who holds which lease."""
        self._context = context
        self._live = live
        self._ring = ring
        self._told = told
        self._reader = f"{context.name}.{live.key}"
        self._leases = Leases(context.database, new_id())
        self._held: dict[Lease, int] = {}  # and the positions at which to give them back
        self._build = new_id()
        self._new = Documents(
            live.view, context.database, f"{self._prefix}{self._build}", context.keyring
        )
        self._building = Building(context.log, self._new, self._build)

    @property
    def _prefix(self) -> str:
        return f"{self._live.collection.name}_next_"

    async def run(self, *, accept_differences: bool = False) -> Report:
        """Build, compare, and switch unless there are differences that nobody accepts.

        Raises `Refused` when another rebuild of the view is at work.
        """
        alone = await self._leases.claim([(_alone(self._context, self._live), 0)])
        if not alone:
            raise Refused(
                "rebuild_under_way",
                f"another rebuild of {self._live.view.name} is at work: wait for its end; one that"
                f" was ended by force counts as such for {TERM:.0f} seconds",
            )
        self._held.update(dict.fromkeys(alone, 0))
        working = asyncio.create_task(self._rebuild(accept_differences))
        keeping = asyncio.create_task(self._keep())
        try:
            await asyncio.wait((working, keeping), return_when=asyncio.FIRST_COMPLETED)
            return await (working if working.done() else keeping)
        finally:
            await ended((working, keeping))
            with suppress(PyMongoError):  # then they run out by themselves
                await self._leases.give_back(self._held)
            self._ring()

    async def _keep(self) -> Report:
        """Hold on to the leases, for as long as it takes."""
        while True:
            await asyncio.sleep(TERM / 4)
            await self._check()

    async def _check(self) -> None:
        """Renew the leases. Raises `Refused` when one has been lost."""
        held = list(self._held)
        epochs = await self._leases.renew()
        if any(epochs.get(lease.part) != lease.epoch for lease in held):
            raise Refused(
                "rebuild_overtaken",
                f"the rebuild of {self._live.view.name} stood still for so long that others went"
                " on without it: nothing has changed; run it again",
            )

    async def _rebuild(self, accept: bool) -> Report:
        await in_thread(self._begin)
        try:
            await self._advance(await self._context.log.head())
            await in_thread(self._new.make_indexes)
            rival = await in_thread(self._rival)
            against = rival.name if rival is not None else None
            of_age = against == self._live.collection.name
            comparison = Comparison(
                self._live.collection if rival is None else rival,
                self._new.collection,
                self._new.plain,
            )

            def agreed() -> bool:
                return accept or not of_age or not comparison.differing

            await self._compare(comparison)
            if agreed():
                await self._come_level(comparison, of_age)
            if agreed():
                await self._forget(comparison.differing, surely=True)
                await self._switch()
                # Again, for who had not noticed yet may have cached it again.
                await self._forget(comparison.differing, surely=False)
            return Report(against, comparison, self._building.position, agreed())
        finally:
            await in_thread(self._new.collection.drop)  # unless it has got the live one's name

    def _begin(self) -> None:
        database = self._context.database
        for name in database.list_collection_names():
            if name.startswith(self._prefix):  # of one that was interrupted
                database.drop_collection(name)
        database.create_collection(self._new.collection.name, validator=self._rule())

    def _rule(self) -> dict[str, str]:
        return {"build": self._build, "$comment": str(self._building.position)}

    def _rival(self) -> Table | None:
        """The live build; the newest of the older versions while this one has no documents."""
        view, database = self._live.view, self._context.database
        names = re.compile(rf"view_{re.escape(view.name)}_v(\d+)")
        found = [names.fullmatch(name) for name in database.list_collection_names()]
        versions = sorted(int(match[1]) for match in found if match)
        there = [
            collection
            for version in versions
            if version <= view.version
            and (collection := database[f"view_{view.name}_v{version}"]).find_one()
        ]
        return there[-1] if there else None

    async def _advance(self, to: int) -> set[str]:
        return await self._building.advance(
            to, lambda position: self._told("building", position, to)
        )

    async def _compare(self, comparison: Comparison) -> None:
        """Compare all that can be while the live one goes on."""
        total = await in_thread(self._new.collection.estimated_document_count)
        telling = partial(self._told, "comparing")
        await in_thread(lambda: comparison.whole(lambda number: telling(number, total)))
        last, left = FURTHEST, await self._left()
        while NEAR < left < last:
            changed = await self._advance(self._building.position + left)
            await in_thread(partial(comparison.again, changed, level=None))
            last, left = left, await self._left()

    async def _left(self) -> int:
        """Commits that are not in the build yet."""
        return await self._context.log.head() - self._building.position

    async def _come_level(self, comparison: Comparison, of_age: bool) -> None:
        """Take the view from those who keep it; then bring both builds to the same position, and
        compare what could not be before. An older version's is still kept by others."""
        leases = await self._leases.seize(self._reader, ALL)
        self._held.update({lease: lease.position for lease in leases})
        self._ring()
        keeper = ViewWork(self._live, self._context.cache)
        for lease in leases:
            # A document skips what it has seen.
            await keeper.begin(lease.partition, min(each.position for each in leases))
        while True:
            head = await self._context.log.head()
            if of_age:
                await self._bring_along(keeper, leases, head)
            changed = await self._advance(head)
            level = head if of_age else None
            await in_thread(partial(comparison.again, changed, level=level))
            if not of_age or not comparison.waiting:
                return
            # Whoever had not noticed yet has written what has happened since: once more. But what
            # shows more than has happened will not come right.
            if min(comparison.waiting.values()) > await self._context.log.head():
                await in_thread(partial(comparison.again, (), level=FURTHEST))
                return

    async def _bring_along(self, keeper: ViewWork[D], leases: list[Lease], to: int) -> None:
        while (position := keeper.done_to(0)) < to:
            self._told("bringing the live one along", position, to)
            commits = await self._context.log.read(position, min(CHUNK, to - position))
            await keeper.fold(commits, ALL)
            for lease in leases:
                self._held[lease] = max(lease.position, keeper.done_to(lease.partition))

    async def _switch(self) -> None:
        """One step: until then all see the old build, and from then on the new one."""
        database, name = self._context.database, self._new.collection.name

        def rename() -> None:
            self._new.collection.rename(self._live.collection.name, dropTarget=True)

        await in_thread(lambda: database.command("collMod", name, validator=self._rule()))
        await self._check()
        await in_thread(rename)
        held, self._held = self._held, {}  # from here on it does no harm to lose them
        done = dict.fromkeys(held, self._building.position)
        if not await self._leases.store(done):
            # Others have gone on without us just before: they begin again from here.
            leases = await self._leases.seize(self._reader, ALL)
            done = dict.fromkeys(leases, self._building.position)
        await self._leases.give_back(done)
        self._ring()

    async def _forget(self, ids: Collection[str], *, surely: bool) -> None:
        """Have the cache forget documents that were wrong: another one of the same version does not
        replace them there."""
        view = self._live.view
        if not ids or view.cached is None:
            return
        forgotten = await self._context.cache.drop([view.cache_key(id) for id in ids])
        if surely and not forgotten:
            raise Refused(
                "cache_away",
                f"Redis does not answer, and would go on showing {len(ids)} documents as they were"
                " before: nothing has changed; run it again when Redis is back",
            )
