"""Which addresses may be told anything: whoever registers one must not reach the house through
the shop."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest
from pymongo import MongoClient

from bus.messages import Invalid, Refused
from shop.webhooks.addresses import parsed, public, resolved
from shop.webhooks.commands import AddEndpoint
from tests.shop.webhooks.telling import telling

Lead = Callable[..., None]


@pytest.fixture
def leads(monkeypatch: pytest.MonkeyPatch) -> Lead:
    """Has a name lead to these addresses."""
    real = socket.getaddrinfo

    def lead(name: str, *addresses: str) -> None:
        def look_up(host: Any, port: Any, *how: Any, **more: Any) -> Any:
            if host != name:
                return real(host, port, *how, **more)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in addresses]

        monkeypatch.setattr(socket, "getaddrinfo", look_up)

    return lead


INSIDE = [
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0177.1",
    "017700000001",
    "0",
    "0.0.0.0",
    "localhost",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "198.18.0.1",
    "192.0.2.1",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:a00:1]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "[fd00:ec2::254]",
    "[fe80::1]",
    "[fec0::1]",
    "[ff02::1]",
    "[2001:db8::1]",
]


@pytest.mark.parametrize("host", INSIDE)
async def test_an_address_of_the_house_is_refused_however_it_is_written(host: str) -> None:
    url = parsed(f"https://{host}:8443/hook", allow_private=False)
    with pytest.raises(Refused) as refused:
        await resolved(url, None, allow_private=False)
    assert refused.value.code == "forbidden_address"
    assert "SHOP_WEBHOOKS_ALLOW_PRIVATE" in refused.value.message


@pytest.mark.parametrize(
    "address",
    ["93.184.215.14", "8.8.8.8", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "64:ff9b::808:808"],
)
def test_an_address_of_the_world_is_not(address: str) -> None:
    assert public(address)


async def test_a_name_that_leads_inside_is_refused_even_if_it_leads_outside_too(
    leads: Lead,
) -> None:
    url = parsed("https://hooks.example/", allow_private=False)
    leads("hooks.example", "93.184.215.14")
    assert await resolved(url, None, allow_private=False) == ["93.184.215.14"]
    leads("hooks.example", "93.184.215.14", "10.0.0.1")
    with pytest.raises(Refused, match=r"hooks\.example is 10\.0\.0\.1"):
        await resolved(url, None, allow_private=False)


async def test_a_name_that_leads_nowhere_is_refused() -> None:
    for host in ("no-such-host.invalid", "a" * 64 + ".invalid"):
        with pytest.raises(Refused, match="there is no host"):
            await resolved(
                parsed(f"https://{host}/", allow_private=False), None, allow_private=True
            )


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("hooks.example/path", "looks like https://host/path"),
        ("ftp://hooks.example/", "looks like https://host/path"),
        ("https:///path", "looks like https://host/path"),
        ("file:///etc/passwd", "looks like https://host/path"),
        ("http://hooks.example/", "is not encrypted"),
        ("https://user:s3cret@hooks.example/", "names a user"),
        ("https://hooks.example/#top", "has a fragment"),
        ("https://hooks.example:0/", "a port that no host has"),
        ("https://hooks.example:70000/", "a port that no host has"),
        ("https://hooks.example:port/", "cannot be read"),
        ("https://[::1/", "cannot be read"),
        ("https://0177.0.0.1/", "cannot be read"),
        ("https://hooks\x00.example/", "cannot be read"),
    ],
)
def test_what_is_no_address_of_the_web_is_refused(url: str, says: str) -> None:
    with pytest.raises(Invalid, match=says) as refused:
        parsed(url, allow_private=False)
    assert refused.value.code == "unfit_url"
    assert "s3cret" not in refused.value.message


async def test_none_of_these_can_be_registered(
    mongo: MongoClient[dict[str, Any]], prefix: str
) -> None:
    async with telling(mongo, prefix, allow_private=False) as shop:
        for url in ("https://127.0.0.1/", "https://localhost/", "http://example.com/"):
            with pytest.raises(Refused):
                await shop.bus.send(AddEndpoint(url=url))
        assert await shop.endpoints() == ()
