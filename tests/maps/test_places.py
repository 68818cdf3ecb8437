"""Where an address is, is asked once, remembered, and not waited for for long."""

import asyncio
import time
from datetime import timedelta
from typing import Any

import pytest
from pymongo.database import Database

from bus.cache import Cache
from bus.messages import Address, now
from maps import places as all_places
from maps.contract import Place
from maps.memory import Memory
from maps.places import PLACES_FOR, UNKNOWN_FOR, Places
from maps.router import Unanswered
from tests.maps.doors import SCHAAN, address
from tests.waiting import eventually

HOUSE = address("1", "Feldkircher Strasse", "Schaan")
ATLANTIS = address("1", "Nowhere Road", "Atlantis")

DOOR = Place(position=SCHAAN, precision="door", source="sexton")


class Sexton:
    """A geocoder that knows one house, when it is let speak."""

    name = "sexton"

    def __init__(self) -> None:
        self.asked: list[Address] = []
        self.may_speak = asyncio.Event()
        self.may_speak.set()
        self.ill = False

    async def locate(self, address: Address) -> Place | None:
        self.asked.append(address)
        await self.may_speak.wait()
        if self.ill:
            raise Unanswered("in bed")
        return DOOR if address.road.casefold() == HOUSE.road.casefold() else None

    async def close(self) -> None: ...


@pytest.fixture
def sexton() -> Sexton:
    return Sexton()


@pytest.fixture
def places(sexton: Sexton, memory: Memory) -> Places:
    return Places(sexton, memory)


async def kept(database: Database[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """What MongoDB holds once it holds so much."""

    def look() -> list[dict[str, Any]]:
        found = list(database["answers"].find())
        return found if len(found) == count else []

    return await eventually(look)


async def test_an_address_is_asked_once_however_it_is_written(
    places: Places, sexton: Sexton, database: Database[dict[str, Any]]
) -> None:
    assert await places.locate(HOUSE) == DOOR
    (stored,) = await kept(database, 1)
    assert timedelta(0) < now() + PLACES_FOR - stored["until"] < timedelta(minutes=1)
    assert b"feldkircher" not in str(stored).casefold().encode()
    for same in (HOUSE, address("1", "FELDKIRCHER Straße", "Schaan.")):
        assert await places.locate(same) == DOOR
    assert len(sexton.asked) == 1


async def test_another_replica_need_not_ask(
    places: Places, database: Database[dict[str, Any]]
) -> None:
    await places.locate(HOUSE)
    await kept(database, 1)
    elsewhere = Sexton()
    assert await Places(elsewhere, Memory(database, Cache(None, "test"))).locate(HOUSE) == DOOR
    assert elsewhere.asked == []


async def test_what_is_nowhere_is_remembered_for_minutes(
    places: Places, sexton: Sexton, database: Database[dict[str, Any]]
) -> None:
    assert await places.locate(ATLANTIS) is None
    (stored,) = await kept(database, 1)
    assert await places.locate(ATLANTIS) is None
    assert len(sexton.asked) == 1
    assert stored["until"] < now() + UNKNOWN_FOR


async def test_of_a_house_that_nobody_knows_the_town_will_do(places: Places) -> None:
    place = await places.locate(address("7", "Nowhere Road", "Vaduz"))
    assert place
    assert (place.precision, place.source) == ("city", "builtin")


async def test_a_geocoder_that_cannot_tell_is_asked_again(places: Places, sexton: Sexton) -> None:
    sexton.ill = True
    for _ in range(2):
        place = await places.locate(HOUSE)
        assert place
        assert place.source == "builtin"
    sexton.ill = False
    assert await places.locate(HOUSE) == DOOR
    assert len(sexton.asked) == 3


async def test_all_who_want_to_know_at_once_ask_once(places: Places, sexton: Sexton) -> None:
    sexton.may_speak.clear()
    wanting = [asyncio.create_task(places.locate(HOUSE)) for _ in range(10)]
    await eventually(lambda: sexton.asked)
    wanting[0].cancel()
    sexton.may_speak.set()
    assert await asyncio.gather(*wanting[1:]) == [DOOR] * 9
    assert len(sexton.asked) == 1


async def test_nobody_waits_for_long_and_the_next_one_finds_the_answer(
    places: Places,
    sexton: Sexton,
    database: Database[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(all_places, "PATIENCE", 0.1)
    sexton.may_speak.clear()
    began = time.monotonic()
    place = await places.locate(HOUSE)
    assert place
    assert place.source == "builtin"
    assert time.monotonic() - began < 5  # the gazetteer may have to be read first
    sexton.may_speak.set()
    await kept(database, 1)
    assert await places.locate(HOUSE) == DOOR
    assert len(sexton.asked) == 1


async def test_what_another_release_has_kept_is_asked_again(
    places: Places, sexton: Sexton, memory: Memory, database: Database[dict[str, Any]]
) -> None:
    await places.locate(HOUSE)
    (stored,) = await kept(database, 1)
    memory.keep({stored["_id"]: b'{"x": 1}'}, timedelta(days=1))
    await eventually(lambda: database["answers"].find_one({"body": b'{"x": 1}'}))
    assert await places.locate(HOUSE) == DOOR
    assert len(sexton.asked) == 2


async def test_a_question_under_way_ends_with_the_shop(places: Places, sexton: Sexton) -> None:
    sexton.may_speak.clear()
    asking = asyncio.create_task(places.locate(address("7", "Weg", "Vaduz")))
    await eventually(lambda: sexton.asked)
    await places.close()
    with pytest.raises(asyncio.CancelledError):
        await asking
