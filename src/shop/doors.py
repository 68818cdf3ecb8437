"""Who is let in, and as whom: the one place that looks at what a request shows of its sender."""

from __future__ import annotations

from starlette.requests import Request

from bus.messages import Principal
from bus.problems import Problem
from bus.rest import LINK, SIGNED
from shop.keys import Keys

UNKNOWN = Principal(scope=SIGNED, name="unknown")
"""Who asks, while nobody has looked at their signature, or at their token."""


class Doors:
    """What opens the REST surface: the shop's own keys."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    async def admitted(self, request: Request, scope: str) -> Principal:
        """Who asks for something of this scope; raises `Problem` 401, or 403 when what they show is
        for something else.

        Whoever signs what they send, or has a token, is known once the endpoint has checked it.
        """
        if scope in (SIGNED, LINK):
            return UNKNOWN
        kind, _, bearer = request.headers.get("authorization", "").partition(" ")
        bearer = bearer.strip()
        if kind.lower() != "bearer" or not bearer:
            raise closed("Bearer")
        principal = await self._keys.principal(bearer)
        if principal is None:
            raise closed('Bearer error="invalid_token"')
        if principal.scope != scope:
            raise Problem(
                403,
                "forbidden",
                f"this needs a key of scope {scope}, yours has scope {principal.scope}",
                headers={"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{scope}"'},
            )
        return principal

    async def close(self) -> None:
        """Write down who was let in."""
        await self._keys.close()


def closed(challenge: str) -> Problem:
    """The answer to whoever shows nothing that opens (RFC 6750 says how to challenge them)."""
    return Problem(
        401,
        "unauthorized",
        "send a valid key: `Authorization: Bearer <key>`; `shop keys create` makes one",
        headers={"WWW-Authenticate": challenge},
    )
