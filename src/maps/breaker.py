"""Spares a service that keeps failing, and those who would wait for it."""

from __future__ import annotations

import time
from collections.abc import Callable

FAILURES = 3
"""Failures in a row after which a service is not asked."""

COOL_DOWN = 10.0
"""Seconds until one call tries it again."""


class Breaker:
    """Closed while calls succeed. Open after some failures in a row; then one call at a time, each
    after a while, tries whether the service is back."""

    def __init__(
        self,
        failures: int = FAILURES,
        cool_down: float = COOL_DOWN,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit = failures
        self._cool_down = cool_down
        self._clock = clock
        self._failures = 0
        self._next_try = 0.0

    @property
    def open(self) -> bool:
        """Whether the service is not asked, but for a try now and then."""
        return self._failures >= self._limit

    def admits(self) -> bool:
        """Whether a call may be made now. The one that is let through an open breaker need not
        tell how it fared: the next one is let through after a while in any case."""
        if not self.open:
            return True
        now = self._clock()
        if now < self._next_try:
            return False
        self._next_try = now + self._cool_down
        return True

    def succeeded(self) -> None:
        """A call was answered."""
        self._failures = 0

    def failed(self) -> None:
        """A call was not answered."""
        self._failures += 1
        self._next_try = self._clock() + self._cool_down
