"""What looks like an issuer's token and is none, and what is one for something else."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from hypothesis import given
from hypothesis import strategies as st

from shop.tokens import LEEWAY, MAX_LENGTH
from tests.shop.issuers import (
    NAME,
    RSA,
    SIGNED,
    UNSIGNED,
    Known,
    claims,
    coded,
    key_set,
    public,
    token,
)

# What is not signed by the issuer, however much it looks like it.


def pem() -> bytes:
    return RSA.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def by_hand(header: dict[str, Any], said: dict[str, Any], secret: bytes = b"") -> str:
    """A token with a header that no library would write."""
    signed = f"{coded(header)}.{coded(said)}"
    if not secret:
        return f"{signed}."
    return f"{signed}.{coded(hmac.digest(secret, signed.encode(), hashlib.sha256))}"


def tampered(bearer: str, said: dict[str, Any]) -> str:
    header, _, signature = bearer.split(".")
    return f"{header}.{coded(said)}.{signature}"


STRANGER = ed25519.Ed25519PrivateKey.generate()

FORGED: dict[str, Callable[[], str]] = {
    "alg none": lambda: by_hand({"alg": "none", "kid": "ed"}, claims()),
    "alg None": lambda: by_hand({"alg": "nOnE", "kid": "ed", "typ": "JWT"}, claims()),
    "no alg": lambda: by_hand({"kid": "ed"}, claims()),
    "HS256 with the public key": lambda: by_hand({"alg": "HS256", "kid": "rsa"}, claims(), pem()),
    "HS256 with a published secret": lambda: by_hand(
        {"alg": "HS256", "kid": "oct"}, claims(), b"s" * 32
    ),
    "no key id": lambda: jwt.encode(claims(), SIGNED["ed"][1], "EdDSA"),
    "a key id that is no text": lambda: by_hand({"alg": "EdDSA", "kid": ["ed"]}, claims(), b"x"),
    "an unknown key id": lambda: token(header={"kid": "other"}),
    "another key under a known id": lambda: jwt.encode(
        claims(), STRANGER, "EdDSA", headers={"kid": "ed"}
    ),
    "a key of its own on the way": lambda: jwt.encode(
        claims(),
        STRANGER,
        "EdDSA",
        headers={
            "kid": "own",
            "jku": "https://evil.example/jwks",
            "x5u": "https://evil.example/x5u",
            "jwk": {**public("ed"), "x": coded(STRANGER.public_key().public_bytes_raw())},
        },
    ),
    "another algorithm than the key's": lambda: token("ec", header={"kid": "rsa"}),
    "an algorithm nobody allowed": lambda: jwt.encode(
        claims(), RSA, "RS512", headers={"kid": "rsa"}
    ),
    "tampered with": lambda: tampered(token(), claims(scope="storefold:admin")),
    "signed twice": lambda: token() + "." + token().rpartition(".")[2],
    "a signature of zeros": lambda: token("ec").rpartition(".")[0] + "." + coded(bytes(64)),
    "not signed": lambda: token().rpartition(".")[0] + ".",
    "empty": lambda: "..",
    "no base64": lambda: "é.é.é",
    "no JSON": lambda: f"{coded(b'{')}.{coded(b'{')}.x",
    "a list": lambda: f"{coded(b'[]')}.{coded(b'{}')}.x",
    "deep": lambda: f"{coded(b'[' * 5000)}.{coded(b'{}')}.x",
    "a critical extension": lambda: token(header={"crit": ["exp"], "exp": 1}),
    "a detached payload": lambda: token(header={"crit": ["b64"], "b64": False}),
}


@pytest.mark.parametrize("forged", FORGED)
async def test_what_the_issuer_has_not_signed_opens_nothing(forged: str) -> None:
    secret = {"kty": "oct", "kid": "oct", "use": "sig", "k": coded(b"s" * 32)}
    issuer = Known(key_set(*[public(kid) for kid in SIGNED], secret))
    assert UNSIGNED in await issuer.unfit(FORGED[forged]())
    assert await issuer.who(token())


GOOD = token(exp=int(time.time()) + 3000)


@given(at=st.integers(0, len(GOOD) - 1), other=st.characters(codec="latin-1"))
async def test_a_token_with_another_character_in_it_opens_nothing(at: int, other: str) -> None:
    changed = GOOD[:at] + other + GOOD[at + 1 :]
    if changed != GOOD:
        await Known().unfit(changed)


@given(st.text(st.characters(codec="latin-1")))
async def test_no_text_is_taken_for_a_token(text: str) -> None:
    assert UNSIGNED in await Known().unfit(text)


async def test_a_huge_token_is_not_even_looked_at(issuer: Known) -> None:
    assert str(MAX_LENGTH) in await issuer.unfit(token(note="x" * MAX_LENGTH))
    assert str(MAX_LENGTH) in await issuer.unfit("." * 60_000)


# What the issuer has signed, but not for this.

DAY = 24 * 3600

UNFIT: dict[str, tuple[Callable[[int], dict[str, Any]], str]] = {
    "another audience": (lambda now: {"aud": "https://bank.example"}, "its audience must be"),
    "several others": (lambda now: {"aud": ["a", "b"]}, "its audience must be"),
    "no audience": (lambda now: {"aud": None}, "must have"),
    "an empty audience": (lambda now: {"aud": ""}, "must have"),
    "another issuer": (lambda now: {"iss": NAME + "x"}, "another issuer's"),
    "no issuer": (lambda now: {"iss": None}, "must have"),
    "no end": (lambda now: {"exp": None}, "must have"),
    "no beginning": (lambda now: {"iat": None}, "must have"),
    "over": (lambda now: {"iat": now - 400, "exp": now - LEEWAY - 5}, "has expired"),
    "far away": (lambda now: {"exp": now + DAY}, "lives longer than 1:00:00"),
    "from long ago": (lambda now: {"iat": now - DAY}, "lives longer than 1:00:00"),
    "not yet good": (lambda now: {"nbf": now + 60}, "not good yet"),
    "from the future": (lambda now: {"iat": now + 60}, "not good yet"),
    "an end without end": (lambda now: {"exp": float("inf")}, UNSIGNED),
    "an end that is no number": (lambda now: {"exp": "soon"}, UNSIGNED),
    "a beginning that is no number": (lambda now: {"iat": {}}, UNSIGNED),
    "a subject that is no text": (lambda now: {"sub": 7}, UNSIGNED),
}


@pytest.mark.parametrize("unfit", UNFIT)
async def test_what_the_issuer_has_signed_for_something_else_opens_nothing(
    issuer: Known, unfit: str
) -> None:
    said, why = UNFIT[unfit]
    assert why in await issuer.unfit(token(**said(int(time.time()))))


@pytest.mark.parametrize("kind", ["logout+jwt", "dpop+jwt", "", 7])
async def test_what_says_that_it_is_something_else_opens_nothing(issuer: Known, kind: Any) -> None:
    header = {"alg": "EdDSA", "kid": "ed", "typ": kind}
    assert "not an access token" in await issuer.unfit(by_hand(header, claims(), b"x"))
