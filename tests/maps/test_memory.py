"""What a router has answered is remembered: for a while, on every replica, whatever happens to
Redis; and no position that was asked for is to be read there."""

import asyncio
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database
from redis.asyncio import Redis

from bus import cache as caches
from bus.cache import Cache
from bus.messages import Position
from maps import memory as memories
from maps.builtin_router import leg
from maps.contract import Leg, Way
from maps.memory import LARGEST, PATIENCE, Memory
from maps.roads import Roads
from maps.router import Matrix, Unanswered
from tests.counting import Figures
from tests.maps.doors import BALZERS, ESCHEN, PLANKEN, SCHAAN, SEA, VADUZ
from tests.waiting import eventually, soon

Mongo = Database[dict[str, Any]]


class Toll:
    """A router that counts what it is asked: no road leads into the sea, and it may be closed."""

    name = "toll"

    def __init__(self) -> None:
        self.asked: list[tuple[list[Position], list[Position]]] = []
        self.shut = False

    async def matrix(self, origins: Sequence[Position], destinations: Sequence[Position]) -> Matrix:
        self.asked.append((list(origins), list(destinations)))
        if self.shut:
            raise Unanswered("closed")
        return tuple(tuple(self.leg(origin, each) for each in destinations) for origin in origins)

    async def route(self, waypoints: Sequence[Position]) -> Way | None:
        self.asked.append((list(waypoints), []))
        if self.shut:
            raise Unanswered("closed")
        course = tuple((point.lon, point.lat) for point in waypoints)
        return Way(distance_m=7, duration_s=1, source=self.name, line=course)

    async def close(self) -> None: ...

    def leg(self, origin: Position, destination: Position) -> Leg | None:
        if SEA in (origin, destination):
            return None
        return leg(origin, destination).model_copy(update={"source": self.name})


@pytest.fixture
def toll() -> Toll:
    return Toll()


@pytest.fixture
def roads(toll: Toll, memory: Memory) -> Roads:
    return Roads(toll, memory)


async def stored(database: Mongo, count: int) -> list[dict[str, Any]]:
    """What MongoDB holds once it holds so much."""

    def look() -> list[dict[str, Any]]:
        found = list(database["answers"].find())
        return found if len(found) == count else []

    return await eventually(look)


async def test_what_was_answered_is_not_asked_again(
    roads: Roads, toll: Toll, database: Mongo
) -> None:
    first = await roads.matrix((SCHAAN, BALZERS), (VADUZ, SEA))
    assert first[0][1] is None
    await stored(database, 4)
    assert await roads.matrix((SCHAAN, BALZERS), (VADUZ, SEA)) == first
    assert len(toll.asked) == 1

    way = await roads.route((SCHAAN, VADUZ))
    await stored(database, 5)
    assert await roads.route((SCHAAN, VADUZ)) == way
    assert len(toll.asked) == 2


async def test_only_what_is_not_remembered_is_asked(
    roads: Roads, toll: Toll, database: Mongo
) -> None:
    await roads.matrix((SCHAAN, BALZERS), (VADUZ,))
    await roads.matrix((SCHAAN,), (ESCHEN,))
    await stored(database, 3)
    found = await roads.matrix((SCHAAN, BALZERS), (VADUZ, ESCHEN))
    assert toll.asked[2:] == [([BALZERS], [ESCHEN])]
    assert found == await toll.matrix((SCHAAN, BALZERS), (VADUZ, ESCHEN))


async def test_the_way_there_is_not_the_way_back(roads: Roads, toll: Toll) -> None:
    await roads.matrix((SCHAAN,), (VADUZ,))
    await roads.matrix((VADUZ,), (SCHAAN,))
    assert len(toll.asked) == 2


async def test_a_stand_ins_answer_is_not_remembered_and_hides_nothing_that_is(
    roads: Roads, toll: Toll, database: Mongo
) -> None:
    await roads.matrix((SCHAAN,), (VADUZ,))
    await stored(database, 1)
    toll.shut = True
    ((known, guess),) = await roads.matrix((SCHAAN,), (VADUZ, ESCHEN))
    assert known
    assert guess
    assert (known.source, guess.source) == ("toll", "builtin")
    course = await roads.route((SCHAAN, ESCHEN))
    assert course
    assert course.source == "builtin"

    toll.shut = False
    ((right,),) = await roads.matrix((SCHAAN,), (ESCHEN,))
    assert right
    assert right.source == "toll"


async def test_another_replica_remembers_it_too_without_any_redis(
    roads: Roads, database: Mongo
) -> None:
    await roads.matrix((SCHAAN,), (VADUZ, SEA))
    await stored(database, 2)
    elsewhere, toll = Memory(database, Cache(None, "test")), Toll()
    toll.shut = True
    ((known, none),) = await Roads(toll, elsewhere).matrix((SCHAAN,), (VADUZ, SEA))
    assert known
    assert known.source == "toll"
    assert none is None
    assert toll.asked == []


async def test_a_redis_that_has_lost_all_is_filled_again(
    roads: Roads, toll: Toll, database: Mongo, redis_url: str
) -> None:
    await roads.matrix((SCHAAN,), (VADUZ, ESCHEN))
    await stored(database, 2)
    async with Redis.from_url(redis_url) as redis:
        await redis.flushdb()
        await roads.matrix((SCHAAN,), (VADUZ, ESCHEN))
        assert len(toll.asked) == 1
        keys = await redis.keys("test:maps:*")
        assert len(keys) == 2
        assert all([0 < await redis.ttl(key) <= 24 * 3600 for key in keys])


async def test_where_an_answer_was_is_counted(
    memory: Memory, database: Mongo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caches, "TIMEOUT", 10.0)
    figures = Figures()
    memory.keep({"maps:a": b"1", "maps:b": b"2"}, timedelta(hours=1))
    await stored(database, 2)
    await memory.recall(["maps:a", "maps:nobody-knows"])
    await Memory(database, Cache(None, "test")).recall(["maps:a", "maps:b", "maps:c"])
    assert figures.grown("storefold_maps_remembered_total", "where") == {
        ("redis",): 1,
        ("mongodb",): 2,
        ("nowhere",): 2,
    }


async def test_it_is_forgotten_in_time(memory: Memory, database: Mongo) -> None:
    memory.keep({"maps:a": b"1"}, timedelta(seconds=-1))
    memory.keep({"maps:b": b"2"}, timedelta(hours=1))
    await stored(database, 2)
    assert await memory.recall(["maps:a", "maps:b", "maps:c"]) == {"maps:b": b"2"}
    (index,) = [each for each in database["answers"].list_indexes() if each["name"] != "_id_"]
    assert (list(index["key"]), index["expireAfterSeconds"]) == (["until"], 0)


async def test_what_is_too_large_or_cannot_be_read_is_asked_again(
    roads: Roads, toll: Toll, memory: Memory, database: Mongo
) -> None:
    await roads.matrix((SCHAAN,), (VADUZ,))
    ((key, _),) = [(each["_id"], each["body"]) for each in await stored(database, 1)]
    memory.keep({key: b'{"distance_m": -1}', "maps:large": b" " * (LARGEST + 1)}, timedelta(days=1))
    await eventually(lambda: database["answers"].find_one({"body": b'{"distance_m": -1}'}))
    assert await memory.recall(["maps:large"]) == {}
    ((found,),) = await roads.matrix((SCHAAN,), (VADUZ,))
    assert found
    assert len(toll.asked) == 2


async def test_no_position_that_was_asked_for_is_to_be_read_there(
    roads: Roads, database: Mongo, redis_url: str
) -> None:
    await roads.matrix((SCHAAN,), (PLANKEN,))
    kept = str(await stored(database, 1))
    async with Redis.from_url(redis_url) as redis:
        (key,) = await redis.keys("*")
        kept += f"{key!r} {await redis.get(key)!r}"
    for number in (PLANKEN.lat, PLANKEN.lon, SCHAAN.lat, SCHAAN.lon):
        assert f"{number:.3f}" not in kept


async def test_many_who_ask_at_once_look_once(
    roads: Roads, database: Mongo, monkeypatch: pytest.MonkeyPatch
) -> None:
    doors = [Position(lat=47 + step / 100, lon=9.5) for step in range(20)]
    await roads.matrix((SCHAAN,), doors)
    await stored(database, 20)
    memory, toll = Memory(database, Cache(None, "test")), Toll()
    looks = []
    find = memory._find

    def look(keys: list[str]) -> list[Any]:
        looks.append(keys)
        return find(keys)

    monkeypatch.setattr(memory, "_find", look)
    await asyncio.gather(*(Roads(toll, memory).matrix((SCHAAN,), (door,)) for door in doors))
    assert toll.asked == []
    assert len(looks) <= 2


async def test_many_who_ask_for_the_way_to_their_door_at_once_ask_together(
    roads: Roads, toll: Toll
) -> None:
    doors = [Position(lat=47 + step / 1000, lon=9.5) for step in range(250)]
    origins = (SCHAAN, BALZERS)
    asked = [roads.matrix(origins, (door,)) for door in doors]
    other = roads.matrix((VADUZ,), (ESCHEN,))
    *found, alone = await asyncio.gather(*asked, other)
    assert found == [await toll.matrix(origins, (door,)) for door in doors]
    assert alone == await toll.matrix((VADUZ,), (ESCHEN,))
    together = toll.asked[: -len(doors) - 1]
    assert len(together) <= 5
    assert max(len(ends) for _, ends in together) == 100


async def test_a_database_that_is_away_costs_a_moment_and_is_left_alone_for_another(
    toll: Toll, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memories, "COOL_DOWN", 60.0)
    nowhere: MongoClient[dict[str, Any]] = MongoClient(
        "mongodb://127.0.0.1:9", serverSelectionTimeoutMS=500
    )
    memory = Memory(nowhere["maps"], Cache(None, "test"))
    roads = Roads(toll, memory)
    began = time.monotonic()
    for _ in range(5):
        ((found,),) = await roads.matrix((SCHAAN,), (VADUZ,))
        assert found
        assert found.source == "toll"
    assert time.monotonic() - began < 2 * PATIENCE
    await soon(roads.close(), within=3)
    await asyncio.to_thread(nowhere.close)
