"""Who does which part of the work: the processes at work on a context share it evenly.

Each signs in, sees who else is there, and works on its share of every reader's partitions. Only a
lease gives the right to; who is signed in merely says who should ask for it.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Protocol

import structlog
from pymongo.errors import PyMongoError

from bus.faults import told
from bus.leases import TERM, Lease, Leases, Part
from bus.tasks import ended

STORE_EVERY = 0.5
"""Seconds between stored positions; what was done since is done again after a crash."""

LOOKS = 4
"""How often in a lease's term a process renews its own and looks who else is there."""

log = structlog.get_logger(__name__)


class Duty(Protocol):
    """Work that is shared by partition."""

    @property
    def name(self) -> str:
        """What its leases are known by."""

    @property
    def partitions(self) -> int:
        """How many there are."""

    @property
    def fit(self) -> bool:
        """Whether this process can do it; if not, others should."""

    async def begin(self, leases: Sequence[Lease]) -> None:
        """Work on these too, each from behind its position."""

    async def release(self, partitions: Collection[int]) -> None:
        """Stop working on these."""

    def done_to(self, partition: int) -> int:
        """Up to here all is done."""

    async def look(self) -> None:
        """Something may have been asked of the work: see."""


class Rota:
    """What this process works on in one context, and the proof that it may."""

    def __init__(self, leases: Leases, owner: str, ring: Callable[[], None]) -> None:
        self._leases = leases
        self._owner = owner
        self._ring = ring
        self._duties: dict[str, Duty] = {}
        self._held: dict[Part, Lease] = {}
        self._stored: dict[Part, int] = {}
        self._valid_until = 0.0
        self._signs_in = True
        self._signed_in = False
        self._bell = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.fault: str | None = None
        """Why the leases cannot be kept at the moment, if they cannot."""

    def valid(self) -> bool:
        """Whether what this process holds is certainly still its own, whatever pause it woke up
        from."""
        return time.monotonic() < self._valid_until

    @property
    def stopped(self) -> bool:
        """Whether it takes part no more, for whatever reason."""
        return self._task is not None and self._task.done()

    def start(self, duties: Iterable[Duty], *, passing: bool = False) -> None:
        """Take part until stopped. Who is only passing works as long as nobody else is there."""
        self._duties = {duty.name: duty for duty in duties}
        self._signs_in = not passing
        if self._duties:
            self._task = asyncio.create_task(self._run(), name="rota")

    def ring(self) -> None:
        """Somebody came, left, or asks something: look at once."""
        self._bell.set()

    async def stop(self) -> None:
        """Stop the work and give all back, so that others go on at once."""
        if self._task is None:
            return
        await ended((self._task,))
        leases = list(self._held.values())
        await self._release(leases)
        try:
            await self._leases.give_back({lease: self._done(lease) for lease in leases})
            await self._leases.sign_out()
        except PyMongoError as error:  # then they run out by themselves
            log.warning("rota.kept_leases", error=told(error))
        self._ring()

    async def _run(self) -> None:
        looked = -TERM
        while True:
            look = self._bell.is_set() or time.monotonic() - looked >= TERM / LOOKS
            self._bell.clear()
            try:
                if not await self._store() or look:
                    await self._look()
                    looked = time.monotonic()
                self.fault = None
            except Exception as error:
                fault = told(error)
                if fault != self.fault:
                    log.warning("rota.cannot_look", error=fault, exc_info=_unexpected(error))
                self.fault = fault
            try:
                async with asyncio.timeout(STORE_EVERY):
                    await self._bell.wait()
            except TimeoutError:
                pass

    async def _store(self) -> bool:
        """Note how far the work is done; whether all that is held is still ours."""
        if self._held and not self.valid():
            log.warning("rota.leases_ran_out", leases=len(self._held))
            await self._drop(list(self._held.values()))  # somebody else may have them by now
            return False
        done = {lease: self._done(lease) for lease in self._held.values()}
        moved = {lease: to for lease, to in done.items() if to != self._stored[lease.part]}
        if not moved:
            return True
        ours = await self._leases.store(moved)
        self._stored |= {lease.part: to for lease, to in moved.items() if lease.part in self._held}
        return ours

    async def _look(self) -> None:
        """Renew what is held, and hold what should be."""
        began = time.monotonic()
        ours = await self._leases.renew()
        if self._signs_in:  # after renewing: who is not signed in any more holds nothing any more
            await self._leases.sign_in([duty.name for duty in self._duties.values() if duty.fit])
            if not self._signed_in:
                self._signed_in = True
                self._ring()  # those who are here have to make room
        if self.valid() or not self._held:
            self._valid_until = began + TERM * 0.9
        share = self._share(await self._leases.at_work())
        await self._drop(
            lease for part, lease in self._held.items() if ours.get(part) != lease.epoch
        )
        await self._hand_over([lease for part, lease in self._held.items() if part not in share])
        if strays := ours.keys() - self._held.keys() - share:
            await self._leases.let_go(strays)
        if wanted := share - self._held.keys():
            await self._begin(await self._leases.claim(wanted))
        for duty in self._duties.values():
            await duty.look()

    def _share(self, at_work: dict[str, list[str]]) -> set[Part]:
        """What this process should work on: of those at work on a reader, each the same number of
        partitions."""
        share = set()
        for duty in self._duties.values():
            members = at_work.get(duty.name, [])
            if not self._signs_in and not members:
                members = [self._owner]
            if self._owner in members:
                own = range(members.index(self._owner), duty.partitions, len(members))
                share |= {(duty.name, partition) for partition in own}
        return share

    async def _begin(self, leases: list[Lease]) -> None:
        for name, some in _by_reader(leases).items():
            await self._duties[name].begin(some)
            for lease in some:
                self._held[lease.part] = lease
                self._stored[lease.part] = lease.position

    async def _hand_over(self, leases: list[Lease]) -> None:
        if not leases:
            return
        await self._release(leases)
        done = {lease: self._done(lease) for lease in leases}
        for lease in leases:
            del self._held[lease.part]
        await self._leases.give_back(done)
        self._ring()

    async def _drop(self, leases: Iterable[Lease]) -> None:
        """Stop what is not ours any more."""
        lost = list(leases)
        await self._release(lost)
        for lease in lost:
            del self._held[lease.part]

    async def _release(self, leases: Iterable[Lease]) -> None:
        for name, some in _by_reader(leases).items():
            await self._duties[name].release([lease.partition for lease in some])

    def _done(self, lease: Lease) -> int:
        return self._duties[lease.reader].done_to(lease.partition)


def _by_reader(leases: Iterable[Lease]) -> dict[str, list[Lease]]:
    found = defaultdict(list)
    for lease in leases:
        found[lease.reader].append(lease)
    return found


def _unexpected(error: Exception) -> bool:
    return not isinstance(error, PyMongoError)
