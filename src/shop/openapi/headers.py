"""The headers that a client must or may send, and those that it is answered with."""

from __future__ import annotations

from typing import Any

from bus.messages import Command, Document, Query
from bus.rest import EVENTS, JSON, KEY, PICTURE, VERSION, Endpoint
from ordering.contract import OrderDocument


def asked(row: Endpoint) -> list[dict[str, Any]]:
    """The headers of a request."""
    if row.media == EVENTS:
        return [_sent("Last-Event-ID", "Go on behind the event with this id")]
    if not issubclass(row.message, Command):
        if compared(row):
            return [_sent("If-None-Match", "304 if this is still its ETag")]
        return []
    found = [_sent("Idempotency-Key", "Recognises a retry", KEY, required=row.creates)]
    if not row.creates or "{" in row.path:
        found.append(_sent("If-Match", "Refuse unless this is the version", VERSION))
    if row.answer is OrderDocument:
        found.append(_sent("Prefer", "wait=N: answer once settled, after N seconds at most"))
    return found


def answered(row: Endpoint, status: str) -> dict[str, Any]:
    """The headers of an answer."""
    if status in ("429", "503"):
        return again()
    if status == "401":
        return {"WWW-Authenticate": _told("How to be let in", required=True)}
    if status == "304" or (status == "200" and compared(row)):
        return {"ETag": _told("What tells this answer from all others", required=True)}
    if status != str(row.status) or not issubclass(row.message, Command):
        return {}
    found = {
        "ETag": _told("The version that it has now"),
        "Storefold-Position": _told("Where in the log this was decided", r"^\d+$"),
        "Idempotent-Replayed": _told("Whether this was decided before", "^true$"),
    }
    if row.path == "/v1/orders":
        found["Location"] = _told("Where it is", required=True)
    return found


def again() -> dict[str, Any]:
    """The header of an answer that says when to ask again."""
    return {"Retry-After": _told("Seconds until it may succeed", r"^\d+$", required=True)}


def compared(row: Endpoint) -> bool:
    """Whether the answer is not sent to who has it."""
    a_document = Query[Document] in row.message.__mro__ and not row.listed
    return row.media == PICTURE or (row.media == JSON and a_document)


def _sent(name: str, why: str, pattern: str = "", *, required: bool = False) -> dict[str, Any]:
    return {"name": name, "in": "header", **_told(why, pattern, required=required)}


def _told(why: str, pattern: str = "", *, required: bool = False) -> dict[str, Any]:
    schema = {"type": "string", **({"pattern": pattern} if pattern else {})}
    return {"description": why, "required": required, "schema": schema}
