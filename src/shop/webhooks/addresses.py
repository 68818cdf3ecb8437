"""Which addresses may be told anything: those of the world outside, unless the operator says that
the house's own may be, too. Who registers an endpoint must not reach through the shop what only
the shop can reach."""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import Executor
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

import httpx

from bus.messages import Invalid, Refused

UNICAST = IPv6Network("2000::/3")
"""All that is given out of IPv6."""

TRANSLATED = IPv6Network("64:ff9b::/96")
"""IPv4 as networks without it see it (RFC 6052): the last 32 bits are the address."""

ALLOWED_BY = "SHOP_WEBHOOKS_ALLOW_PRIVATE"


def parsed(url: str, *, allow_private: bool) -> httpx.URL:
    """An endpoint's address; refused with `unfit_url` where it is none."""
    try:
        found = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise _unfit(url, f"cannot be read: {error}") from None
    if found.scheme not in ("http", "https") or not found.raw_host:
        raise _unfit(url, "is no address of the web: it looks like https://host/path")
    if found.scheme == "http" and not allow_private:
        raise _unfit(url, f"is not encrypted: take https ({ALLOWED_BY}=true allows http)")
    if found.userinfo:
        raise _unfit("the address", "names a user: it is signed, and needs no password")
    if found.fragment:
        raise _unfit(url, "has a fragment (#...), which no server ever sees: leave it out")
    if not 0 < port_of(found) <= 65535:
        raise _unfit(url, "has a port that no host has")
    return found


async def resolved(url: httpx.URL, threads: Executor | None, *, allow_private: bool) -> list[str]:
    """The addresses of a URL's host, all of them looked at; refused with `unknown_host`, and with
    `forbidden_address` when even one is not of the world outside. `threads` do the waiting.

    Connect to what this answers and to nothing else: asked again, a name may lead elsewhere.
    """
    host = url.raw_host.decode("ascii")

    def look_up() -> list[str]:
        found = socket.getaddrinfo(host, port_of(url), type=socket.SOCK_STREAM)
        return list(dict.fromkeys(str(address[0]) for *_, address in found))

    try:
        addresses = await asyncio.get_running_loop().run_in_executor(threads, look_up)
    except (OSError, UnicodeError) as error:
        raise Refused("unknown_host", f"there is no host {host}: {error}") from None
    for address in addresses:
        if not allow_private and not public(address):
            raise Refused(
                "forbidden_address",
                f"{host} is {address}, which is none of the world outside: take another"
                f" ({ALLOWED_BY}=true allows those of the house)",
                address=address,
            )
    return addresses


def public(address: str) -> bool:
    """Whether an IP address is one of the world outside: not this machine's, nor of a network of
    its own, nor for many at once, nor set aside."""
    found = _meant(ip_address(address))
    if isinstance(found, IPv6Address) and found not in UNICAST:
        return False
    return found.is_global and not found.is_multicast and not found.is_reserved


def port_of(url: httpx.URL) -> int:
    """The port that a URL names, or means."""
    if url.port is not None:
        return url.port
    return 443 if url.scheme == "https" else 80


def _meant(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that one of IPv6 stands for, if it does."""
    if isinstance(address, IPv4Address):
        return address
    if address in TRANSLATED:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _unfit(url: str, why: str) -> Invalid:
    return Invalid("unfit_url", f"{url} {why}")
