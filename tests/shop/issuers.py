"""An issuer of tokens: what it publishes, and what it signs, rightly or not."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from shop.issuer import Published
from shop.tokens import Tokens, Unfit

AUDIENCE = "https://shop.example"
NAME = "https://issuer.example/"

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()

SIGNED: dict[str, tuple[str, Any]] = {
    "rsa": ("RS256", RSA),
    "pss": ("PS256", RSA),
    "ec": ("ES256", EC),
    "ed": ("EdDSA", ED),
}
"""Its keys by their ids, and how each signs."""

UNSIGNED = "not signed with a key that the issuer publishes"

Json = dict[str, Any]


def public(kid: str, /, **said: Any) -> Json:
    """A key as it is published."""
    _, key = SIGNED[kid]
    match key:
        case rsa.RSAPrivateKey():
            jwk = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
        case ec.EllipticCurvePrivateKey():
            jwk = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
        case _:
            jwk = OKPAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {**jwk, "kid": kid, "use": "sig", **said}


def key_set(*jwks: Json) -> bytes:
    return json.dumps({"keys": jwks or [public(kid) for kid in SIGNED]}).encode()


def claims(**changes: Any) -> Json:
    """What a good token says; `None` leaves a claim out."""
    now = int(time.time())
    good = {
        "iss": NAME,
        "aud": AUDIENCE,
        "iat": now,
        "exp": now + 300,
        "client_id": "web",
        "scope": "storefold:shop",
    }
    return {name: value for name, value in {**good, **changes}.items() if value is not None}


def token(kid: str = "ed", header: Json | None = None, **changes: Any) -> str:
    """A token that the issuer has signed."""
    algorithm, key = SIGNED[kid]
    return jwt.encode(claims(**changes), key, algorithm, headers={"kid": kid, **(header or {})})


def coded(part: Json | bytes) -> str:
    """A part of a token."""
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class Known:
    """An issuer that the shop trusts."""

    def __init__(self, content: bytes = b"", **settings: Any) -> None:
        self.content = content or key_set()
        self.published = Published(self._fetch)
        self.tokens = Tokens(self.published, NAME, AUDIENCE, **settings)

    async def _fetch(self) -> bytes:
        return self.content

    async def who(self, bearer: str) -> list[str]:
        return [str(principal) for principal in await self.tokens.holder(bearer)]

    async def unfit(self, bearer: str) -> str:
        """Why it lets nobody in."""
        with pytest.raises(Unfit) as refused:
            await self.who(bearer)
        challenge = refused.value.headers["WWW-Authenticate"]
        assert refused.value.status == 401
        assert challenge.startswith('Bearer error="invalid_token", error_description="')
        return refused.value.detail
