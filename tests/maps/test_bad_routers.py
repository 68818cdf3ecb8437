"""A router that is broken, absurd, slow or dead: there is an answer all the same, and soon."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from maps.breaker import FAILURES, Breaker
from maps.builtin_router import leg
from maps.memory import Answers, Memory
from maps.osrm import OsrmRouter
from maps.outside import AT_ONCE, LARGEST, PATIENCE
from maps.roads import Roads
from tests.counting import Figures, figure
from tests.listening import Talk, listening
from tests.logged import logged
from tests.maps.doors import ESCHEN, SCHAAN, VADUZ

GOOD = b"""{"code": "Ok", "distances": [[4092.1]], "durations": [[420.4]],
    "sources": [{"location": [9.51, 47.1674]}],
    "destinations": [{"location": [9.5227, 47.1371]}]}"""

GEOMETRY = leg(SCHAAN, VADUZ)


def http(body: bytes, status: str = "200 OK", kind: str = "application/json") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def changed(old: bytes, new: bytes) -> bytes:
    assert old in GOOD
    return http(GOOD.replace(old, new))


NONSENSE = {
    "a page": http(b"<html>It works!</html>", kind="text/html"),
    "nothing": http(b""),
    "half of it": http(GOOD[:90]),
    "less than it promises": http(GOOD)[:-10],
    "no HTTP": b"220 mail.example.org ESMTP\r\n",
    "an error": http(b"oops", "500 Internal Server Error"),
    "another address": http(b"", "302 Found\r\nLocation: http://127.0.0.1:9/"),
    "a page that says it is not there": http(b"<html>", "404 Not Found", "text/html"),
    "a refusal that is none": http(b"[]", "400 Bad Request"),
    "a list": http(b"[1, 2, 3]"),
    "null": http(b"null"),
    "deep brackets": http(b"[" * 100_000),
    "another code": changed(b'"Ok"', b'"Nonsense"'),
    "no table": changed(b'"distances": [[4092.1]], ', b""),
    "no rows": changed(b"[[4092.1]]", b"[]"),
    "too many rows": changed(b"[[420.4]]", b"[[420.4], [1]]"),
    "too few columns": changed(b"[[420.4]]", b"[[]]"),
    "no sources": changed(b'[{"location": [9.51, 47.1674]}]', b"[]"),
    "words for numbers": changed(b"4092.1", b'"4092.1"'),
    "NaN": changed(b"420.4", b"NaN"),
    "no end": changed(b"4092.1", b"Infinity"),
    "more than there is": changed(b"4092.1", b"1e300"),
    "time that runs backwards": changed(b"420.4", b"-420.4"),
    "a place beside the earth": changed(b"47.1371", b"147.1371"),
}


@dataclass
class Server:
    """What says the same to everybody, until it is told to say something else."""

    says: bytes = b""
    calls: int = 0

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.calls += 1
        writer.write(self.says)
        await writer.drain()
        writer.close()


class Forgetful(Memory):
    """A memory that keeps nothing, so that the router is asked each time."""

    def __init__(self) -> None: ...

    async def recall(self, keys: Sequence[str]) -> Answers:
        return {}

    def keep(self, answers: Answers, lifetime: timedelta) -> None: ...

    async def close(self) -> None: ...


@asynccontextmanager
async def roads(talk: Talk, **how: Any) -> AsyncIterator[Roads]:
    """Roads whose router is this talk."""
    async with listening(talk) as address:
        opened = Roads(OsrmRouter(address, **how), Forgetful())
        yield opened
        await opened.close()


@pytest.mark.parametrize("said", NONSENSE.values(), ids=NONSENSE.keys())
async def test_what_is_no_answer_is_answered_by_geometry_and_said_in_the_log(said: bytes) -> None:
    server = Server(said)
    breaker = Breaker(failures=1)
    async with roads(server.talk, breaker=breaker) as router:
        with logged("maps.osrm_") as logs:
            assert await router.matrix((SCHAAN,), (VADUZ,)) == ((GEOMETRY,),)
        (line,) = logs
        assert line["event"] == "maps.osrm_failed"
        assert line["log_level"] == "warning"
        assert line["why"]
        assert "9.5" not in line["why"], "a position is personal"
        assert breaker.open

        way = await router.route((SCHAAN, VADUZ))
        assert way
        assert way.source == "builtin"


async def test_a_good_answer_is_taken_from_the_very_same_server() -> None:
    async with roads(Server(http(GOOD)).talk) as router:
        ((found,),) = await router.matrix((SCHAAN,), (VADUZ,))
        assert found
        assert (found.source, found.distance_m, found.duration_s) == ("osrm", 4092, 420)


async def test_an_endless_answer_is_not_read_to_its_end() -> None:
    sent = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b" " * 65_536)
            await writer.drain()
            sent += 65_536

    async with roads(talk, patience=10) as router:
        assert await router.matrix((SCHAAN,), (VADUZ,)) == ((GEOMETRY,),)
    assert sent < 2 * LARGEST + 5_000_000  # what the sockets hold


async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    await asyncio.sleep(30)
    writer.write(http(GOOD))


async def dripping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    for byte in http(GOOD):
        writer.write(bytes([byte]))
        await asyncio.sleep(0.1)


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(30)


@pytest.mark.parametrize("talk", [late, dripping, silent])
async def test_an_answer_that_comes_late_is_not_waited_for(talk: Talk) -> None:
    async with roads(talk) as router:
        began = time.monotonic()
        with logged("maps.osrm_") as logs:
            assert await router.matrix((SCHAAN,), (VADUZ,)) == ((GEOMETRY,),)
        assert PATIENCE - 0.1 < time.monotonic() - began < 2 * PATIENCE
    assert [line["why"] for line in logs] == [f"it did not answer within {PATIENCE:g} s"]


async def test_a_router_that_breaks_the_line_is_asked_again_at_once() -> None:
    calls = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal calls
        await reader.readuntil(b"\r\n\r\n")
        calls += 1
        if calls < 3:
            writer.transport.abort()
            return
        writer.write(http(GOOD))

    async with roads(talk) as router:
        ((found,),) = await router.matrix((SCHAAN,), (VADUZ,))
        assert found
        assert found.source == "osrm"
    assert calls == 3


async def test_a_dead_router_is_not_asked_for_a_while_and_then_by_one_only() -> None:
    server = Server(http(b"oops", "404 Not Found"))
    clock = Clock()
    breaker = Breaker(clock=clock)
    figures = Figures()
    async with roads(server.talk, breaker=breaker) as router:

        async def ask() -> str:
            ((found,),) = await router.matrix((SCHAAN,), (VADUZ,))
            assert found
            return found.source

        for _ in range(FAILURES):
            assert await ask() == "builtin"
        assert server.calls == FAILURES
        for _ in range(5):
            assert await ask() == "builtin"
        assert server.calls == FAILURES, "it is not asked"
        assert figure("storefold_breaker_open", breaker="osrm") == 1

        clock.now += 10
        assert set(await asyncio.gather(*(ask() for _ in range(5)))) == {"builtin"}
        assert server.calls == FAILURES + 1, "one tries it"

        clock.now += 10
        server.says = http(GOOD)
        with logged("maps.osrm_") as logs:
            assert await ask() == "osrm"
        assert [line["event"] for line in logs] == ["maps.osrm_is_back"]
        server.says = http(b"oops", "404 Not Found")
        assert not breaker.open
        assert figure("storefold_breaker_open", breaker="osrm") == 0
        assert figures.grown("storefold_maps_questions_total", "service", "outcome") == {
            ("osrm", "answered"): 1,
            ("osrm", "failed"): FAILURES + 1,
            ("osrm", "unasked"): 5,
        }


async def test_a_crowd_of_questions_waits_for_its_turn_and_is_answered() -> None:
    under_way, most = 0, 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal under_way, most
        await reader.readuntil(b"\r\n\r\n")
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.01)
        writer.write(http(GOOD))
        under_way -= 1
        writer.close()

    async with listening(talk) as address:
        router = OsrmRouter(address, patience=10)
        crowd = (router.matrix((SCHAAN,), (VADUZ,)) for _ in range(3 * AT_ONCE))
        found = await asyncio.gather(*crowd)
        await router.close()
    assert {leg.source for ((leg,),) in found if leg} == {"osrm"}
    assert 1 < most <= AT_ONCE


async def test_a_router_that_declines_is_alive() -> None:
    server = Server(http(b'{"code": "TooBig", "message": "Too many table coordinates"}', "400 Bad"))
    breaker = Breaker(failures=1)
    async with roads(server.talk, breaker=breaker) as router:
        with logged("maps.osrm_") as logs:
            assert await router.matrix((SCHAAN,), (VADUZ,)) == ((GEOMETRY,),)
        assert [(line["event"], line["why"]) for line in logs] == [("maps.osrm_declined", "TooBig")]
        assert not breaker.open


@pytest.mark.parametrize("code", ["NoRoute", "NoTable", "NoSegment"])
async def test_no_road_is_an_answer(code: str) -> None:
    server = Server(http(b'{"code": "%s", "message": "..."}' % code.encode(), "400 Bad Request"))
    async with roads(server.talk) as router:
        assert await router.matrix((SCHAAN,), (VADUZ, ESCHEN)) == ((None, None),)
        assert await router.route((SCHAAN, VADUZ)) is None


class Clock:
    """A clock that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now
