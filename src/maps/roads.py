"""A router that always answers: where the one with real roads cannot, the built-in one does."""

from __future__ import annotations

from collections.abc import Sequence

from bus.messages import Position
from maps.builtin_router import BuiltinRouter
from maps.contract import Way
from maps.router import Matrix, Router, Unanswered


class Roads:
    """`router`, and the built-in one in its stead. Each answer says whose it is."""

    def __init__(self, router: Router) -> None:
        self.name = router.name
        self._router = router
        self._stand_in = BuiltinRouter()

    async def matrix(self, origins: Sequence[Position], destinations: Sequence[Position]) -> Matrix:
        """How far it is from each origin to each destination."""
        try:
            return await self._router.matrix(origins, destinations)
        except Unanswered:
            return await self._stand_in.matrix(origins, destinations)

    async def route(self, waypoints: Sequence[Position]) -> Way | None:
        """The way through these points."""
        try:
            return await self._router.route(waypoints)
        except Unanswered:
            return await self._stand_in.route(waypoints)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._router.close()
