"""How a notice is brought to its address: one signed POST, to where that address was seen to lead,
with no redirect followed, no cookie kept and no proxy asked."""

from __future__ import annotations

import asyncio
import math
import ssl
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from importlib.metadata import version
from ipaddress import ip_address
from typing import NamedTuple

import httpx
from standardwebhooks import Webhook

from bus.messages import Refused
from shop.webhooks.addresses import parsed, resolved

WITHIN = 15.0
"""Seconds that an endpoint has to answer, from the look for its host to the end of its answer."""

CONNECTED = 5.0
"""Seconds in which one of its addresses is reached, or the next is tried."""

FRESH = 10.0
"""Seconds for which the addresses that a host was seen to have are connected to."""

HEARD = 16 * 1024
"""Bytes of an answer that are read: its status says it all."""

SHOWN = 500
"""Characters of an answer that an operator is shown who tries an endpoint."""

GONE, TOO_SLOW, TOO_MANY = 410, 408, 429

AGENT = f"Storefold/{version('storefold')} (webhooks)"


class Answer(NamedTuple):
    """What an endpoint answered, or what stood in the way."""

    status: int | None = None
    error: str | None = None
    wait: timedelta = timedelta(0)
    """For how long it wants to be left alone (Retry-After)."""
    said: str = ""
    ours: bool = False
    """Whether it was never asked, for we could not make what it was to be told."""

    @property
    def taken(self) -> bool:
        """Whether it has the notice: 2xx, and nothing else."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def gone(self) -> bool:
        """Whether it wants to hear nothing any more."""
        return self.status == GONE

    @property
    def unwell(self) -> bool:
        """Whether it would not have taken anything else either."""
        if self.status is None:
            return not self.ours
        return self.status >= 500 or self.status in (TOO_SLOW, TOO_MANY)


class Post:
    """Brings notices to one endpoint. It has connections and a thread of its own, so that a slow
    one holds up nobody else, not even while its host is looked for."""

    def __init__(self, trust: ssl.SSLContext, *, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="webhook-host")
        self._looking = asyncio.Lock()
        self._seen: list[str] = []
        self._seen_at = -math.inf
        self._http = httpx.AsyncHTTPTransport(
            verify=trust,
            trust_env=False,
            limits=httpx.Limits(max_connections=None, keepalive_expiry=2.0),
        )

    async def bring(self, url: str, headers: dict[str, str], body: bytes) -> Answer:
        """Send it, once."""
        try:
            async with asyncio.timeout(WITHIN):
                return await self._bring(url, headers, body)
        except TimeoutError:
            return Answer(error=f"no answer within {WITHIN:g} s")
        except Refused as refusal:
            return Answer(error=refusal.message)
        except (httpx.TransportError, OSError) as error:
            return Answer(error=f"{type(error).__name__}: {error}"[:SHOWN])

    async def close(self) -> None:
        """Hang up."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        await self._http.aclose()

    async def _bring(self, url: str, headers: dict[str, str], body: bytes) -> Answer:
        target = parsed(url, allow_private=self._allow_private)
        *others, last = await self._addresses(target)
        for address in others:
            with suppress(httpx.ConnectError, httpx.ConnectTimeout):  # nothing has been sent
                return await self._ask(target, address, headers, body)
        try:
            return await self._ask(target, last, headers, body)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            self._seen_at = -math.inf  # it may have moved
            raise

    async def _addresses(self, url: httpx.URL) -> list[str]:
        """Where a host is, as it was looked at not long ago: what was judged is connected to."""
        async with self._looking:
            if time.monotonic() - self._seen_at > FRESH:
                self._seen = await resolved(url, self._threads, allow_private=self._allow_private)
                self._seen_at = time.monotonic()
            return self._seen

    async def _ask(
        self, url: httpx.URL, address: str, headers: dict[str, str], body: bytes
    ) -> Answer:
        host = url.raw_host.decode("ascii")
        timeouts = httpx.Timeout(WITHIN, connect=CONNECTED).as_dict()
        named = {} if _is_address(host) else {"sni_hostname": host}
        request = httpx.Request(
            "POST",
            url.copy_with(host=address),
            headers={"host": url.netloc.decode("ascii"), "user-agent": AGENT, **headers},
            content=body,
            extensions={"timeout": timeouts, **named},  # the certificate is the host's
        )
        response = await self._http.handle_async_request(request)
        try:
            return _heard(response, await _beginning(response))
        finally:
            await response.aclose()


def signed(id: str, body: bytes, secrets: Iterable[str], now: datetime) -> dict[str, str]:
    """The headers of a notice: its id, the time of this attempt, a signature with each secret."""
    signatures = [Webhook(secret).sign(id, now, body.decode()) for secret in secrets]
    return {
        "content-type": "application/json",
        "webhook-id": id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


async def _beginning(response: httpx.Response) -> bytes:
    """The first bytes of an answer, as they come."""
    heard = b""
    async for part in response.stream:  # type: ignore[union-attr]
        heard += part
        if len(heard) >= HEARD:
            break
    return heard


def _heard(response: httpx.Response, beginning: bytes) -> Answer:
    said = beginning.decode(errors="replace")[:SHOWN]
    error = None
    if response.is_redirect:
        error = "it answers that it is elsewhere, which is not followed: register that address"
    asked = response.headers.get("retry-after", "")
    wait = timedelta(seconds=int(asked)) if asked.isdecimal() and len(asked) < 6 else timedelta(0)
    return Answer(response.status_code, error, wait, said)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
