"""Tokens of an issuer whom the shop trusts (JWT, RFC 7519 and 9068): who holds one, what for."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from jwt import PyJWK, PyJWS, PyJWT
from jwt.exceptions import (
    ExpiredSignatureError,
    ImmatureSignatureError,
    InvalidAudienceError,
    InvalidIssuerError,
    MissingRequiredClaimError,
    PyJWTError,
)

from bus.messages import Principal
from bus.problems import Problem
from bus.rest import SCOPES
from shop.issuer import Published

MAX_LENGTH = 8 * 1024
"""Characters of a token, at most."""

LEEWAY = 10.0
"""Seconds by which the issuer's clock may differ from ours."""

REMEMBERED = 10_000
"""Tokens that are not verified again while they are good."""

PREFIX = "jwt:"
"""What the names of these clients begin with. No key's client has a colon in its name, so an issuer
can name none of them."""

SCOPE = "storefold:"
"""What the scopes that are meant for this shop begin with: `storefold:shop`."""

TYPES = (None, "jwt", "at+jwt", "application/at+jwt")
"""The types of token that let somebody in; an issuer signs others too, which only tell of them."""

CLAIMS = ("exp", "iat", "iss", "aud")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\-]{0,79}")

_jwt, _jws = PyJWT(), PyJWS()


class Unfit(Problem):
    """A token that lets nobody in; `why` is for whoever holds it."""

    def __init__(self, why: str) -> None:
        challenge = f'Bearer error="invalid_token", error_description="{why}"'
        super().__init__(
            401,
            "unauthorized",
            f"this token opens nothing: {why}. Ask its issuer for a fresh one",
            headers={"WWW-Authenticate": challenge},
        )


class Verified(NamedTuple):
    """A token that was good."""

    holder: tuple[Principal, ...]
    key: PyJWK
    kid: str
    until: float  # seconds since 1970


class Tokens:
    """The door for those whom an issuer knows: as one client, with one or more scopes."""

    def __init__(
        self,
        published: Published,
        issuer: str,
        audience: str,
        *,
        lifetime: timedelta = timedelta(hours=1),
        client_claim: str = "client_id",
    ) -> None:
        self._published = published
        self._issuer = issuer
        self._audience = audience
        self._lifetime = lifetime
        self._client_claim = client_claim
        self._verified: dict[bytes, Verified] = {}

    def knows(self, token: str) -> bool:
        """Whether it has been verified, and is remembered."""
        return hashlib.sha256(token.encode()).digest() in self._verified

    async def holder(self, token: str) -> Sequence[Principal]:
        """Whoever holds the token, once for each scope it gives; raises `Unfit`."""
        if len(token) > MAX_LENGTH:
            raise Unfit(f"a token may have {MAX_LENGTH} characters")
        digest = hashlib.sha256(token.encode()).digest()
        known = self._verified.get(digest)
        if known is not None and self._stands(known):
            return known.holder
        self._verified.pop(digest, None)
        found = await self._verify(token)
        while len(self._verified) >= REMEMBERED:
            del self._verified[next(iter(self._verified))]
        self._verified[digest] = found
        return found.holder

    def _stands(self, known: Verified) -> bool:
        """Whether it is good still: its time is not over, and its key is still published."""
        key = self._published.known(known.kid, known.key.algorithm_name)
        return key is known.key and time.time() < known.until

    async def _verify(self, token: str) -> Verified:
        kid, algorithm = named(token)
        key = await self._published.find(kid, algorithm)
        if key is None:
            raise unsigned()
        try:
            claims: dict[str, Any] = _jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                audience=self._audience,
                issuer=self._issuer,
                leeway=LEEWAY,
                options={"require": list(CLAIMS)},
            )
            ends, began = int(claims["exp"]), int(claims["iat"])
        except (PyJWTError, ValueError, TypeError, ArithmeticError, RecursionError) as error:
            raise self._unfit(error) from None
        if ends - began > self._lifetime.total_seconds():
            raise Unfit(f"it lives longer than {self._lifetime}")
        name = claims.get(self._client_claim)
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise Unfit(f"its claim {self._client_claim} names no client")
        holder = [Principal(scope=scope, name=PREFIX + name) for scope in scopes_of(claims)]
        return Verified(tuple(holder), key, kid, ends + LEEWAY)

    def _unfit(self, error: Exception) -> Unfit:
        """What is wrong with a token. Only who has one that the issuer signed is told more than
        that it is none."""
        match error:
            case ExpiredSignatureError():
                return Unfit("it has expired")
            case ImmatureSignatureError():
                return Unfit("it is not good yet: does the issuer's clock run ahead?")
            case InvalidAudienceError():
                return Unfit(f"it is for others: its audience must be {self._audience}")
            case InvalidIssuerError():
                return Unfit(f"it is another issuer's, not {self._issuer}'s")
            case MissingRequiredClaimError():
                return Unfit(f"it must have {', '.join(CLAIMS)}")
            case _:
                return unsigned()


def named(token: str) -> tuple[str, str]:
    """The key and the algorithm that a token says it is signed with; whatever else it says of keys
    is not heard. Raises `Unfit`."""
    try:
        header = _jws.get_unverified_header(token)
    except (PyJWTError, ValueError, RecursionError):
        raise unsigned() from None
    kid, algorithm, kind = (header.get(name) for name in ("kid", "alg", "typ"))
    if not isinstance(kid, str) or not isinstance(algorithm, str):
        raise unsigned()
    if (kind.lower() if isinstance(kind, str) else kind) not in TYPES:
        raise Unfit("it is not an access token")
    return kid, algorithm


def scopes_of(claims: dict[str, Any]) -> list[str]:
    """The scopes of this shop that a token gives: in `scope`, or in `scp`, as one text or as a
    list."""
    said = claims.get("scope", claims.get("scp", ""))
    words = said.split() if isinstance(said, str) else said if isinstance(said, list) else []
    return [scope for scope in SCOPES if SCOPE + scope in words]


def unsigned() -> Unfit:
    """The answer to whoever has nothing of the issuer's: it does not say how near they came."""
    return Unfit("it was not signed with a key that the issuer publishes")
