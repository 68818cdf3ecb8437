"""The cache, on a real Redis: older never replaces newer; when it is away only speed is lost."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from bus import cache as caches
from bus.cache import Cache, Entry
from bus.messages import now
from shop import redis_server
from shop.child import Child
from tests.waiting import eventually

ANSWERS_WITHIN = 2.0  # seconds, on a busy machine: the limit is 0.1


@pytest.fixture
async def cache(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Cache]:
    """A cache whose Redis is there, however busy the machine."""
    monkeypatch.setattr(caches, "TIMEOUT", 10.0)
    async with Redis.from_url(redis_url) as redis:
        yield Cache(redis, "test")


@pytest.fixture
def own(tmp_path: Path) -> Iterator[tuple[Child, int]]:
    """A Redis that a test may kill."""
    child, port = redis_server.start(tmp_path / "redis", None)
    yield child, port
    child.stop(5)


def entry(version: int, body: bytes = b"{}", position: int = 0) -> Entry:
    return Entry(version, position, "shop:web", body)


async def test_what_is_put_is_found(cache: Cache) -> None:
    odd = Entry(3, 2**40, "buyer 1", b'{"a":\n"\xc3\xbc"}\x00 ')
    await cache.put("a", odd)

    assert await cache.get("a") == odd
    assert await cache.get("b") is None


async def test_an_older_version_never_replaces_a_newer(cache: Cache) -> None:
    await cache.put("a", entry(10, b"ten"))
    await cache.put("a", entry(9, b"nine"))
    assert await cache.get("a") == entry(10, b"ten")
    await cache.put("a", entry(11, b"eleven"))

    assert await cache.get("a") == entry(11, b"eleven")


async def test_of_one_version_the_one_that_is_right_for_longer_stays(cache: Cache) -> None:
    await cache.put("a", entry(10, position=90))
    await cache.put("a", entry(10, position=100))
    await cache.put("a", entry(10, position=99))
    assert await cache.get("a") == entry(10, position=100)
    await cache.put("a", entry(9, position=1000))

    assert await cache.get("a") == entry(10, position=100)


@pytest.mark.parametrize("value", [b"", b"junk", b"3 shop:web\n{}", b"1 2 shop:web", b"x 2 o\n{}"])
async def test_what_is_no_entry_is_not_there_and_is_replaced(
    cache: Cache, redis_url: str, value: bytes
) -> None:
    async with Redis.from_url(redis_url) as redis:
        await redis.set("test:a", value)
    assert await cache.get("a") is None
    await cache.put("a", entry(1))

    assert await cache.get("a") == entry(1)


async def test_of_many_at_once_the_newest_stays(cache: Cache) -> None:
    await asyncio.gather(
        *(cache.put("a", entry(version, str(version).encode())) for version in range(99, 0, -1)),
        *(cache.put(f"b{number}", entry(number)) for number in range(1, 50)),
    )
    found = await asyncio.gather(*(cache.get(f"b{number}") for number in range(1, 50)))

    assert await cache.get("a") == entry(99, b"99")
    assert [each.version for each in found if each] == list(range(1, 50))


async def test_several_entries_are_put_at_once_under_the_same_guard(cache: Cache) -> None:
    await cache.put("a", entry(5))
    await cache.put_all([("a", entry(4, b"old")), ("b", entry(1)), ("b", entry(2, b"new"))])

    assert await cache.get("a") == entry(5)
    assert await cache.get("b") == entry(2, b"new")


async def test_an_entry_does_not_stay_for_ever(cache: Cache, redis_url: str) -> None:
    await cache.put("a", entry(1))
    async with Redis.from_url(redis_url) as redis:
        assert 0 < await redis.ttl("test:a") <= caches.TTL


async def test_two_shops_on_one_redis_do_not_meet(cache: Cache, redis_url: str) -> None:
    async with Redis.from_url(redis_url) as redis:
        await cache.put("a", entry(1))
        assert await Cache(redis, "other").get("a") is None


async def test_without_a_redis_there_is_nothing() -> None:
    cache = Cache(None, "test")
    await cache.put("a", entry(1))
    await cache.put_all([("a", entry(1))])

    assert cache.away
    assert await cache.get("a") is None


async def within(limit: float, awaitable: Any) -> Any:
    """What is awaited, which must not take long."""
    began = time.monotonic()
    found = await awaitable
    assert time.monotonic() - began < limit
    return found


async def test_a_killed_redis_answers_nothing_at_once_and_is_asked_again_later(
    own: tuple[Child, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    child, port = own
    async with Redis.from_url(redis_server.url(port)) as redis:
        cache = Cache(redis, "test")
        await cache.put("a", entry(1))
        os.kill(child.pid, signal.SIGKILL)
        await eventually(lambda: not child.running())

        assert await within(ANSWERS_WITHIN, cache.get("a")) is None
        assert cache.away
        asked: list[Any] = []
        monkeypatch.setattr(redis, "mget", asked.append)
        assert await cache.get("a") is None
        await cache.put("a", entry(2))
        assert asked == []


async def test_a_redis_that_hangs_answers_nothing_soon_and_nothing_wrong_afterwards(
    own: tuple[Child, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caches, "COOL_DOWN", 0.01)
    child, port = own
    async with Redis.from_url(redis_server.url(port)) as redis:
        cache = Cache(redis, "test")
        with monkeypatch.context() as patient:
            patient.setattr(caches, "TIMEOUT", 10.0)
            for name in ("a", "b"):
                await cache.put(name, entry(1, name.encode()))
        os.kill(child.pid, signal.SIGSTOP)
        try:
            assert await within(ANSWERS_WITHIN, cache.get("a")) is None
            await within(ANSWERS_WITHIN, cache.put("a", entry(2)))
        finally:
            os.kill(child.pid, signal.SIGCONT)

        # The answer that came too late is not taken for that of the next question.
        back: Any = await eventually(lambda: cache.get("b"))
        assert back == entry(1, b"b")
        found = await cache.get("a")
        assert found in (entry(1, b"a"), entry(2))


async def test_who_stops_waiting_harms_nobody(cache: Cache) -> None:
    await cache.put("a", entry(1))
    waits = [asyncio.create_task(cache.get("a")) for _ in range(10)]
    await asyncio.sleep(0)
    for task in waits[::2]:
        task.cancel()

    assert await asyncio.gather(*waits[1::2]) == [entry(1)] * 5


async def test_plain_bytes_are_kept_for_as_long_as_is_said_or_a_day(
    cache: Cache, redis_url: str
) -> None:
    at = now()
    await cache.keep(
        {
            "a": (b"\x00", at + timedelta(seconds=50)),
            "b": (b"", at + timedelta(days=30)),
            "c": (b"gone", at - timedelta(seconds=1)),
        }
    )
    assert await cache.recall(["c", "b", "a", "d"]) == [None, b"", b"\x00", None]
    async with Redis.from_url(redis_url) as redis:
        assert 40 < await redis.ttl("test:a") <= 50
        assert await redis.ttl("test:b") <= caches.TTL


async def test_without_a_redis_no_bytes_are_kept() -> None:
    cache = Cache(None, "test")
    await cache.keep({"a": (b"1", now() + timedelta(days=1))})
    assert await cache.recall(["a", "b"]) == [None, None]
