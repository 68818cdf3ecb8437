"""How much one client may ask for, on one replica and on several."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from limits import parse
from redis.asyncio import Redis

from bus.problems import Problem
from shop import rates as rates_module
from shop.container import cache_client
from shop.doors import Doors
from shop.rates import Rates
from shop.web import surface
from tests.logged import logged
from tests.shop.clients import Running, problem
from tests.waiting import eventually, soon


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.time = 6_000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    client = cache_client(redis_url)
    yield client
    await client.aclose()


def granted(rates: Rates, who: str, tries: int = 20) -> int:
    """How many of these requests are let through."""
    through = 0
    for _ in range(tries):
        with suppress(Problem):
            rates.spend(who)
            through += 1
    return through


async def test_each_client_may_ask_so_often_and_again_when_the_time_is_over() -> None:
    clock = Clock()
    rates = Rates(parse("10/minute"), clock=clock)
    assert granted(rates, "web") == 10
    assert granted(rates, "app") == 10
    clock.time += 18.5
    with pytest.raises(Problem) as refused:
        rates.spend("web")
    assert refused.value.status == 429
    assert refused.value.headers == {"Retry-After": "42"}
    assert "10 per 1 minute" in refused.value.detail
    clock.time += 41.5
    assert granted(rates, "web") == 10


async def test_what_one_replica_granted_another_does_not_grant_again(redis: Redis) -> None:
    clock = Clock()
    one, two = (Rates(parse("10/minute"), redis, "shop", clock) for _ in range(2))
    try:
        for replica, tries in ((one, 7), (two, 1)):
            assert granted(replica, "web", tries) == tries
            assert replica._telling
            await soon(replica._telling)
        assert granted(two, "web") == 2
        assert granted(two, "app") == 10
    finally:
        await one.close()
        await two.close()


async def test_while_redis_is_away_each_replica_counts_by_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rates_module, "PAUSE", 0.0)
    monkeypatch.setattr(rates_module, "COOL_DOWN", 0.0)
    nowhere = cache_client("redis://127.0.0.1:1/0")
    rates = Rates(parse("10/minute"), nowhere, "shop", Clock())
    try:
        assert granted(rates, "web", 5) == 5
        await eventually(lambda: not rates._untold)
        assert granted(rates, "web") == 5
    finally:
        await rates.close()
        await nowhere.aclose()


async def test_who_is_forgotten_for_others_is_whoever_began_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rates_module, "REMEMBERED", 3)
    rates = Rates(parse("1/minute"), clock=Clock())
    for who in ("a", "b", "c", "d"):
        assert granted(rates, who) == 1
    assert granted(rates, "d") == 0
    assert granted(rates, "a") == 1


async def test_whoever_shows_what_opens_nothing_is_soon_not_heard(shop: Running) -> None:
    doors = Doors(shop.keys, strangers=Rates(parse("3/minute"), clock=Clock()))
    small = shop._replace(app=surface(shop.platform, doors, shop.endpoints))
    stranger = small.with_key("sk_000000000000." + "x" * 43)
    for _ in range(3):
        problem(await stranger.get("/v1/orders"), 401, "unauthorized")
    answer = await stranger.get("/v1/orders")
    problem(answer, 429, "too_many_requests")
    assert int(answer.headers["retry-after"]) >= 1
    friend = await small.client()
    assert (await friend.get("/v1/orders")).status_code == 200


async def test_a_client_with_two_keys_has_one_limit_and_others_have_theirs(shop: Running) -> None:
    doors = Doors(shop.keys, rates=Rates(parse("2/minute"), clock=Clock()))
    small = shop._replace(app=surface(shop.platform, doors, shop.endpoints))
    first, second = [await small.client(name="greedy") for _ in range(2)]
    for client in (first, second):
        assert (await client.get("/v1/orders")).status_code == 200
    with logged("client.") as logs:
        for client in (first, second):
            problem(await client.get("/v1/orders"), 429, "too_many_requests")
    told = {"event": "client.limited", "client": "greedy", "log_level": "warning"}
    assert logs == [told, told]
    friend = await small.client(name="modest")
    assert (await friend.get("/v1/orders")).status_code == 200
