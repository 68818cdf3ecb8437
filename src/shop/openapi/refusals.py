"""How a request may be refused, by the row of the table that it is for."""

from __future__ import annotations

from typing import Any

from bus.messages import Command, Model
from bus.rest import HTML, LINK, SIGNED, Endpoint


class ProblemDetails(Model):
    """An error, per RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: tuple[dict[str, Any], ...]
    trace_id: str
    details: dict[str, Any] | None = None


MEANT = {
    "400": "Malformed, or no Idempotency-Key, or no good signature",
    "401": "No key that opens",
    "403": "A key for something else",
    "404": "Unknown, or another client's",
    "408": "It did not arrive in time",
    "409": "Refused by a rule: `code` says which",
    "410": "A token whose time is over",
    "412": "No longer this version",
    "413": "Too large",
    "415": "Not JSON",
    "422": "Not as the schema says, or an Idempotency-Key used with another body",
    "429": "Asked too often: again after Retry-After seconds",
    "431": "What stands before the body is too large",
    "503": "Busy, or overloaded: the same request may succeed after Retry-After seconds",
}
"""What each status says."""

ALWAYS = ("400", "408", "429", "431", "503")
"""What stands before a body is looked at the same, whatever it is for."""

WITH_BODY = ("413", "415", "422")

REFERENCES = ("quote_id", "starting_after")
"""Fields beside those of a path that name something that has to be there."""


def refusals(row: Endpoint) -> list[str]:
    """The statuses of its problems."""
    found = {*ALWAYS}
    if row.method == "POST":
        found |= {*WITH_BODY}
    if "{" in row.path or not row.message.model_fields.keys().isdisjoint(REFERENCES):
        found.add("404")
    if row.scope == LINK:
        found.add("410")
    elif row.scope != SIGNED:
        found |= {"401", "403", "422"} | ({"409"} if row.method == "POST" else set())
    if issubclass(row.message, Command):
        found.add("412")
    return sorted(found)


def to_people(row: Endpoint, status: str) -> bool:
    """Whether a person reads this problem, as a page."""
    return row.media == HTML and status in ("404", "410")
