"""What the words of a command line mean: days, days of the week, and windows."""

from __future__ import annotations

import re
from datetime import date

import typer

from delivery.clock import WEEK, Weekday

_CLOCK = r"((?:[01]\d|2[0-3]):[0-5]\d|24:00)"
_WINDOW = re.compile(f"{_CLOCK}-{_CLOCK}")


class Unreadable(typer.BadParameter, ValueError):
    """These words mean nothing, on a command line or in a file."""


def day_of(text: str) -> date:
    """Read `2026-11-23`."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Unreadable(f"{text} is no day: write 2026-11-23, say") from None


def days_of(text: str) -> tuple[Weekday, ...]:
    """Read `mon-fri`, `sat` or `mon,wed,fri-sun`."""
    days: list[Weekday] = []
    for part in text.lower().split(","):
        first, _, last = part.strip().partition("-")
        if first not in WEEK or (last or first) not in WEEK:
            raise Unreadable(f"{text} are no days of the week: write mon-fri, say, or sat,sun")
        start, length = WEEK.index(first), len(WEEK)
        upto = (WEEK.index(last or first) - start) % length  # sat-mon goes round
        days += (WEEK[(start + after) % length] for after in range(upto + 1))
    return tuple(dict.fromkeys(days))


def window_of(text: str) -> tuple[str, str]:
    """Read `09:00-12:00`."""
    found = _WINDOW.fullmatch(text)
    if found is None:
        raise Unreadable(f"{text} is no window: write 09:00-12:00, say")
    return found[1], found[2]
