"""Where an answer leads: the links between operations, read from the table of endpoints."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, get_args

from bus.rest import Endpoint

FIRST = "$response.body#/data/0"
"""Where a list's first thing is."""


def operation_id(row: Endpoint) -> str:
    """A name that no other operation has: `get_orders_order_id_delivery`."""
    words = re.findall(r"\w+", row.path.removeprefix("/v1"))
    return "_".join([row.method.lower(), *words])


def links(row: Endpoint, endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """The operations for which an answer has the ids: all of them, of which it is the first to tell
    at least one."""
    known, told = named(row.path), _told(row)
    found = {}
    for other in endpoints:
        asked = named(other.path).keys()
        given = told | known | {name: 1 for name in asked if _counts(other, name)}
        if asked <= given.keys() and asked & (told.keys() - known.keys()):
            found[operation_id(other)] = {
                "operationId": operation_id(other),
                "parameters": {name: given[name] for name in sorted(asked)},
            }
    return found


def named(path: str) -> dict[str, Any]:
    """The parameters of a path, and where to read them from a request."""
    return {name: f"$request.path.{name}" for name in re.findall(r"{(\w+)}", path)}


def _told(row: Endpoint) -> dict[str, Any]:
    """The fields of an answer, or of the first thing in it, and where they are."""
    if row.answer is None:
        return {}
    fields, place = row.answer.model_fields, "$response.body#"
    if row.listed:
        place = FIRST
    elif "data" in fields:
        fields, place = get_args(fields["data"].annotation)[0].model_fields, FIRST
    return {name: f"{place}/{name}" for name in fields}


def _counts(row: Endpoint, name: str) -> bool:
    """Whether a parameter is a number: where there is any, there is a first."""
    return row.message.model_fields[name].annotation is int
