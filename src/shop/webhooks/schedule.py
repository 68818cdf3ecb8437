"""When what was not taken is tried again: each notice on its own, and a failing endpoint as a
whole."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

PAUSES: Final = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""Between one attempt and the next, as the specification recommends: ten attempts in 75 hours."""

WHOLE: Final = sum(PAUSES, timedelta(0))

JITTER: Final = 0.1
"""The part of a pause by which it may be longer or shorter, so that what failed together does not
come back together."""

FIRST_REST, LONGEST_REST = timedelta(seconds=1), timedelta(minutes=5)
"""How long an endpoint is left alone after it failed once, and at most."""

Draw = Callable[[float, float], float]
"""A random number between two."""


def again(attempts: int, since: datetime, now: datetime, draw: Draw) -> datetime | None:
    """When to try next after so many failed attempts, the first of them at `since` and the last of
    them now; `None`: never.

    What is tried less often, as its endpoint is left alone, is not tried for longer.
    """
    if attempts > len(PAUSES) or now - since >= WHOLE * (1 + JITTER):
        return None
    return now + PAUSES[attempts - 1] * draw(1 - JITTER, 1 + JITTER)


class Backoff:
    """How long an endpoint that does not answer is left alone: each time twice as long."""

    def __init__(self) -> None:
        self.failures = 0
        """In a row, since it last answered."""
        self._until: datetime | None = None

    def over(self, now: datetime) -> bool:
        """Whether it may be asked."""
        return self._until is None or now >= self._until

    def answered(self) -> None:
        """It lives."""
        self.failures, self._until = 0, None

    def failed(self, began: datetime, now: datetime, asked: timedelta = timedelta(0)) -> None:
        """It does not; it may have `asked` to be left alone. What began before it was left alone
        says nothing new."""
        if self._until is None or began >= self._until:
            doubled = FIRST_REST * 2 ** min(self.failures, 10)  # it may go on for days
            self.failures += 1
            self._until = now + min(max(doubled, asked), LONGEST_REST)
