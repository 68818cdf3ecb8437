"""A shop that has only ordering, on the real servers."""

from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any

import pytest
from pymongo import MongoClient

from tests.ordering.alone import Alone, Open, at_work


@pytest.fixture
def opened(mongo: MongoClient[dict[str, Any]], prefix: str, redis_url: str) -> Open:
    """Opens ordering on this test's databases; as often as the test likes."""

    def start(**changes: Any) -> AbstractAsyncContextManager[Alone]:
        return partial(at_work, mongo, prefix)(changes.pop("redis_url", redis_url), **changes)

    return start
