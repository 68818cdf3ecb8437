"""The keys that an issuer publishes: found when they are new, kept when it is away, and asked for
no more often than that takes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shop import doctor
from shop import issuer as module
from shop.issuer import MAX_BYTES, PAUSE, REFRESH, Published, Unreadable, fetch_from, usable
from tests.listening import listening
from tests.shop.issuers import key_set, public
from tests.waiting import eventually


class Site:
    """Where an issuer publishes its keys, and how often somebody looked."""

    def __init__(self, *kids: str) -> None:
        self.kids = kids
        self.looks = 0
        self.away: Exception | None = None
        self.published = Published(self._fetch)

    async def _fetch(self) -> bytes:
        self.looks += 1
        await asyncio.sleep(0)
        if self.away:
            raise self.away
        return key_set(*map(public, self.kids))

    async def has(self, kid: str) -> bool:
        return await self.published.find(kid, "EdDSA") is not None

    def later(self, seconds: float) -> None:
        """So much time goes by."""
        self.published._read_at -= seconds
        self.published._tried_at -= seconds


async def test_keys_are_read_when_the_first_is_asked_for() -> None:
    site = Site("ed")
    assert site.looks == 0
    assert [await site.has("ed") for _ in range(100)] == [True] * 100
    assert site.looks == 1


async def test_many_who_ask_at_once_share_one_look() -> None:
    site = Site("ed")
    assert await asyncio.gather(*(site.has("ed") for _ in range(100))) == [True] * 100
    assert site.looks == 1


async def test_random_key_ids_cost_the_issuer_one_look_in_a_while() -> None:
    site = Site("ed")
    for number in range(1000):
        assert not await site.has(f"guess-{number}")
    assert site.looks == 1
    site.later(PAUSE)
    for number in range(1000):
        assert not await site.has(f"guess-{number}")
    assert site.looks == 2


async def test_a_new_key_is_found_when_somebody_signs_with_it() -> None:
    site = Site("rsa")
    assert not await site.has("ed")
    site.kids = ("rsa", "ed")
    assert not await site.has("ed"), "it was looked for just now"
    site.later(PAUSE)
    assert await site.has("ed")
    assert site.looks == 2


async def test_known_keys_are_looked_at_again_and_nobody_waits_for_it() -> None:
    site = Site("ed")
    assert await site.has("ed")
    site.kids = ("rsa",)
    site.later(REFRESH)
    assert site.published.known("ed", "EdDSA"), "it is not known yet that it has gone"
    await eventually(lambda: not site.published.known("ed", "EdDSA"))
    assert site.looks == 2


@pytest.mark.parametrize(
    "trouble", [OSError("gone"), TimeoutError(), Unreadable("nonsense"), RuntimeError("odd")]
)
async def test_an_issuer_that_is_away_leaves_known_keys_known(trouble: Exception) -> None:
    site = Site("ed")
    assert await site.has("ed")
    site.away = trouble
    site.later(REFRESH)
    for _ in range(100):
        assert await site.has("ed")
        assert not await site.has("other")
    assert site.looks == 2
    site.later(PAUSE)
    site.away = None
    assert await site.has("ed")
    await eventually(lambda: site.looks == 3)


async def test_an_issuer_that_never_answers_makes_nobody_wait_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "WITHIN", 0.05)

    async def never() -> bytes:
        await asyncio.Event().wait()
        return b""

    async with asyncio.timeout(5):
        assert await Published(never).find("ed", "EdDSA") is None


# What is a key.


def kids(*jwks: Any) -> dict[str, list[str]]:
    """The keys in a set that are used, and with which algorithms."""
    found = usable(json.dumps({"keys": jwks}).encode())
    return {kid: list(keys) for kid, keys in found.items()}


def test_a_key_is_used_as_it_says() -> None:
    assert kids(public("rsa"), public("ec"), public("ed")) == {
        "rsa": ["RS256", "PS256"],
        "ec": ["ES256"],
        "ed": ["EdDSA"],
    }
    assert kids(public("rsa", alg="PS256", key_ops=["verify"])) == {"rsa": ["PS256"]}


@pytest.mark.parametrize(
    "odd",
    [
        public("ed", kid=None),
        public("ed", kid=7),
        public("ed", use="enc"),
        public("ed", key_ops=["sign"]),
        public("ed", key_ops=7),
        public("ed", d="AAAA"),
        public("ed", alg="RS256"),
        public("rsa", alg="HS256"),
        public("rsa", alg="none"),
        public("rsa", n="AAAA"),
        public("rsa", n="!"),
        public("rsa", e=None),
        public("ec", crv="P-384"),
        public("ec", crv="secp256k1"),
        public("ec", x="AAAA"),
        public("ed", x=""),
        {"kty": "oct", "kid": "oct", "k": "c2VjcmV0"},
        {},
        [],
        None,
        "ed",
    ],
)
def test_what_is_no_public_key_for_signatures_is_passed_over(odd: Any) -> None:
    assert kids(odd, public("ec")) == {"ec": ["ES256"]}


def test_of_two_keys_under_one_id_the_first_stands() -> None:
    assert kids(public("ed", kid="one"), public("ec", kid="one")) == {"one": ["EdDSA"]}


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"{}", b'{"keys": {}}', b"[" * 5000, b"\xff"]
)
def test_what_is_no_set_of_keys_is_unreadable(content: bytes) -> None:
    with pytest.raises(Unreadable):
        usable(content)


# Where it is.


def answering(*parts: bytes) -> Callable[..., Any]:
    """A site that answers with these bytes."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.writelines(parts)
        await writer.drain()
        writer.close()

    return talk


async def test_keys_come_from_an_address_or_a_file(tmp_path: Path) -> None:
    file = tmp_path / "jwks.json"
    file.write_bytes(key_set())
    assert await fetch_from(str(file))() == key_set()
    async with listening(answering(b"HTTP/1.1 200 OK\r\n\r\n", key_set())) as address:
        assert await fetch_from(address)() == key_set()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n" + b" " * (MAX_BYTES + 1),
        b"nonsense",
    ],
)
async def test_an_address_that_answers_otherwise_has_published_nothing(answer: bytes) -> None:
    async with listening(answering(answer)) as address:
        published = Published(fetch_from(address))
        assert await published.find("ed", "EdDSA") is None
    assert await Published(fetch_from("http://127.0.0.1:1/")).find("ed", "EdDSA") is None
    assert await Published(fetch_from("/no/such/file")).find("ed", "EdDSA") is None


async def test_the_doctor_sees_whether_tokens_can_be_verified(tmp_path: Path) -> None:
    file = tmp_path / "jwks.json"
    file.write_bytes(key_set(public("ed"), public("ec")))
    found = await doctor._issuer(str(file))
    assert (found.state, found.detail) == ("ok", "ed, ec")
    file.write_bytes(key_set(public("ed", use="enc")))
    unusable = await doctor._issuer(str(file))
    away = await doctor._issuer("http://127.0.0.1:1/jwks")
    for bad in (unusable, away):
        assert (bad.state, bool(bad.detail), bool(bad.do)) == ("bad", True, True)
    assert "does not answer" in away.detail
