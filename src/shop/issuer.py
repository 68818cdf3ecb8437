"""The keys that an issuer of tokens publishes (RFC 7517), read again as they change."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import httpx
import structlog
from jwt import PyJWK
from jwt.exceptions import PyJWTError
from pydantic import BaseModel

from bus.faults import told
from bus.tasks import in_thread

REFRESH = 300.0
"""Seconds after which the keys are read again, while requests go on with those that are known."""

PAUSE = 10.0
"""Seconds between two readings at least, however many keys are asked for that nobody knows."""

WITHIN = 3.0
"""Seconds in which the issuer answers, or is taken to be away."""

MAX_BYTES = 256 * 1024
"""Bytes of a set of keys, at most."""

MIN_RSA_BITS = 2048

ALGORITHMS = {
    ("RSA", None): ("RS256", "PS256"),
    ("EC", "P-256"): ("ES256",),
    ("OKP", "Ed25519"): ("EdDSA",),
}
"""What may be signed with which type of key and curve: what only the issuer can sign, and no
other."""

log = structlog.get_logger(__name__)

Fetch = Callable[[], Awaitable[bytes]]

Keys = Mapping[str, Mapping[str, PyJWK]]
"""Keys by their id, and by the algorithm they are used with."""


class Unreadable(ValueError):
    """What the issuer published is no set of keys."""


class Published:
    """The keys that an issuer publishes, as they are fetched."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._keys: Keys = {}
        self._read_at = self._tried_at = -math.inf
        self._reading: asyncio.Task[None] | None = None

    def known(self, kid: str, algorithm: str) -> PyJWK | None:
        """The key, if it was published when last looked; has them looked at again in good time."""
        now = time.monotonic()
        if now - self._read_at > REFRESH and now - self._tried_at > PAUSE:
            self._read_soon(now)
        return self._keys.get(kid, {}).get(algorithm)

    async def find(self, kid: str, algorithm: str) -> PyJWK | None:
        """The key; one that is not known may have been published since. Never raises: an issuer
        that is away has published nothing new."""
        found = self.known(kid, algorithm)
        if found is not None or kid in self._keys:
            return found
        now = time.monotonic()
        if now - self._tried_at > PAUSE:
            self._read_soon(now)
        if self._reading is not None:
            await asyncio.shield(self._reading)
        return self._keys.get(kid, {}).get(algorithm)

    def _read_soon(self, now: float) -> None:
        self._tried_at = now
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        try:
            async with asyncio.timeout(WITHIN):
                self._keys = usable(await self._fetch())
            self._read_at = time.monotonic()
        except Exception as error:  # whatever it was: those that are known go on opening
            log.warning("issuer.away", known=len(self._keys), error=told(error))
        finally:
            self._reading = None


def fetch_from(source: str) -> Fetch:
    """From an address on the web, or from a file."""
    return from_address(source) if "://" in source else from_file(Path(source))


def from_file(path: Path) -> Fetch:
    """From a file, which somebody else keeps up to date."""
    return lambda: in_thread(path.read_bytes)


def from_address(url: str) -> Fetch:
    """From the issuer itself. It is not followed elsewhere: its address is what is trusted."""
    plain = {"Accept": "application/json", "Accept-Encoding": "identity"}

    async def fetch() -> bytes:
        content = b""
        try:
            async with (
                httpx.AsyncClient(timeout=WITHIN) as http,
                http.stream("GET", url, headers=plain) as answer,
            ):
                if answer.status_code != 200:
                    raise Unreadable(f"{url} answers {answer.status_code}, not 200")
                async for part in answer.aiter_raw():
                    content += part
                    if len(content) > MAX_BYTES:
                        raise Unreadable(f"{url} answers with more than {MAX_BYTES} bytes")
        except httpx.HTTPError as error:
            raise Unreadable(f"{url} does not answer: {str(error) or repr(error)}") from None
        return content

    return fetch


def usable(content: bytes) -> Keys:
    """The public keys in a set that signatures may be checked with; raises `Unreadable`."""
    try:
        published = json.loads(content)["keys"]
        if not isinstance(published, list):
            raise TypeError
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Unreadable('this is no set of keys: {"keys": [...]} was expected') from None
    found: dict[str, Mapping[str, PyJWK]] = {}
    for jwk in published:
        with suppress(PyJWTError, ValueError, TypeError):  # malformed, or not for us
            public = PublicKey.model_validate(jwk)
            if keys := {each: key_of(jwk, each) for each in public.algorithms}:
                found.setdefault(public.kid, keys)
    return found


class PublicKey(BaseModel):
    """What is said of a published key: one that is for something else, or is not one that everybody
    may know, is not valid."""

    kid: str
    kty: str
    crv: str | None = None
    alg: str | None = None
    use: Literal["sig"] = "sig"
    key_ops: list[str] = ["verify"]
    d: None = None

    @property
    def algorithms(self) -> list[str]:
        """The algorithms that it is used with here."""
        fits = ALGORITHMS.get((self.kty, self.crv), ()) if "verify" in self.key_ops else ()
        return [each for each in fits if self.alg in (None, each)]


def key_of(jwk: dict[str, Any], algorithm: str) -> PyJWK:
    """The key, for one algorithm; raises `ValueError` when it is too short to be trusted."""
    key = PyJWK(jwk, algorithm)
    if algorithm in ALGORITHMS["RSA", None] and key.key.key_size < MIN_RSA_BITS:
        raise ValueError(f"an RSA key has {MIN_RSA_BITS} bits or more")
    return key
