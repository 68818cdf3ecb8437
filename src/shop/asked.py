"""The request that is being answered, as the process' log and its traces know it."""

from __future__ import annotations

import random
import re
from contextvars import ContextVar

from starlette.types import Scope

NOWHERE = "none"
"""The route of a request for a path that there is not."""

# W3C Trace Context: a version that is not ff, and ids that are not all zeros.
_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
)


class Asked:
    """A request: its place in a trace, who asks, once that is known, and how it was answered."""

    __slots__ = ("_scope", "client", "sent", "status", "traceparent")

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self.client: str | None = None
        self.status = 0
        """That of the answer, once its head is sent."""
        self.sent = sent_with(scope)
        """The client's place in its trace, if it has one."""
        self.traceparent = self.sent or begun()

    @property
    def trace_id(self) -> str:
        """What a client says when it reports an error, and what the log and the traces know it
        by."""
        return id_in(self.traceparent)

    @property
    def route(self) -> str:
        """The template of its route, `/v1/orders/{order_id}`: never the path, which has ids of
        people in it."""
        route = self._scope.get("route")
        return NOWHERE if route is None else str(route.path)


ASKED: ContextVar[Asked] = ContextVar("asked")
"""The request at hand, wherever there is one."""


def sent_with(scope: Scope) -> str | None:
    """The client's place in its trace (W3C Trace Context), if what it sent is one."""
    for name, value in scope["headers"]:
        if name == b"traceparent":
            sent: str = value.decode("latin-1")
            return sent if _TRACEPARENT.fullmatch(sent) else None
    return None


def begun() -> str:
    """A trace that begins here, and that nobody records."""
    ids = f"{random.getrandbits(192) | 1:048x}"
    return f"00-{ids[:32]}-{ids[32:]}-00"


def id_in(traceparent: str) -> str:
    """The id of the trace."""
    return traceparent.split("-", 2)[1]
