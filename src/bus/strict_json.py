"""JSON that everybody reads alike (I-JSON, RFC 7493): what two readers could take for two things is
refused, and its place is named."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from bus.model import MAX_INTEGER
from bus.problems import MAX_ERRORS, Problem, misfit

MAX_DEPTH = 32
"""Objects and arrays in each other, at most."""

# What may be a number that is none, or too large for a float, an integer of 2**53 and more, or a
# character that is none. Nearly no body has any, so nearly all are read without a closer look.
_DOUBTFUL = re.compile(rb"NaN|Infinity|\d{16}|\d[eE]\+?\d{3}|\\u0000|\\u[dD][89a-fA-F]")

_LONGEST_INTEGER = len(str(-MAX_INTEGER))

NO_TEXT = "text has neither NUL nor half of a surrogate pair: leave it out"

_MESSAGES = {
    "given_twice": "give it once",
    "too_deep": f"objects and arrays may stand {MAX_DEPTH} deep in each other: send less",
    "not_finite": "JSON has no such number: send a finite one",
    "too_large": f"an integer lies within {MAX_INTEGER} of 0: not all keep a larger one exactly",
    "no_text": NO_TEXT,
}


class _Twice(Exception):
    """A field is there twice."""


class _Pairs(list[tuple[str, Any]]):
    """An object as it was written."""


def strictly(body: bytes) -> Any:
    """What a body says; raises `Problem` 400 when it is no JSON, and 422 when it is not the same
    for every reader."""
    try:
        text = body.decode()
        if not (_DOUBTFUL.search(body) or body.count(b"{") + body.count(b"[") > MAX_DEPTH):
            try:
                return _QUICK.decode(text)
            except _Twice:
                pass  # where, is said below
        faults = list(islice(_faults(_SLOW.decode(text)), MAX_ERRORS))
        if faults:
            raise misfit([{**fault, "message": _MESSAGES[fault["code"]]} for fault in faults])
        return json.loads(text, parse_float=_number)
    except (ValueError, RecursionError) as error:
        raise Problem(400, "malformed", f"the body is not JSON: {error}") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise _Twice
    return fields


def _integer(digits: str) -> int:
    """An integer, or one that is as much too large: Python takes its time for the longest."""
    return int(digits) if len(digits) <= _LONGEST_INTEGER else MAX_INTEGER + 1


def _number(digits: str) -> int | float:
    """A number with a point or an exponent; 2.0 is the integer 2, as JSON Schema has it."""
    number = float(digits)
    return int(number) if number.is_integer() and abs(number) <= MAX_INTEGER else number


_QUICK = json.JSONDecoder(object_pairs_hook=_once, parse_float=_number)
_SLOW = json.JSONDecoder(object_pairs_hook=_Pairs, parse_float=_number, parse_int=_integer)


def _faults(value: Any, place: tuple[str | int, ...] = ()) -> Iterator[dict[str, str]]:
    """All that is wrong, and where."""
    code = None
    match value:
        case _Pairs() | list() if len(place) >= MAX_DEPTH:
            code = "too_deep"
        case _Pairs():
            yield from _object_faults(value, place)
        case list():
            for index, each in enumerate(value):
                yield from _faults(each, (*place, index))
        case str() if not _is_text(value):
            code = "no_text"
        case float() if not math.isfinite(value):
            code = "not_finite"
        case int() if abs(value) > MAX_INTEGER:
            code = "too_large"
    if code is not None:
        yield {"field": _told(place), "code": code}


def _object_faults(pairs: _Pairs, place: tuple[str | int, ...]) -> Iterator[dict[str, str]]:
    known: set[str] = set()
    for name, value in pairs:
        inside = (*place, name)
        if not _is_text(name):
            yield {"field": _told(inside), "code": "no_text"}
        if name in known:
            yield {"field": _told(inside), "code": "given_twice"}
        known.add(name)
        yield from _faults(value, inside)


def _is_text(value: str) -> bool:
    return "\0" not in value and not any("\ud800" <= each <= "\udfff" for each in value)


def _told(place: tuple[str | int, ...]) -> str:
    """A place as it is named: what cannot be written is shown as it was escaped."""
    return ".".join(map(str, place)).encode(errors="backslashreplace").decode()
