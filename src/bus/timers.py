"""Commands for later: a timer is a document, fired when due by whichever process holds the
lease."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from pymongo import ASCENDING, DeleteMany, UpdateOne
from pymongo.database import Database
from pymongo.errors import PyMongoError

from bus.commits import Commit
from bus.envelope import Envelope, envelope_of, sealed
from bus.leases import TERM, LeaseLost, Leases
from bus.messages import Busy, Command, Refused, derived_id, now
from bus.mongo import durable, told
from bus.policies import CallOff, Later, Schedule
from bus.transport import Transport

LOOK = 1.0
"""Seconds between looks for timers that another process has set."""

PACE = 0.25
"""Seconds between writes: most of what is set is soon called off, and need not be written."""

SERVING = 100
"""Timers fired at once."""

LONGEST_PAUSE = 300
"""Seconds between tries of a timer whose command keeps failing, at most."""

log = structlog.get_logger(__name__)


class Timers:
    """The timers of one context, in its `timers` collection."""

    def __init__(
        self,
        context: str,
        database: Database[dict[str, Any]],
        leases: Leases,
        transport: Transport,
        commands: Mapping[str, type[Command[Any]]],
    ) -> None:
        self._name = f"{context}.timers"
        self._collection = durable(database["timers"])
        self._leases = leases
        self._transport = transport
        self._commands = commands
        self._task: asyncio.Task[None] | None = None

    def make_indexes(self) -> None:
        """Create what `fire` needs. Blocks."""
        self._collection.create_index([("due", ASCENDING)])

    async def set(self, *whats: tuple[Later | CallOff, Envelope[Any]]) -> None:
        """Set timers and call them off, each for its cause; setting one again moves it.

        Of several under one key the last counts.
        """
        latest = {what.key: (what, cause) for what, cause in whats}
        off = [what.key for what, _ in latest.values() if isinstance(what, CallOff)]
        writes: list[UpdateOne | DeleteMany] = [
            _setting(what, cause) for what, cause in latest.values() if isinstance(what, Later)
        ]
        if off:
            writes.append(DeleteMany({"_id": {"$in": off}}))
        await asyncio.to_thread(lambda: self._collection.bulk_write(writes, ordered=False))

    async def waiting(self, limit: int = 100) -> list[dict[str, Any]]:
        """The timers that are set, the next first."""
        return await asyncio.to_thread(
            lambda: list(self._collection.find().sort("due", ASCENDING).limit(limit))
        )

    def start(self) -> None:
        """Fire in the background until stopped."""
        self._task = asyncio.create_task(self._run(), name=self._name)

    async def stop(self) -> None:
        """Stop firing."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def fire_due(self, at: datetime) -> int:
        """Send the commands of the timers that are due; how many have been dealt with.

        A command's id follows from its timer, so that firing twice decides once.
        """
        wanted = {"due": {"$lte": at}, "again": {"$not": {"$gt": at}}}
        due: list[dict[str, Any]] = await asyncio.to_thread(
            lambda: list(self._collection.find(wanted).sort("due", ASCENDING).limit(SERVING))
        )
        return sum(await asyncio.gather(*map(self._fire, due)))

    async def _fire(self, timer: dict[str, Any]) -> bool:
        try:
            command = self._commands[timer["type"]].model_validate(timer["data"], strict=False)
            envelope = sealed(
                command,
                id=derived_id(self._name, timer["_id"], timer["due"].isoformat()),
                correlation=timer["correlation"],
                causation=timer["causation"],
            )
            await self._transport.request(envelope)
        except Refused as refusal:  # the time has come, but the rules say no: that is an answer
            log.info("timer.refused", timer=timer["_id"], code=refusal.code)
        except (Busy, PyMongoError, OSError) as outage:
            log.warning("timer.waits", timer=timer["_id"], error=told(outage))
            return False  # it stays due
        except Exception:
            log.exception("timer.failed", timer=timer["_id"], tries=timer.get("tries", 0) + 1)
            await self._put_off(timer)
            return False
        await asyncio.to_thread(
            lambda: self._collection.delete_one({"_id": timer["_id"], "due": timer["due"]})
        )
        return True

    async def _put_off(self, timer: dict[str, Any]) -> None:
        """Try a timer that fails again later and later, so that it holds up no other."""
        tries = timer.get("tries", 0) + 1
        again = now() + timedelta(seconds=min(2**tries, LONGEST_PAUSE))
        await asyncio.to_thread(
            lambda: self._collection.update_one(
                {"_id": timer["_id"], "due": timer["due"]},
                {"$set": {"again": again, "tries": tries}},
            )
        )

    async def _run(self) -> None:
        while True:
            try:
                lease = await self._leases.claim(self._name)
                if lease is not None:
                    await self._serve(lease)
                else:
                    await asyncio.sleep(TERM / 5)
            except LeaseLost:
                log.warning("timers.lease_lost", timers=self._name)
            except PyMongoError as error:
                log.warning("timers.cannot_work", timers=self._name, error=told(error))
                await asyncio.sleep(1)
            except Exception:
                log.exception("timers.failed", timers=self._name)
                await asyncio.sleep(1)

    async def _serve(self, lease: Any) -> None:
        loop = asyncio.get_running_loop()
        renewed = loop.time()
        try:
            while True:
                fired = await self.fire_due(now())
                if loop.time() - renewed > TERM / 4:
                    await self._leases.keep(lease, 0)
                    renewed = loop.time()
                if fired < SERVING:
                    await asyncio.sleep(LOOK)
        finally:
            await self._leases.give_back(lease, 0)


def _setting(what: Later, cause: Envelope[Any]) -> UpdateOne:
    document = {
        "due": what.due,
        "type": what.command.type_name,
        "data": what.command.model_dump(exclude_none=True),
        "correlation": cause.correlation,
        "causation": cause.id,
    }
    fresh = {"$set": document, "$unset": {"again": "", "tries": ""}}
    return UpdateOne({"_id": what.key}, fresh, upsert=True)


class TimerWork:
    """The work of the reader that sets a context's timers: each chunk of commits in one go."""

    def __init__(self, timers: Timers, schedules: Mapping[type[Any], Schedule]) -> None:
        self._timers = timers
        self._schedules = schedules
        self._position = 0

    async def begin(self, position: int) -> None:
        """Start behind a position."""
        self._position = position

    async def take(self, commits: Sequence[Commit]) -> None:
        """Set and call off; then leave time for what is set now to be called off again."""
        whats = [
            (schedule(happened.event), envelope_of(commit, index, happened.event))
            for commit in commits
            for index, happened in enumerate(commit.events)
            if (schedule := self._schedules.get(happened.kind)) is not None
        ]
        if whats:
            await self._timers.set(*whats)
        self._position = commits[-1].position
        if whats:
            await asyncio.sleep(PACE)

    def done_to(self) -> int:
        """Everything taken is done."""
        return self._position

    async def stop(self) -> None:
        """Nothing is under way between two chunks."""
