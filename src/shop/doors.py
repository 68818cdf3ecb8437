"""Who is let in, and as whom: the one place that looks at what a request shows of its sender."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import structlog
from limits import parse
from starlette.requests import Request

from bus.messages import Principal
from bus.problems import Problem
from bus.rest import LINK, SIGNED, header
from shop.keys import Keys
from shop.rates import Rates

if TYPE_CHECKING:
    from shop.tokens import Tokens

log = structlog.get_logger(__name__)

UNKNOWN = Principal(scope=SIGNED, name="unknown")
"""Who asks, while nobody has looked at their signature, or at their token."""


STRANGERS = parse("1000/second")
"""What one address may show that has not opened before: to verify a token takes 150 us, so that is
what it can cost a replica, a sixth of a processor."""


class Doors:
    """What opens the REST surface: the shop's own keys, and the tokens of an issuer it trusts."""

    def __init__(
        self,
        keys: Keys,
        tokens: Tokens | None = None,
        rates: Rates | None = None,
        strangers: Rates | None = None,
    ) -> None:
        self._keys = keys
        self._tokens = tokens
        self._rates = rates
        self._strangers = strangers or Rates(STRANGERS)

    async def entered(self, request: Request, scope: str) -> Principal:
        """As `admitted`, once more: raises `Problem` 429 when that is too often."""
        principal = await self.admitted(request, scope)
        if self._rates is not None:
            known = principal is not UNKNOWN
            try:
                self._rates.spend(str(principal) if known else address(request))
            except Problem:
                if known:  # an address is personal
                    log.warning("client.limited", client=principal.name)
                raise
        return principal

    async def admitted(self, request: Request, scope: str) -> Principal:
        """Who asks for something of this scope; raises `Problem` 401, or 403 when what they show is
        for something else.

        Whoever signs what they send, or has a link, is known once the endpoint has checked it.
        """
        if scope in (SIGNED, LINK):
            return UNKNOWN
        kind, _, bearer = (header(request, b"authorization") or "").partition(" ")
        bearer = bearer.strip()
        if kind.lower() != "bearer" or not bearer:
            raise closed("Bearer")
        holder = await self._holder(bearer, request)
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

    async def _holder(self, bearer: str, request: Request) -> Sequence[Principal]:
        """Whose it is, once for each scope that it has."""
        if self._tokens is not None and bearer.count(".") == 2:  # a key has one dot
            if not self._tokens.knows(bearer):
                self._strangers.spend(address(request))
            return await self._tokens.holder(bearer)
        principal = await self._keys.principal(bearer)
        if principal is None:
            self._strangers.spend(address(request))
            raise closed('Bearer error="invalid_token"')
        return (principal,)

    async def close(self) -> None:
        """Write down who was let in."""
        await self._keys.close()
        if self._rates is not None:
            await self._rates.close()


def address(request: Request) -> str:
    """Where a request comes from, as far as this machine sees: from a proxy, if there is one."""
    return f"address:{request.client.host if request.client else ''}"


def closed(challenge: str) -> Problem:
    """The answer to whoever shows nothing that opens (RFC 6750 says how to challenge them)."""
    return Problem(
        401,
        "unauthorized",
        "send a valid key: `Authorization: Bearer <key>`; `shop keys create` makes one",
        headers={"WWW-Authenticate": challenge},
    )
