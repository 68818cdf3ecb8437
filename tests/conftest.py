"""What tests on the real servers stand on: a mongod and a Redis for each pytest process."""

import itertools
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
import structlog
from pymongo import MongoClient
from redis import Redis

from shop import embedded
from tests.map_server import Maps, mapped
from tests.osrm import built, routed

_numbers = itertools.cycle(range(16))  # a Redis has 16 databases


# What the code under test has to say below a warning is nobody's concern.
structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("WARNING"))


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": False}


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[embedded.Servers]:
    """A real mongod (a replica set of one) and a real Redis, started when first asked for."""
    with embedded.servers(tmp_path_factory.mktemp("servers")) as running:
        yield running


@pytest.fixture(scope="session")
def mongo(servers: embedded.Servers) -> Iterator[MongoClient[dict[str, Any]]]:
    """A client of the real mongod."""
    with MongoClient[dict[str, Any]](
        servers.mongodb_url, tz_aware=True, w="majority", journal=True
    ) as client:
        yield client


@pytest.fixture(scope="session")
def osrm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real OSRM with the roads of Liechtenstein, started when first asked for."""
    with routed(built(tmp_path_factory.mktemp("osrm"))) as address:
        yield address


@pytest.fixture(scope="session")
def map_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Maps]:
    """Nominatim and Google, in a process of the tests' own."""
    with mapped(tmp_path_factory.mktemp("maps")) as running:
        yield running


@pytest.fixture
def prefix(mongo: MongoClient[dict[str, Any]]) -> Iterator[str]:
    """What the names of this test's databases start with; they are dropped after it."""
    name = f"test{uuid4().hex[:12]}"
    yield name
    for database in mongo.list_database_names():
        if database.startswith(name):
            mongo.drop_database(database)


@pytest.fixture
def redis_url(servers: embedded.Servers) -> Iterator[str]:
    """The address of an empty database of the real Redis (publish and subscribe are shared)."""
    assert servers.redis_url
    url = f"{servers.redis_url.rsplit('/', 1)[0]}/{next(_numbers)}"
    yield url
    with Redis.from_url(url) as client:
        client.flushdb()
