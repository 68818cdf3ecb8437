"""Tokens of an issuer: whoever holds a good one is let in, for as long as it is good."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.warnings import InsecureKeyLengthWarning

from shop.tokens import LEEWAY, Unfit
from tests.shop.issuers import (
    AUDIENCE,
    EC,
    RSA,
    SIGNED,
    UNSIGNED,
    Known,
    claims,
    key_set,
    public,
    token,
)
from tests.waiting import eventually


@pytest.mark.parametrize("kid", SIGNED)
async def test_whom_the_issuer_knows_is_let_in(issuer: Known, kid: str) -> None:
    assert await issuer.who(token(kid)) == ["shop:jwt:web"]


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({"scope": "openid storefold:carrier email"}, ["carrier:jwt:web"]),
        ({"scope": "storefold:admin storefold:shop"}, ["shop:jwt:web", "admin:jwt:web"]),
        ({"scope": ["storefold:shop"]}, ["shop:jwt:web"]),
        ({"scope": None, "scp": ["storefold:shop"]}, ["shop:jwt:web"]),
        ({"scope": None, "scp": "storefold:shop x"}, ["shop:jwt:web"]),
        ({"scope": "shop storefold:root xstorefold:shop storefold:shopx"}, []),
        ({"scope": None}, []),
        ({"scope": 7}, []),
        ({"scope": "openid", "scp": ["storefold:shop"]}, []),
    ],
)
async def test_a_token_gives_the_scopes_that_are_this_shops(
    issuer: Known, said: dict[str, Any], found: list[str]
) -> None:
    assert await issuer.who(token(**said)) == found


@pytest.mark.parametrize("name", [None, "", "-", "jwt:web", "web eu", "é", "x" * 81, 7, ["web"]])
async def test_a_client_has_a_name_that_a_key_could_have(issuer: Known, name: Any) -> None:
    assert "client_id names no client" in await issuer.unfit(token(client_id=name))


async def test_the_claim_that_names_the_client_is_the_operators_choice() -> None:
    issuer = Known(client_claim="azp")
    assert await issuer.who(token(client_id="a", azp="b")) == ["shop:jwt:b"]
    assert "azp names no client" in await issuer.unfit(token(client_id="a", sub="b"))


@pytest.mark.parametrize("kind", ["at+jwt", "application/at+JWT", "JWT"])
async def test_an_access_token_may_say_that_it_is_one(issuer: Known, kind: str) -> None:
    assert await issuer.who(token(header={"typ": kind}))


async def test_one_of_several_audiences_is_enough(issuer: Known) -> None:
    assert await issuer.who(token(aud=["https://bank.example", AUDIENCE]))


async def test_a_clock_may_be_wrong_by_seconds(issuer: Known) -> None:
    now = int(time.time())
    assert await issuer.who(token(iat=now + 5, nbf=now + 5))
    assert await issuer.who(token(iat=now - 100, exp=now - 5))


async def test_how_long_a_token_may_live_is_the_operators_choice() -> None:
    issuer, now = Known(lifetime=timedelta(minutes=5)), int(time.time())
    assert await issuer.who(token(iat=now, exp=now + 300))
    assert "lives longer than 0:05:00" in await issuer.unfit(token(iat=now, exp=now + 301))


# What is remembered of those that were good.


async def test_a_good_token_is_verified_once(
    issuer: Known, monkeypatch: pytest.MonkeyPatch
) -> None:
    bearer = token("rsa")
    assert await issuer.who(bearer)
    monkeypatch.setattr(issuer.tokens, "_verify", None)
    assert await issuer.who(bearer) == ["shop:jwt:web"]
    assert bearer not in str(issuer.tokens._verified)


async def test_a_token_that_expires_while_it_is_remembered_opens_nothing(issuer: Known) -> None:
    now = int(time.time())
    bearer = token(iat=now - 100, exp=now - int(LEEWAY) + 2)
    assert await issuer.who(bearer)
    assert issuer.tokens._verified

    async def closed() -> str:
        try:
            return "" if await issuer.who(bearer) else "no scope"
        except Unfit as unfit:
            return unfit.detail

    why: str = await eventually(closed, within=4)
    assert "has expired" in why
    assert not issuer.tokens._verified


async def test_a_token_is_good_for_as_long_as_its_key_is_published(issuer: Known) -> None:
    bearer = token()
    assert await issuer.who(bearer)
    issuer.content = key_set(public("rsa"))
    await issuer.published._read()
    assert UNSIGNED in await issuer.unfit(bearer)
    assert await issuer.who(token("rsa"))


async def test_only_so_many_are_remembered(issuer: Known, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shop.tokens.REMEMBERED", 3)
    many = [token(jti=str(number)) for number in range(10)]
    for bearer in many:
        assert await issuer.who(bearer)
    assert len(issuer.tokens._verified) == 3
    assert await issuer.who(many[0])


async def test_a_short_key_is_not_trusted() -> None:
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    jwk = {**jwt.algorithms.RSAAlgorithm.to_jwk(weak.public_key(), as_dict=True), "kid": "weak"}
    with pytest.warns(InsecureKeyLengthWarning):
        bearer = jwt.encode(claims(), weak, "RS256", headers={"kid": "weak"})
    assert UNSIGNED in await Known(key_set(jwk, public("ed"))).unfit(bearer)


async def test_a_curve_says_which_algorithm() -> None:
    issuer = Known(key_set(public("ec", alg="ES256"), public("rsa", alg="PS256")))
    assert await issuer.who(token("ec"))
    assert UNSIGNED in await issuer.unfit(token("rsa"))
    assert await issuer.who(jwt.encode(claims(), RSA, "PS256", headers={"kid": "rsa"}))
    assert UNSIGNED in await issuer.unfit(jwt.encode(claims(), EC, "ES256", headers={"kid": "rsa"}))
