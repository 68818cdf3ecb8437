"""Nominatim is asked politely: in a name, in turn, and not again at once."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from maps import pace as paces
from maps.nominatim import NominatimGeocoder, place_in
from maps.outside import Answer, Declined, Nonsense
from maps.pace import Pace
from maps.router import Unanswered
from tests.listening import listening
from tests.logged import logged
from tests.map_server import AGENT, Maps
from tests.maps.doors import address
from tests.waiting import PATIENCE as PATIENT

HOUSE = address("1", "Feldkircher Strasse", "Schaan")

Mongo = Database[dict[str, Any]]


@asynccontextmanager
async def nominatim(url: str, pace: Pace, agent: str = AGENT) -> AsyncIterator[NominatimGeocoder]:
    opened = NominatimGeocoder(url, pace, agent, patience=PATIENT)
    yield opened
    await opened.close()


async def test_it_is_told_who_asks_and_how_to_reach_them(map_server: Maps, database: Mongo) -> None:
    async with nominatim(map_server.address, Pace(database, "nominatim", 1000)) as geocoder:
        await geocoder.locate(HOUSE)
    assert map_server.calls("/search")[-1]["agent"] == AGENT


async def test_one_that_does_not_like_the_name_is_not_asked_for_a_while(
    map_server: Maps, database: Mongo
) -> None:
    pace = Pace(database, "nominatim", 1000)
    async with nominatim(map_server.address, pace, "python-httpx/0.28") as geocoder:
        with (
            logged("maps.nominatim_") as logs,
            pytest.raises(Unanswered, match="SHOP_NOMINATIM_USER_AGENT"),
        ):
            await geocoder.locate(HOUSE)
    assert [line["event"] for line in logs] == ["maps.nominatim_failed"]


async def test_two_processes_of_a_shop_take_turns(map_server: Maps, database: Mongo) -> None:
    before = len(map_server.calls("/search"))
    one, another = (Pace(database, "nominatim", per_second=10) for _ in range(2))
    began = time.monotonic()
    async with (
        nominatim(map_server.address, one) as here,
        nominatim(map_server.address, another) as there,
    ):
        await asyncio.gather(*(each.locate(HOUSE) for each in (here, there) for _ in range(4)))
    assert time.monotonic() - began > 7 / 10
    assert len(map_server.calls("/search")) - before == 8


async def test_a_turn_is_a_second_apart(database: Mongo) -> None:
    pace = Pace(database, "nominatim", 1)
    began = time.monotonic()
    await pace.turn()
    await pace.turn()
    assert 1.0 < time.monotonic() - began < 4


async def test_who_would_wait_for_long_is_not_let_in(
    database: Mongo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paces, "QUEUE", timedelta(seconds=0.5))
    pace = Pace(database, "nominatim", 4)
    fates = await asyncio.gather(*(pace.turn() for _ in range(10)), return_exceptions=True)
    assert 2 <= fates.count(None) <= 4
    assert {type(fate) for fate in fates if fate} == {Unanswered}
    await pace.turn()  # who was not let in has taken nobody's turn


async def test_without_a_database_nobody_knows_whose_turn_it_is() -> None:
    away = MongoClient[dict[str, Any]]("mongodb://127.0.0.1:9", serverSelectionTimeoutMS=10)
    with away, pytest.raises(Unanswered, match="MongoDB"):
        await Pace(away["maps"], "nominatim", 1).turn()


async def test_it_is_not_asked_again_out_of_turn(database: Mongo) -> None:
    calls = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal calls
        await reader.readuntil(b"\r\n\r\n")
        calls += 1
        writer.transport.abort()

    async with (
        listening(talk) as url,
        nominatim(url, Pace(database, "nominatim", 1000)) as geocoder,
    ):
        with pytest.raises(Unanswered):
            await geocoder.locate(HOUSE)
    assert calls == 1


def found(**changes: Any) -> bytes:
    fields = {"lat": '"47.1"', "lon": '"9.5"', "place_rank": "30", **changes}
    return f"[{{{', '.join(f'{chr(34)}{k}{chr(34)}: {v}' for k, v in fields.items())}}}]".encode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"{}",
        b"[[]]",
        b'[{"lat": "47.1"}]',
        found(lat='"north"'),
        found(lat='"NaN"'),
        found(lat="91"),
        found(lon='"-180.1"'),
        found(place_rank='"30"'),
        found(place_rank="null"),
    ],
)
def test_what_is_no_answer_is_none(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of pydantic, or ours
        place_in(Answer(200, body))


@pytest.mark.parametrize(
    ("rank", "precision"), [("30", "door"), ("28", "door"), ("26", "road"), ("16", "city")]
)
def test_a_place_is_as_exact_as_its_rank(rank: str, precision: str) -> None:
    place = place_in(Answer(200, found(place_rank=rank)))
    assert place
    assert (place.precision, place.position.lat) == (precision, 47.1)


def test_a_country_is_no_place_to_deliver_to() -> None:
    assert place_in(Answer(200, found(place_rank="4"))) is None
    assert place_in(Answer(200, b"[]")) is None


def test_a_question_it_does_not_take_is_no_failure_of_it() -> None:
    with pytest.raises(Declined):
        place_in(Answer(400, b"{}"))
    for status in (403, 429, 500, 302):
        with pytest.raises(Nonsense):
            place_in(Answer(status, b"[]"))
