"""How many requests are worked on at once: whoever comes when all places are taken is told to come
again, before any work is done for them."""

from __future__ import annotations

from starlette.types import Scope

TURNSTILE = "turnstile"
"""Where the state of a server's connections holds its `Turnstile`."""

PLACE = "place"
"""Where a request's state holds its `Place`, if places are counted."""


WAIT = 4
"""Requests to a place that may wait beside those that are worked on: more would wait in vain."""


class Turnstile:
    """So many places, and room for some who wait."""

    def __init__(self, places: int) -> None:
        self.places = places
        self.taken = 0
        self.waiting = 0

    @property
    def full(self) -> bool:
        """Whether nobody else should be let in."""
        return self.taken >= self.places

    @property
    def crowded(self) -> bool:
        """Whether nobody else should wait."""
        return self.waiting >= WAIT * self.places

    def enter(self) -> Place:
        """Take a place. Whoever is in already, and only stepped aside, gets one even if it is one
        too many."""
        return Place(self)


class Place:
    """A request's place, from its head to the head of its answer, but for the time in which nothing
    is done for it."""

    __slots__ = ("_left", "_taken", "_turnstile", "_waits")

    def __init__(self, turnstile: Turnstile) -> None:
        self._turnstile = turnstile
        self._left = self._taken = self._waits = False
        self.resume()

    def step_aside(self) -> None:
        """Nothing can be done for now."""
        if self._taken:
            self._taken = False
            self._turnstile.taken -= 1

    def resume(self) -> None:
        """Now there is."""
        if not self._taken and not self._left:
            self._taken = True
            self._turnstile.taken += 1

    def wait(self) -> None:
        """There is nothing left to do but wait."""
        self.step_aside()
        if not self._waits:
            self._waits = True
            self._turnstile.waiting += 1

    def leave(self) -> None:
        """It is answered."""
        self._left = True
        self.step_aside()
        if self._waits:
            self._waits = False
            self._turnstile.waiting -= 1


def place(scope: Scope) -> Place | None:
    """That of a request, if places are counted where it is served."""
    found = scope.get("state", {}).get(PLACE)
    return found if isinstance(found, Place) else None
