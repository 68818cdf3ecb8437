"""A request that is under way when its process is told to stop, and takes longer than it may."""

from __future__ import annotations

import asyncio
import json
from typing import Any, cast

import pytest

from bus.leaving import LEAVING, Leaving
from bus.messages import Message
from bus.rest import LINK, Ask, Endpoint
from shop import web
from shop.doors import Doors
from shop.web import surface
from tests.shop.listeners import Listener
from tests.waiting import soon

NOBODY: Any = cast("Any", None)


class Nothing(Message):
    """A question for nothing."""


async def test_a_request_that_takes_too_long_is_told_to_come_again_and_not_cut_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(web, "LAST", 0.05)
    begun = asyncio.Event()

    async def hang(ask: Ask) -> Any:
        begun.set()
        await asyncio.Event().wait()

    row = Endpoint("GET", "/hangs", LINK, hang, "Hangs", Nothing)
    leaving = Leaving()
    asking = Listener(surface(NOBODY, Doors(NOBODY), [row]), "/hangs", {}, {LEAVING: leaving})
    await soon(begun.wait())
    leaving.begin()
    await soon(asking.rest())
    assert (asking.status, asking.headers["retry-after"]) == (503, "2")
    assert "about to end" in json.loads(asking.body)["detail"]
