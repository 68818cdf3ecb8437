"""Lengths of time as an operator writes them."""

import re
from datetime import timedelta
from typing import Any

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_DURATION = re.compile(r"(\d{1,8}(?:\.\d+)?) ?(?:(s|m|h|d)|(sec|min)|(second|minute|hour|day)s?)?")


def read(value: Any) -> Any:
    """Reads `30 min`, `1.5 h`, `90` (seconds); the rest goes to pydantic, which reads ISO 8601."""
    if isinstance(value, str) and (match := _DURATION.fullmatch(value.strip().lower())):
        unit = next(filter(None, match.groups()[1:]), "s")
        return timedelta(**{_UNITS[unit[0]]: float(match[1])})
    return value


def sensible(value: timedelta) -> timedelta:
    if not timedelta(0) < value <= timedelta(days=366):
        raise ValueError("must be longer than nothing and no longer than a year")
    return value


def near(value: timedelta) -> timedelta:
    if value > timedelta(days=60):
        raise ValueError("must be no longer than 60 days: a quote looks at every slot till then")
    return value


def short(value: timedelta) -> timedelta:
    if not timedelta(0) <= value <= timedelta(minutes=1):
        raise ValueError("must be no longer than a minute, or whoever stops the shop kills it")
    return value
