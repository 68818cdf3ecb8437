"""How the work stands: how far every reader has come, who does it, and what is due."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from bus.context import Context
from bus.messages import Event
from bus.partitions import PARTITIONS
from bus.platform import Platform, by_log

LATE = 30.0
"""Seconds for which the oldest commit may wait while somebody works, if that gets on."""

MOVES = 1.5
"""Seconds in which the stored position of a reader moves that gets on."""

WORKING, CATCHING_UP, STUCK = "working", "catching up", "stuck"
WAITING, NO_OWNER = "waiting for a lease", "no owner"


class Standing(NamedTuple):
    """How one reader of one log stands."""

    reader: str
    log: str
    position: int
    """Up to here everything is done, whatever the partition."""
    behind: int
    """Commits that are not done."""
    late: float
    """Seconds since the oldest of them."""
    held: Mapping[str, int]
    """How many partitions each living process holds."""
    parked: int
    state: str
    """Whether it gets on: `working`, `catching up`, `stuck`, `waiting for a lease`, `no owner`."""
    do: str = ""
    """What is to be done, if anything."""


class Reading(NamedTuple):
    """A reader, and the log it reads."""

    name: str
    home: Context
    source: Context
    wanted: frozenset[str]
    """The types of the events it reads."""


def readings(platform: Platform) -> list[Reading]:
    """Every reader that this release knows."""
    contexts = platform.contexts
    found = [
        Reading(f"{context.name}.{documents.key}", context, context, _names(documents.view.ids))
        for context in contexts.values()
        for documents in context.views
    ]
    for reaction in platform.bus.reactions:
        wanted = (
            *reaction.handlers,
            *reaction.policies,
            *reaction.schedules,
            *reaction.gatherings,
        )
        home = contexts[reaction.reader.partition(".")[0]]
        for log, events in by_log(dict.fromkeys(wanted)).items():
            name = f"{reaction.reader}<{log}"
            found.append(Reading(name, home, contexts[log], _names(events)))
    return sorted(found, key=lambda reading: reading.name)


def _names(events: Iterable[type[Event]]) -> frozenset[str]:
    return frozenset(event.type_name for event in events)


def standings(platform: Platform) -> list[Standing]:
    """How every reader stands. Changes nothing; blocks, for a moment longer when one is late."""
    found = _look(platform)
    if any(standing.state == STUCK for standing in found):
        time.sleep(MOVES)
        before = {standing.reader: standing.position for standing in found}
        found = [_seen_twice(standing, before[standing.reader]) for standing in _look(platform)]
    return found


def _look(platform: Platform) -> list[Standing]:
    heads = {name: head(context) for name, context in platform.contexts.items()}
    state = {name: _State(context) for name, context in platform.contexts.items()}
    return [
        _standing(reading, state[reading.home.name], heads[reading.source.name])
        for reading in readings(platform)
    ]


def _seen_twice(standing: Standing, before: int) -> Standing:
    if standing.state == STUCK and standing.position > before:
        return standing._replace(state=CATCHING_UP, do="")
    return standing


class _State:
    """What a context's database says of its readers."""

    def __init__(self, context: Context) -> None:
        database = context.database
        self.now: datetime = database.command("hello")["localTime"].replace(tzinfo=UTC)
        self.partitions: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for partition in database["readers"].find({"partition": {"$exists": True}}):
            self.partitions[partition["reader"]].append(partition)
        self.at_work = Counter(
            reader
            for member in database["members"].find({"until": {"$gt": self.now}})
            for reader in member["readers"]
        )
        self.parked = Counter(
            parked["reader"] for parked in database["parked"].find({}, {"reader": 1})
        )


def _standing(reading: Reading, state: _State, head: int) -> Standing:
    partitions = state.partitions[reading.name]
    held = Counter(
        each["owner"] for each in partitions if each["owner"] and each["until"] > state.now
    )
    begun = len(partitions) == PARTITIONS
    position = min((each["position"] for each in partitions), default=0) if begun else 0
    behind = max(head - position, 0)
    late = _age(reading.source, position + 1, state.now) if behind else 0.0
    how, do = WORKING, ""
    if not held and not state.at_work[reading.name]:
        how, do = NO_OWNER, "start `shop serve` or `shop work`"
    elif held.total() < PARTITIONS:
        how, do = WAITING, "look again in some seconds"
    elif late > LATE:
        how, do = STUCK, "see what `shop serve` says of it; start it again, or another `shop work`"
    parked = state.parked[reading.name]
    return Standing(
        reading.name,
        reading.source.name,
        position,
        behind,
        late,
        held,
        parked,
        how,
        do if behind else "",
    )


def _age(source: Context, position: int, at: datetime) -> float:
    """Seconds since a commit."""
    found = source.log.collection.find_one({"_id": position}, {"at": 1})
    return max((at - found["at"]).total_seconds(), 0.0) if found else 0.0


def head(context: Context) -> int:
    """The last position of a context's log."""
    last = context.log.collection.find_one({}, {"_id": 1}, sort=[("_id", -1)])
    return int(last["_id"]) if last else 0


def timers(contexts: Iterable[Context], limit: int) -> Iterator[dict[str, Any]]:
    """The timers that are set, the most overdue first: at most so many. Blocks."""
    found = [
        {"context": context.name, **timer}
        for context in contexts
        for timer in context.database["timers"].find().sort("due", 1).limit(limit)
    ]
    yield from sorted(found, key=lambda timer: timer["due"])[:limit]
