"""What tests of webhooks stand on."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from pymongo import MongoClient

from bus import gathered
from shop.webhooks import sender
from tests.shop.webhooks.receiver import Receiver, receiving
from tests.shop.webhooks.telling import Telling, telling


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Somebody who wants to know."""
    with receiving() as one:
        yield one


@pytest.fixture
def other() -> Iterator[Receiver]:
    """Somebody else."""
    with receiving() as one:
        yield one


@pytest.fixture
async def shop(
    mongo: MongoClient[dict[str, Any]], prefix: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Telling]:
    """Webhooks at work, which look often."""
    monkeypatch.setattr(gathered, "PACE", 0.01)
    monkeypatch.setattr(sender, "LOOK", 0.02)
    async with telling(mongo, prefix) as one:
        yield one
