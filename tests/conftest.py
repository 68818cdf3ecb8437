"""What tests on the real servers stand on: a mongod and a Redis for each pytest process."""

import gc
import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import pytest
import structlog
from hypothesis import settings
from pymongo import MongoClient
from redis import Redis

from shop import embedded
from tests.map_server import Maps, mapped
from tests.osrm import built, routed

_numbers = itertools.cycle(range(16))  # a Redis has 16 databases


# What the code under test has to say below a warning is nobody's concern.
structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("WARNING"))

# How long an example takes says how loaded the machine is, not whether the code is right.
settings.register_profile("storefold", deadline=None)
settings.load_profile("storefold")


def pytest_collection_finish() -> None:
    """Thousands of tests are no garbage: looked through again and again, they took a tenth of the
    time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": False}


@pytest.fixture(scope="session")
def servers() -> Iterator[embedded.Servers]:
    """A real mongod (a replica set of one) and a real Redis, started when first asked for."""
    with (
        TemporaryDirectory(dir=quick(), prefix="storefold-tests-") as folder,
        embedded.servers(Path(folder)) as running,
    ):
        yield running


def quick() -> Path | None:
    """A file system in memory: no test is about a machine that loses its power."""
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > 4 * 2**30
    return memory if roomy else None


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
            for collection in mongo[database].list_collection_names():
                mongo[database].drop_collection(collection)  # the whole at once takes 0.1 s


@pytest.fixture
def redis_url(servers: embedded.Servers) -> Iterator[str]:
    """The address of an empty database of the real Redis (publish and subscribe are shared)."""
    assert servers.redis_url
    url = f"{servers.redis_url.rsplit('/', 1)[0]}/{next(_numbers)}"
    yield url
    with Redis.from_url(url) as client:
        client.flushdb()
