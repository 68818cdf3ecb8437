"""Commands for later: a timer is a document, fired when due by whichever process holds the
lease. Late or twice does no harm: a command that has been decided, or that the rules do not want
any more, changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from pymongo import ASCENDING, DeleteMany, UpdateOne
from pymongo.database import Database
from pymongo.errors import PyMongoError

from bus.envelope import Envelope, sealed
from bus.faults import told
from bus.gathered import Gather, Seen
from bus.here import Here, enter, leave
from bus.leases import Lease
from bus.messages import Busy, Command, Refused, derived_id, now
from bus.metrics import TIMERS, from_zero
from bus.mongo import durable
from bus.policies import CallOff, Later, Schedule
from bus.tasks import ended
from bus.transport import Transport

LOOK = 1.0
"""Seconds between looks for timers that another process has set."""

SERVING = 100
"""Timers fired at once."""

LONGEST_PAUSE = 300
"""Seconds between tries of a timer whose command keeps failing, at most."""

log = structlog.get_logger(__name__)


class Timers:
    """The timers of one context, in its `timers` collection, and the work of firing them. That has
    one partition: there is little of it."""

    partitions = 1
    fit = True

    def __init__(
        self,
        context: str,
        database: Database[dict[str, Any]],
        transport: Transport,
        commands: Mapping[str, type[Command[Any]]],
        valid: Callable[[], bool] = lambda: True,
    ) -> None:
        self.name = f"{context}.timers"
        self._context = context
        from_zero(TIMERS, context, last=("done", "refused", "waits", "failed"))
        self._collection = durable(database["timers"])
        self._valid = valid
        self._transport = transport
        self.commands = commands
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

    def obeying(self, schedules: Mapping[type[Any], Schedule]) -> Gather:
        """What sets timers and calls them off as these say; a chunk's in one go, as most of what
        is set is soon called off."""

        async def obey(seen: Sequence[Seen]) -> None:
            whats: list[tuple[Later | CallOff, Envelope[Any]]] = []
            for each in seen:
                envelope = each.envelope
                whats.append((schedules[each.recorded.kind](envelope.message), envelope))
            await self.set(*whats)

        return obey

    async def waiting(self, limit: int = 100) -> list[dict[str, Any]]:
        """The timers that are set, the next first."""
        return await asyncio.to_thread(
            lambda: list(self._collection.find().sort("due", ASCENDING).limit(limit))
        )

    async def begin(self, leases: Sequence[Lease]) -> None:
        """Fire in the background until released."""
        await ended((self._task,))
        self._task = asyncio.create_task(self._run(), name=self.name)

    async def release(self, partitions: Collection[int]) -> None:
        """Stop firing."""
        await ended((self._task,))

    def done_to(self, partition: int) -> int:
        """What is done is deleted; there is no position."""
        return 0

    async def look(self) -> None:
        """Nothing can be asked."""

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
        token = enter(Here(None, timer["correlation"], timer["causation"], timer.get("trace")))
        try:
            outcome = await self._sent(timer)
        finally:
            leave(token)
        TIMERS.labels(self._context, outcome).inc()
        return outcome in ("done", "refused")

    async def _sent(self, timer: dict[str, Any]) -> str:
        """Send a timer's command; what came of it, in a word."""
        outcome = "done"
        try:
            command = self.commands[timer["type"]].model_validate(timer["data"], strict=False)
            envelope = sealed(
                command,
                id=derived_id(self.name, timer["_id"], timer["due"].isoformat()),
                correlation=timer["correlation"],
                causation=timer["causation"],
                traceparent=timer.get("trace"),
            )
            await self._transport.request(envelope)
        except Refused as refusal:  # the time has come, but the rules say no: that is an answer
            log.info("timer.refused", type=timer["type"], code=refusal.code)
            outcome = "refused"
        except (Busy, PyMongoError, OSError) as outage:
            log.warning("timer.waits", type=timer["type"], error=told(outage))
            return "waits"  # it stays due
        except Exception:
            log.exception("timer.failed", type=timer["type"], tries=timer.get("tries", 0) + 1)
            await self._put_off(timer)
            return "failed"
        await asyncio.to_thread(
            lambda: self._collection.delete_one({"_id": timer["_id"], "due": timer["due"]})
        )
        return outcome

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
        while self._valid():
            try:
                if await self.fire_due(now()) < SERVING:
                    await asyncio.sleep(LOOK)
            except PyMongoError as error:
                log.warning("timers.cannot_work", timers=self.name, error=told(error))
                await asyncio.sleep(LOOK)
            except Exception:
                log.exception("timers.failed", timers=self.name)
                await asyncio.sleep(LOOK)


def _setting(what: Later, cause: Envelope[Any]) -> UpdateOne:
    document = {
        "due": what.due,
        "type": what.command.type_name,
        "data": what.command.model_dump(exclude_none=True),
        "correlation": cause.correlation,
        "causation": cause.id,
        "trace": cause.traceparent,
    }
    fresh = {"$set": document, "$unset": {"again": "", "tries": ""}}
    return UpdateOne({"_id": what.key}, fresh, upsert=True)
