"""Whether a process is ready: asked by many, it asks MongoDB once, and answers in time."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest
from pymongo.errors import AutoReconnect

from bus import readiness
from bus.readiness import Readiness
from tests.waiting import soon


class Server:
    """Answers when it is let."""

    def __init__(self) -> None:
        self.pings = 0
        self.answers = threading.Event()
        self.away = False

    @property
    def admin(self) -> Server:
        return self

    def command(self, _: str) -> None:
        self.pings += 1
        assert self.answers.wait(15)
        if self.away:
            raise AutoReconnect("there is nobody")


async def test_many_who_ask_at_once_cost_one_question() -> None:
    server: Any = Server()
    asked = Readiness(server, {})
    asking = [asyncio.create_task(asked.faults()) for _ in range(50)]
    await asyncio.sleep(0)
    server.answers.set()
    assert await soon(asyncio.gather(*asking)) == [[]] * 50
    assert server.pings == 1
    server.away = True
    assert await asked.faults() == ["MongoDB does not answer"]


async def test_it_answers_in_time_though_mongodb_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "ANSWERS_WITHIN", 0.05)
    server: Any = Server()
    began = time.monotonic()
    assert await Readiness(server, {}).faults() == ["MongoDB does not answer"]
    assert time.monotonic() - began < 2
    server.answers.set()


async def test_who_is_about_to_end_is_not_ready_and_asks_nobody() -> None:
    server: Any = Server()
    asked = Readiness(server, {})
    asked.draining = True
    assert await asked.faults() == ["this process is shutting down"]
    assert server.pings == 0
