"""How a notice is brought: to where its address was seen to lead, and no further."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook

from bus.messages import now
from shop.webhooks import post as posting
from shop.webhooks.post import HEARD, Answer, Post, signed
from tests.listening import listening
from tests.shop.webhooks.receiver import Receiver

SECRET = "whsec_" + "c2VjcmV0" * 4
BODY = json.dumps({"type": "order.placed", "data": {}}).encode()


@pytest.fixture
async def post() -> AsyncIterator[Post]:
    """A way to addresses of the house."""
    one = Post(httpx.create_ssl_context(), allow_private=True)
    yield one
    await one.close()


async def brought(post: Post, url: str) -> Answer:
    return await post.bring(url, signed("msg_1", BODY, [SECRET], now()), BODY)


def leading(monkeypatch: pytest.MonkeyPatch, *turns: list[str]) -> list[str]:
    """Has `hooks.test` lead to these addresses, one turn after the other; the names asked for."""
    real, asked = socket.getaddrinfo, list[str]()

    def look_up(host: Any, port: Any, *how: Any, **more: Any) -> Any:
        if host != "hooks.test":
            return real(host, port, *how, **more)
        turn = turns[min(len(asked), len(turns) - 1)]
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in turn]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return asked


def test_a_notice_is_signed_as_every_receiver_expects_it() -> None:
    """A signature that other implementations of the specification make, too."""
    at, body = datetime.fromtimestamp(1_614_265_330, UTC), b'{"test": 2432232314}'
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    headers = signed("msg_p5jXN8AQM9LWM0D4loKWxJek", body, [secret, SECRET], at)
    first, second = headers["webhook-signature"].split(" ")
    assert first == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert second == Webhook(SECRET).sign(headers["webhook-id"], at, body.decode())
    assert headers["webhook-timestamp"] == "1614265330"


async def test_a_notice_comes_as_it_was_signed(post: Post, receiver: Receiver) -> None:
    receiver.secret = SECRET
    answer = await brought(post, receiver.url + "?of=shop")
    assert (answer.status, answer.taken, answer.error) == (204, True, None)
    (got,) = receiver.got
    assert (got.id, got.body, got.path) == ("msg_1", BODY, "/hook?of=shop")
    assert got.headers["content-type"] == "application/json"
    assert got.headers["user-agent"].startswith("Storefold/")
    assert got.headers["host"] == receiver.url.split("/")[2]


async def test_a_name_is_asked_once_and_what_it_led_to_is_where_the_notice_goes(
    post: Post, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.secret = SECRET
    asked = leading(monkeypatch, ["127.0.0.1"], ["127.0.0.99"])
    answer = await brought(post, receiver.url.replace("127.0.0.1", "hooks.test"))
    assert answer.taken
    assert asked == ["hooks.test"]
    assert receiver.got[0].headers["host"].startswith("hooks.test:")


async def test_a_name_that_leads_inside_by_now_is_not_followed(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    leading(monkeypatch, ["127.0.0.1"])
    strict = Post(httpx.create_ssl_context(), allow_private=False)
    for url in ("https://hooks.test/", receiver.url):
        answer = await brought(strict, url)
        assert answer.status is None
        assert "SHOP_WEBHOOKS_ALLOW_PRIVATE" in (answer.error or "")
    await strict.close()
    assert (receiver.got, receiver.forged) == ([], 0)


async def test_where_one_address_is_not_reached_the_next_is_tried(
    post: Post, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.secret = SECRET
    leading(monkeypatch, ["127.0.0.99", "127.0.0.1"])
    answer = await brought(post, receiver.url.replace("127.0.0.1", "hooks.test"))
    assert answer.taken


async def test_a_host_that_is_not_reached_is_looked_for_anew(
    post: Post, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.secret = SECRET
    asked = leading(monkeypatch, ["127.0.0.99"], ["127.0.0.1"])
    url = receiver.url.replace("127.0.0.1", "hooks.test")
    assert (await brought(post, url)).status is None
    assert (await brought(post, url)).taken
    assert (await brought(post, url)).taken
    assert len(asked) == 2


async def test_no_proxy_is_asked(
    post: Post, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.secret = SECRET
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert (await brought(post, receiver.url)).taken


async def test_no_cookie_is_kept(post: Post, receiver: Receiver) -> None:
    receiver.secret = SECRET
    receiver.answer = lambda got: (200, {"set-cookie": "session=1"})
    await brought(post, receiver.url)
    await brought(post, receiver.url)
    assert all("cookie" not in got.headers for got in receiver.got)


@pytest.mark.parametrize(
    ("status", "taken", "unwell"),
    [(200, True, False), (204, True, False), (299, True, False), (301, False, False),
     (304, False, False), (400, False, False), (408, False, True), (410, False, False),
     (429, False, True), (500, False, True), (503, False, True)],
)  # fmt: skip
def test_only_2xx_is_taken(status: int, taken: bool, unwell: bool) -> None:
    answer = Answer(status)
    assert (answer.taken, answer.unwell) == (taken, unwell)


async def talks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Begins to answer, and never ends."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"x-more: and more\r\n")
        await asyncio.sleep(0.05)


async def babbles(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers without end."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n")
    while True:
        writer.write(b"x" * HEARD)
        await writer.drain()


async def says_nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Speaks no HTTP."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"220 mail.example ESMTP\r\n\r\n")
    writer.close()


async def hangs_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Says nothing at all."""
    writer.close()


async def test_who_answers_too_slowly_has_not_answered(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posting, "WITHIN", 0.2)
    async with listening(talks) as url:
        answer = await brought(post, url)
    assert answer == Answer(error="no answer within 0.2 s")


async def test_a_host_that_is_looked_for_too_long_has_not_answered(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = asyncio.Event()
    loop = asyncio.get_running_loop()

    def look_up(*asked: Any, **how: Any) -> Any:
        asyncio.run_coroutine_threadsafe(found.wait(), loop).result()
        raise OSError("at last")

    monkeypatch.setattr(posting, "WITHIN", 0.2)
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    assert (await brought(post, "http://hooks.test/")).error == "no answer within 0.2 s"
    found.set()


async def test_of_an_endless_answer_the_beginning_is_heard(post: Post) -> None:
    async with listening(babbles) as url:
        answer = await brought(post, url)
    assert answer.taken
    assert len(answer.said) == posting.SHOWN


@pytest.mark.parametrize("talk", [says_nonsense, hangs_up])
async def test_who_speaks_no_http_has_not_answered(post: Post, talk: Any) -> None:
    async with listening(talk) as url:
        answer = await brought(post, url)
    assert answer.status is None
    assert answer.error
    assert answer.unwell


async def test_where_nobody_listens_nobody_has_answered(post: Post) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        answer = await brought(post, f"http://127.0.0.1:{free.getsockname()[1]}/")
    assert answer.error
    assert "ConnectError" in answer.error
