"""Who is let in, and as whom: the one place that looks at what a request shows of its sender."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from starlette.requests import Request

from bus.messages import Principal
from bus.problems import Problem
from bus.rest import LINK, SIGNED
from shop.keys import Keys

if TYPE_CHECKING:
    from shop.tokens import Tokens

UNKNOWN = Principal(scope=SIGNED, name="unknown")
"""Who asks, while nobody has looked at their signature, or at their token."""


class Doors:
    """What opens the REST surface: the shop's own keys, and the tokens of an issuer it trusts."""

    def __init__(self, keys: Keys, tokens: Tokens | None = None) -> None:
        self._keys = keys
        self._tokens = tokens

    async def admitted(self, request: Request, scope: str) -> Principal:
        """Who asks for something of this scope; raises `Problem` 401, or 403 when what they show is
        for something else.

        Whoever signs what they send, or has a link, is known once the endpoint has checked it.
        """
        if scope in (SIGNED, LINK):
            return UNKNOWN
        kind, _, bearer = request.headers.get("authorization", "").partition(" ")
        bearer = bearer.strip()
        if kind.lower() != "bearer" or not bearer:
            raise closed("Bearer")
        holder = await self._holder(bearer)
        for principal in holder:
            if principal.scope == scope:
                return principal
        theirs = ", ".join(principal.scope for principal in holder) or "none of this shop's"
        raise Problem(
            403,
            "forbidden",
            f"this needs a key of scope {scope}, yours has scope {theirs}",
            headers={"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{scope}"'},
        )

    async def _holder(self, bearer: str) -> Sequence[Principal]:
        """Whose it is, once for each scope that it has."""
        if self._tokens is not None and bearer.count(".") == 2:  # a key has one dot
            return await self._tokens.holder(bearer)
        principal = await self._keys.principal(bearer)
        if principal is None:
            raise closed('Bearer error="invalid_token"')
        return (principal,)

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
