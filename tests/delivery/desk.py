"""The CLI of delivery as it is typed, on a shop of its own."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from pymongo import MongoClient
from typer.testing import CliRunner

from bus.dispatch import Bus
from bus.messages import Refused
from bus.platform import Platform
from bus.transport import InProcess
from delivery.module import register
from maps.module import register as register_maps
from maps.router import Router

R = TypeVar("R")

Typed = Callable[..., str]


@dataclass
class Running:
    """A shop on an event loop of its own."""

    platform: Platform
    loop: asyncio.Runner

    @property
    def bus(self) -> Bus:
        return self.platform.bus

    def run(self, work: Coroutine[Any, Any, R]) -> R:
        return self.loop.run(work)


@contextmanager
def at_a_desk(
    mongo: MongoClient[dict[str, Any]], prefix: str, router: Router | None = None
) -> Iterator[Running]:
    """A shop with maps and delivery."""
    platform = Platform(mongo, None, prefix, InProcess())
    register_maps(platform, router)
    register(platform)
    with asyncio.Runner() as loop:
        loop.run(platform.start(work=True))
        yield Running(platform, loop)
        loop.run(platform.stop())


def prints(commands: Callable[..., Any], running: Running) -> Typed:
    @contextmanager
    def shop() -> Iterator[Running]:
        yield running

    def typed(*arguments: str, code: int = 0) -> str:
        result = CliRunner().invoke(commands(shop), arguments)
        if isinstance(result.exception, Refused):  # the CLI's top level tells it
            raise result.exception
        assert result.exit_code == code, result.output
        return result.stderr if code else result.stdout

    return typed
