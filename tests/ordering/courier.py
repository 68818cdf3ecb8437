"""Brings events to those who react to them, by hand: late, repeated, and in any order that a
reader may bring them in."""

from collections import defaultdict
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any, NamedTuple

from bus.envelope import Envelope, envelope_of
from bus.messages import Busy
from bus.platform import Platform
from bus.policies import Reaction


class Parcel(NamedTuple):
    """One event for one reaction."""

    reaction: Reaction
    envelope: Envelope[Any]


class Courier:
    """What readers promise is all that holds: an event comes at least once, and those of one
    stream in order."""

    def __init__(self, platform: Platform, random: Random) -> None:
        self._platform = platform
        self._random = random
        self._read: dict[str, int] = defaultdict(int)
        self._waiting: dict[tuple[str, str], list[Parcel]] = defaultdict(list)
        self._brought: list[Parcel] = []

    async def bring(self, acts: list[Callable[[], Coroutine[Any, Any, None]]]) -> None:
        """Bring everything, and what follows from it; the acts happen somewhere in between."""
        acts = list(acts)
        while True:
            await self._look()
            lanes = [lane for lane, parcels in self._waiting.items() if parcels]
            if acts and (not lanes or self._random.random() < 0.1):
                await acts.pop(0)()
            elif lanes:
                await self._next(self._random.choice(lanes))
            else:
                return

    async def _next(self, lane: tuple[str, str]) -> None:
        parcel = self._waiting[lane][0]
        if await self._hand_over(parcel, crash=self._random.random() < 0.1):
            self._brought.append(self._waiting[lane].pop(0))
        if self._brought and self._random.random() < 0.3:
            again = self._random.choice(self._brought[-20:])
            # Under its own name it is known; under another one only the rules know it.
            await self._hand_over(again, under=self._random.choice([None, f"{len(self._brought)}"]))

    async def _hand_over(
        self, parcel: Parcel, *, under: str | None = None, crash: bool = False
    ) -> bool:
        """Have the reaction do all it does, or with a `crash` only a part; whether it has."""
        (reaction, envelope), event = parcel, parcel.envelope.message
        handler = reaction.handlers.get(type(event))
        if handler is not None:
            try:
                await handler(event, envelope)
            except Busy:  # the gateway is away
                return False
            return not crash
        commands = [
            envelope.leads_to(command, under or reaction.reader, index)
            for index, command in enumerate(reaction.policies[type(event)](event))
        ]
        self._random.shuffle(commands)
        for asked in commands[: self._random.randrange(len(commands) + 1) if crash else None]:
            await self._platform.transport.request(asked)
        return not crash

    async def _look(self) -> None:
        """Sort what is new in the logs."""
        for name, context in self._platform.contexts.items():
            for commit in await context.log.read(self._read[name]):
                self._read[name] = commit.position
                for index, happened in enumerate(commit.events):
                    event, stream = happened.event, happened.stream
                    for reaction in self._platform.bus.reactions:
                        if type(event) in reaction.handlers or type(event) in reaction.policies:
                            parcel = Parcel(reaction, envelope_of(commit, index, event))
                            self._waiting[(reaction.reader, stream)].append(parcel)
