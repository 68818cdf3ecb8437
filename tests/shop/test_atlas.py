"""A shop looks at the maps that its operator has set."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pymongo import MongoClient

from bus.dispatch import Bus
from bus.messages import Address, Money, Position, Refused
from delivery.commands import AddWarehouse
from delivery.contract import QuoteDelivery
from maps.contract import Directions, Locate
from shop import doctor, embedded
from shop.running import assembled
from shop.settings import Settings
from tests.map_server import API_KEY, Maps

GOODS = Money(amount=100, currency="EUR")
SCHAAN = Position(lat=47.167366, lon=9.509978)
VADUZ = Position(lat=47.1371, lon=9.522728)
SEA = Position(lat=43.0, lon=8.0)

Open = Callable[..., AbstractAsyncContextManager[Bus]]


def at(position: Position) -> Address:
    return Address(
        house_number="1",
        road="Weg",
        district="Schaan",
        postcode="1",
        country="LI",
        position=position,
    )


@pytest.fixture
def opened(servers: embedded.Servers, mongo: MongoClient[dict[str, Any]], tmp_path: Path) -> Open:
    """Opens a shop with a warehouse in Schaan: its bus."""

    @asynccontextmanager
    async def start(**settings: Any) -> AsyncIterator[Bus]:
        prefix = f"atlas{uuid4().hex[:10]}"
        parts = assembled(
            Settings(
                _env_file=None,
                data_dir=tmp_path,
                mongodb_url=servers.mongodb_url,
                redis_url=servers.redis_url,
                mongodb_prefix=prefix,
                **settings,
            )
        )
        platform = parts.platform()
        await platform.start(work=False)
        try:
            add = AddWarehouse(warehouse_id="schaan", name="Schaan", address=at(SCHAAN))
            await platform.bus.send(add)
            yield platform.bus
        finally:
            await platform.stop()
            await parts.redis().aclose()
            parts.mongo().close()
            for database in mongo.list_database_names():
                if database.startswith(prefix):
                    mongo.drop_database(database)

    return start


def settings(**changes: Any) -> Settings:
    return Settings(_env_file=None, **changes)


async def test_a_quote_follows_the_roads_and_refuses_the_sea(opened: Open, osrm: str) -> None:
    async with opened(router="osrm", osrm_url=osrm) as bus:
        quote = await bus.ask(QuoteDelivery(destination=at(VADUZ), goods=GOODS))
        assert quote.distance_m == pytest.approx(4_092, rel=0.02)
        way = await bus.ask(Directions(waypoints=(SCHAAN, VADUZ)))
        assert way
        assert way.source == "osrm"
        assert len(way.line) > 50
        with pytest.raises(Refused) as refused:
            await bus.ask(QuoteDelivery(destination=at(SEA), goods=GOODS))
        assert refused.value.code == "unreachable"
        assert "no road leads" in refused.value.message


async def test_a_shop_whose_router_is_away_quotes_by_geometry(opened: Open) -> None:
    async with opened(router="osrm", osrm_url="http://127.0.0.1:9") as bus:
        quote = await bus.ask(QuoteDelivery(destination=at(VADUZ), goods=GOODS))
        assert quote.distance_m == 4_551


async def test_the_doctor_sees_whether_the_router_answers_and_knows_the_warehouses(
    opened: Open, osrm: str
) -> None:
    async with opened() as bus:
        there, away = settings(router="osrm", osrm_url=osrm), "http://127.0.0.1:9"
        found = await doctor._roads(there, bus)
        assert (found.state, found.what) == ("ok", "router")
        assert re.fullmatch(r"osrm answers after \d+ ms", found.detail)
        assert (await doctor._roads(settings(), bus)).detail == "built in"

        found = await doctor._roads(settings(router="osrm", osrm_url=away), bus)
        assert (found.state, found.do[:8]) == ("look", "start it")

        await bus.send(AddWarehouse(warehouse_id="ship", name="Ship", address=at(SEA)))
        found = await doctor._roads(there, bus)
        assert (found.state, "warehouse ship" in found.detail) == ("bad", True)


async def test_the_doctor_sees_whether_the_geocoder_answers(
    map_server: Maps, mongo: MongoClient[dict[str, Any]], prefix: str
) -> None:
    database = mongo[f"{prefix}_maps"]
    asked = settings(geocoder="nominatim", nominatim_url=map_server.address)
    found = await doctor._doors(asked, database)
    assert (found.state, found.what) == ("ok", "geocoder")
    assert found.detail.startswith("nominatim answers after")
    assert (await doctor._doors(settings(), database)).detail == "built in"

    wrong = settings(geocoder="google", google_api_key="x", google_api_base=map_server.address)
    found = await doctor._doors(wrong, database)
    assert (found.state, "SHOP_GOOGLE_API_KEY" in found.detail) == ("look", True)


@pytest.mark.parametrize("by", ["nominatim", "google"])
async def test_goods_are_brought_to_the_house_that_a_geocoder_knows(
    opened: Open, map_server: Maps, by: str
) -> None:
    house = at(VADUZ).model_copy(update={"road": "Peter-Kaiser-Platz", "district": "Vaduz"})
    there = house.model_copy(update={"position": None})
    async with opened(
        geocoder=by,
        nominatim_url=map_server.address,
        google_api_key=API_KEY,
        google_api_base=map_server.address,
    ) as bus:
        place = await bus.ask(Locate(address=there))
        assert (place.source, place.precision, place.position) == (by, "door", VADUZ)
        by_name = await bus.ask(QuoteDelivery(destination=there, goods=GOODS))
        by_position = await bus.ask(QuoteDelivery(destination=house, goods=GOODS))
        assert by_name.distance_m == by_position.distance_m == 4_551
        with pytest.raises(Refused, match="no town of LI is called 'Atlantis'"):
            await bus.ask(Locate(address=there.model_copy(update={"district": "Atlantis"})))
