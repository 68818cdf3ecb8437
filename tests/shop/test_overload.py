"""A process that works on as much as it may: whoever comes then is told at once to come again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from bus.rest import waiting
from bus.turnstile import TURNSTILE, WAIT, Turnstile
from shop import entrance
from shop.metrics import TURNED_AWAY
from shop.observed import Observed
from shop.protocol import Protocol
from tests.shop.clients import problem
from tests.shop.test_protocol import served
from tests.waiting import eventually, soon

PLACES = 2

HEAD = b"POST /works HTTP/1.1\r\nHost: shop\r\nContent-Length: 4\r\n\r\n"


class Shop:
    """Has so much work with each request until it is told to go on."""

    def __init__(self) -> None:
        self.turnstile = Turnstile(PLACES)
        self.goes_on = asyncio.Event()
        paths = {
            "/works": self.work,
            "/waits": self.settle,
            "/streams": self.stream,
            "/quick": self.answer,
            "/livez": self.answer,
        }
        self.app = Starlette(
            routes=[Route(path, does, methods=["GET", "POST"]) for path, does in paths.items()],
            middleware=[Middleware(Observed)],
        )

    @asynccontextmanager
    async def open(self) -> AsyncIterator[httpx.AsyncClient]:
        """Clients of it."""
        async with (
            served(self.app, **{TURNSTILE: self.turnstile}) as (host, port),
            httpx.AsyncClient(base_url=f"http://{host}:{port}", trust_env=False) as http,
        ):
            try:
                yield http
            finally:
                self.goes_on.set()

    async def takes(self, places: int) -> None:
        """Once so many places are."""
        await eventually(lambda: self.turnstile.taken == places)

    async def waits(self, waiting: int) -> None:
        """Once so many wait."""
        await eventually(lambda: self.turnstile.waiting == waiting)

    async def work(self, request: Request) -> Response:
        await request.body()
        await self.goes_on.wait()
        return Response("ok")

    async def settle(self, request: Request) -> Response:
        with waiting(request):
            await self.goes_on.wait()
        return Response("ok")

    async def stream(self, request: Request) -> Response:
        async def told() -> AsyncIterator[bytes]:
            yield b"begun"
            await self.goes_on.wait()

        return StreamingResponse(told())

    async def answer(self, request: Request) -> Response:
        return Response("ok")


async def asked(http: httpx.AsyncClient, *paths: str) -> list[asyncio.Task[httpx.Response]]:
    return [asyncio.create_task(http.get(path)) for path in paths]


async def test_when_all_places_are_taken_who_comes_is_told_to_come_again() -> None:
    shop = Shop()
    async with shop.open() as http:
        under_way = await asked(http, *["/works"] * PLACES)
        await shop.takes(PLACES)
        before = TURNED_AWAY._value.get()
        for method in ("GET", "POST"):
            answer = await http.request(method, "/quick", json={"a": 1})
            problem(answer, 503, "overloaded")
            assert int(answer.headers["retry-after"]) >= 1
            assert "connection" not in answer.headers
        assert (await http.head("/quick")).status_code == 503
        assert TURNED_AWAY._value.get() == before + 3
        assert (await http.get("/livez")).status_code == 200, "it lives"
        shop.goes_on.set()
        assert {(await soon(each)).status_code for each in under_way} == {200}
        assert (await http.get("/quick")).status_code == 200
        await shop.takes(0)


async def test_who_waits_and_who_listens_takes_no_place() -> None:
    shop = Shop()
    async with shop.open() as http:
        begun = [http.stream("GET", "/streams") for _ in range(PLACES)]
        listening = [await soon(each.__aenter__()) for each in begun]
        waiting = await asked(http, *["/waits"] * PLACES)
        await shop.waits(PLACES)
        await shop.takes(0)
        assert (await http.get("/quick")).status_code == 200
        shop.goes_on.set()
        assert {(await soon(each)).status_code for each in waiting} == {200}
        assert [await soon(each.aread()) for each in listening] == [b"begun"] * PLACES
        await shop.takes(0)


async def test_when_as_many_wait_as_may_only_who_would_not_wait_is_let_in() -> None:
    shop = Shop()
    async with shop.open() as http:
        waiting = []
        for wave in range(1, WAIT + 1):
            waiting += await asked(http, *["/waits"] * PLACES)
            await shop.waits(PLACES * wave)
        answer = await http.get("/quick", headers={"Prefer": "respond-async, Wait=5"})
        problem(answer, 503, "overloaded")
        assert (await http.get("/quick", headers={"Prefer": "handling=strict"})).status_code == 200
        shop.goes_on.set()
        assert {(await soon(each)).status_code for each in waiting} == {200}
        assert (await http.get("/quick", headers={"Prefer": "wait=5"})).status_code == 200


async def test_who_is_still_to_send_a_body_keeps_nobody_out(
    monkeypatch: pytest.MonkeyPatch, made: list[Protocol]
) -> None:
    monkeypatch.setattr(entrance, "MOMENT", 0.01)
    shop = Shop()
    async with shop.open() as http:
        slow = [await connected(http) for _ in range(PLACES)]
        for _, writer in slow:
            writer.write(HEAD)
        await eventually(lambda: len([own for own in made if own._last]) == PLACES)
        await shop.takes(0)
        assert (await http.get("/quick")).status_code == 200
        for _, writer in slow:
            writer.write(b"body")
        await shop.takes(PLACES)
        shop.goes_on.set()
        for reader, writer in slow:
            assert (await soon(reader.readline())).startswith(b"HTTP/1.1 200")
            writer.close()


async def test_the_body_of_who_was_turned_away_may_come_and_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shop = Shop()
    shop.turnstile.taken = PLACES
    async with shop.open() as http:
        reader, writer = await connected(http)
        for _ in range(2):  # on one connection: what belongs to which request stays clear
            writer.write(HEAD)
            assert (await soon(reader.readline())).startswith(b"HTTP/1.1 503")
            await soon(reader.readuntil(b'"}'))
            writer.write(b"body")
        monkeypatch.setattr(entrance, "BODY_WITHIN", 0.05)
        writer.write(HEAD)
        assert b"503" in await soon(reader.read())
        writer.close()


async def test_who_asks_whether_to_send_a_body_is_let_go_of() -> None:
    shop = Shop()
    shop.turnstile.taken = PLACES
    async with shop.open() as http:
        reader, writer = await connected(http)
        writer.write(HEAD[:-2] + b"Expect: 100-continue\r\n\r\n")
        assert b"connection: close" in await soon(reader.readuntil(b"\r\n\r\n"))
        writer.close()


async def test_who_hangs_up_keeps_their_place_until_their_work_is_done() -> None:
    shop = Shop()
    async with shop.open() as http:
        _, writer = await connected(http)
        writer.write(HEAD + b"body")
        await shop.takes(1)
        writer.close()
        await soon(writer.wait_closed())
        assert (await http.get("/livez")).status_code == 200
        await shop.takes(1)
        shop.goes_on.set()
        await shop.takes(0)


async def connected(http: httpx.AsyncClient) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection(http.base_url.host, http.base_url.port)


async def test_who_is_turned_away_again_and_again_stays_connected_as_long_as_they_ask(
    made: list[Protocol],
) -> None:
    shop = Shop()
    shop.turnstile.taken = PLACES
    async with shop.open() as http:
        reader, writer = await connected(http)
        for _ in range(3):
            writer.write(HEAD + b"body")
            assert b"503" in await soon(reader.readuntil(b'"}'))
        (own,) = made
        own.timeout_keep_alive_handler()
        assert not own.transport.is_closing()
        own.timeout_keep_alive = 0
        own.timeout_keep_alive_handler()
        assert await soon(reader.read()) == b"", "they have asked for nothing for long"
        writer.close()


async def test_who_was_turned_away_unread_is_let_in_when_there_is_a_place() -> None:
    shop = Shop()
    shop.turnstile.taken = PLACES
    async with shop.open() as http:
        reader, writer = await connected(http)
        for taken, status in ((PLACES, b"503"), (0, b"200"), (PLACES, b"503")):
            shop.turnstile.taken = taken
            shop.goes_on.set()
            for part in (HEAD + b"body", HEAD[:9], HEAD[9:] + b"bo", b"dy"):
                writer.write(part)
                if part.endswith((b"body", b"dy")):
                    assert (await soon(reader.readline())).split()[1] == status
                    await soon(reader.readuntil(b"\r\n\r\n"))
                    await soon(reader.readuntil(b'"}' if status == b"503" else b"ok"))
                    await shop.takes(taken)
        writer.close()


async def test_who_takes_no_answers_is_read_no_more(made: list[Protocol]) -> None:
    shop = Shop()
    shop.turnstile.taken = PLACES
    async with shop.open() as http:
        address = http.base_url.host, http.base_url.port
        _, writer = await asyncio.open_connection(*address, limit=1)
        writer.write(HEAD + b"body")
        await eventually(lambda: bool(made))
        (own,) = made

        async def flood() -> None:
            while not own.flow.read_paused:
                writer.write((HEAD + b"body") * 100)
                await asyncio.sleep(0)

        await soon(flood())
        assert own.transport.get_write_buffer_size() < 1_000_000
        writer.transport.abort()
