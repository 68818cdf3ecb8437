"""Logs to try: on mongomock, and on the real replica set."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import mongomock
import pytest
from pymongo import MongoClient

from bus.log import Log
from bus.streams import Streams
from tests.bus.meddling import Meddle, Meddled
from tests.bus.tills import EVENTS

OpenLog = Callable[..., Log]


@pytest.fixture
def real(mongo: MongoClient[dict[str, Any]], prefix: str) -> Any:
    """An empty database of the real mongod."""
    return mongo[f"{prefix}_tills"]


@pytest.fixture(params=["mongomock", "mongod"])
def database(request: pytest.FixtureRequest) -> Iterator[Any]:
    """An empty database: a mock's and the real one's."""
    if request.param == "mongomock":
        yield mongomock.MongoClient(tz_aware=True)["tills"]
    else:
        yield request.getfixturevalue("real")


@pytest.fixture
async def open_log() -> AsyncIterator[OpenLog]:
    """Opens logs on a database and closes them after the test."""
    opened = []

    def open(
        database: Any, meddle: Meddle | None = None, on_others: Any = None, **settings: Any
    ) -> Log:
        log = Log("tills", database, EVENTS, **settings)
        meddled: Any = Meddled(log.collection, meddle)
        log.collection = meddled
        log.open(on_others=on_others)
        opened.append(log)
        return log

    yield open
    for log in opened:
        await log.close()


@pytest.fixture
async def log(database: Any, open_log: OpenLog) -> Log:
    """An empty log."""
    return open_log(database)


@pytest.fixture
async def streams(real: Any, open_log: OpenLog) -> Streams:
    """The streams of an empty log on the real mongod."""
    return Streams(open_log(real))
