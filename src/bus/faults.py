"""How an error is told where others may read it, in the process' log or by `/readyz`: of what kind
it is and where it happened, and none of the values that it quotes. Those may be somebody's address,
or a key."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pymongo.errors import BulkWriteError, ConnectionFailure, OperationFailure
from redis.exceptions import ConnectionError as RedisAway

from bus.commits import UnknownEvent
from bus.messages import Busy, Refused
from bus.transport import NoHandler

SOURCE = Path(__file__).parent.parent

LONGEST = 160
"""Characters of an error that are told."""

FIELDS = 5
"""Fields of something unreadable that are named."""


def told(error: BaseException) -> str:
    """One line."""
    match error:
        case Refused():
            said = f"{_kind(error)}: {error.code}"
        case Busy() | UnknownEvent() | NoHandler():  # which are in words of our own
            said = str(error)
        case OperationFailure():
            said = _refused(error)
        case ConnectionFailure() | RedisAway():
            # The driver goes on with its timeouts and its view of the topology.
            said = re.split(r"\n|, Timeout: | \(configured |, full error: ", str(error))[0]
        case ValidationError():
            said = f"{_kind(error)}: {_unreadable(error)}"
        case OSError() if error.strerror:
            said = f"{_kind(error)}: {error.strerror}"
        case _:
            place = place_of(error)
            said = f"{_kind(error)} in {place}" if place else _kind(error)
    return _short(said.strip() or _kind(error))


def worded(error: BaseException) -> str:
    """One line in its own words: for whoever asked for what failed, and for no log."""
    said = str(error).strip().partition("\n")[0] or _kind(error)
    return _short(said)


def traced(error: BaseException) -> str:
    """A traceback, as long as it takes: the lines of code that led there, oldest cause first."""
    parts = []
    for each in _chain(error):
        frames = "".join(traceback.format_tb(each.__traceback__))
        parts.append(f"Traceback (most recent call last):\n{frames}{_kind(each)}: {told(each)}")
    return "\n\nwhich led to:\n\n".join(parts)


def place_of(error: BaseException) -> str:
    """Where in this project it happened, as far as it did: `payment/effects.py:41`."""
    ours = [
        f"{Path(frame.filename).relative_to(SOURCE)}:{frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_relative_to(SOURCE)
    ]
    return ours[-1] if ours else ""


def _short(said: str) -> str:
    return said if len(said) <= LONGEST else f"{said[:LONGEST]} ..."


def _kind(error: BaseException) -> str:
    return type(error).__qualname__


def _refused(error: OperationFailure) -> str:
    """What MongoDB says of what it would not do, up to the first value that it quotes."""
    said = str(error)
    if isinstance(error, BulkWriteError):  # whose own words are that something went wrong
        details: Any = error.details
        for failure in (*details.get("writeErrors", ()), *details.get("writeConcernErrors", ())):
            said = failure["errmsg"]
            break
    return re.split(r"[\n{\[\"']|, full error: ", said)[0].rstrip(" :")


def _unreadable(error: ValidationError) -> str:
    failures = error.errors(include_url=False, include_context=False, include_input=False)
    found = [f"{'.'.join(map(str, each['loc']))} {each['type']}".strip() for each in failures]
    more = f" and {len(found) - FIELDS} more" if len(found) > FIELDS else ""
    return f"{error.title}: {', '.join(found[:FIELDS])}{more}"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error after what caused it, and a group's errors before the group."""
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None:
        yield from _chain(before)
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _chain(each)
    yield error
