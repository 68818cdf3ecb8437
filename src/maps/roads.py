"""A router that remembers, and always answers: where the one with real roads cannot, the built-in
one does."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from bus.batch import Batch
from bus.messages import Position, derived_id
from maps.builtin_router import BuiltinRouter
from maps.contract import Leg, Way
from maps.memory import Memory
from maps.outside import SECONDS_A_CELL
from maps.router import Matrix, Router, Unanswered

LEGS_FOR = timedelta(days=1)
"""For how long a leg is believed. Roads change seldom, what a router knows of them now and then."""

WAYS_FOR = timedelta(hours=1)
"""For how long the course of a way is believed: of a van under way nobody asks for it again."""

PLACES = 6
"""Decimal places of a degree that are asked for, as many as OSRM looks at: a tenth of a metre."""

T = TypeVar("T")

PATIENCE = 2.0
"""Seconds for which somebody waits for a road; then the straight way must do."""

DOORS = 100
"""Doors to which ways are asked for together."""

Origins = tuple[Position, ...]

LEG: TypeAdapter[Leg | None] = TypeAdapter(Leg | None)
WAY: TypeAdapter[Way | None] = TypeAdapter(Way | None)


class Roads:
    """`router`, with a memory, and the built-in one in its stead. Each answer says whose it is."""

    def __init__(self, router: Router, memory: Memory) -> None:
        self.name = router.name
        self._router = router
        self._memory = memory
        self._stand_in = BuiltinRouter()
        self._to_door = Batch(self._to_doors, limit=DOORS)

    async def matrix(self, origins: Sequence[Position], destinations: Sequence[Position]) -> Matrix:
        """How far it is from each origin to each destination."""
        begins, ends = list(map(exact, origins)), list(map(exact, destinations))
        keys = [[self._key("leg", begin, end) for end in ends] for begin in begins]
        legs = await self._recalled(LEG, [key for row in keys for key in row])
        rows = [row for row, line in enumerate(keys) if any(key not in legs for key in line)]
        columns = [at for at in range(len(ends)) if any(keys[row][at] not in legs for row in rows)]
        if rows:
            asked = [begins[row] for row in rows], [ends[column] for column in columns]
            measured = await self._measured(*asked)
            fresh = {
                keys[row][column]: leg
                for row, line in zip(rows, measured, strict=True)
                for column, leg in zip(columns, line, strict=True)
            }
            own = {key: leg for key, leg in fresh.items() if leg is None or leg.source == self.name}
            self._memory.keep({key: LEG.dump_json(leg) for key, leg in own.items()}, LEGS_FOR)
            legs = {**fresh, **legs}
        return tuple(tuple(legs[key] for key in row) for row in keys)

    async def route(self, waypoints: Sequence[Position]) -> Way | None:
        """The way through these points."""
        points = list(map(exact, waypoints))
        key = self._key("way", *points)
        known = await self._recalled(WAY, [key])
        if key in known:
            return known[key]
        try:
            async with asyncio.timeout(PATIENCE):
                way = await self._router.route(points)
        except (Unanswered, TimeoutError):
            return await self._stand_in.route(points)
        self._memory.keep({key: WAY.dump_json(way)}, WAYS_FOR)
        return way

    async def close(self) -> None:
        """Let go of the connections, and have kept what is to be remembered."""
        await self._router.close()
        await self._memory.close()

    async def _measured(self, begins: Sequence[Position], ends: Sequence[Position]) -> Matrix:
        measured = None
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE + SECONDS_A_CELL * len(begins) * len(ends)):
                if len(ends) == 1:
                    measured = await self._to_door((tuple(begins), ends[0]))
                else:
                    measured = await self._asked(begins, ends)
        return measured or await self._stand_in.matrix(begins, ends)

    async def _to_doors(self, questions: list[tuple[Origins, Position]]) -> list[Matrix | None]:
        """The ways to all the doors that are asked for at this moment: one matrix for all who ask
        from the same origins, as quotes do."""
        doors: dict[Origins, dict[Position, int]] = {}
        for origins, door in questions:
            columns = doors.setdefault(origins, {})
            columns.setdefault(door, len(columns))
        asked = (self._asked(origins, tuple(columns)) for origins, columns in doors.items())
        measured = dict(zip(doors, await asyncio.gather(*asked), strict=True))
        return [
            matrix and tuple((row[doors[origins][door]],) for row in matrix)
            for origins, door in questions
            for matrix in (measured[origins],)
        ]

    async def _asked(self, begins: Sequence[Position], ends: Sequence[Position]) -> Matrix | None:
        with suppress(Unanswered):
            return await self._router.matrix(begins, ends)
        return None

    def _key(self, kind: str, *points: Position) -> str:
        numbers = (number for point in points for number in (point.lat, point.lon))
        return f"maps:{derived_id(kind, self.name, *numbers)}"

    async def _recalled(self, kind: TypeAdapter[T], keys: Sequence[str]) -> dict[str, T]:
        """What is remembered and can be read, whichever release wrote it."""
        recalled = await self._memory.recall(keys)
        found = {}
        for key in keys:
            if key in recalled:
                with suppress(ValidationError):
                    found[key] = kind.validate_json(recalled[key])
        return found


def exact(position: Position) -> Position:
    """A position as it is asked for, and remembered."""
    return Position(lat=round(position.lat, PLACES), lon=round(position.lon, PLACES))
