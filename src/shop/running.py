"""A shop at work for the length of a command: the running one, or one started for it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import structlog

from bus.dispatch import Bus
from bus.leases import free_all
from bus.mongo import connect
from bus.platform import Platform
from shop import embedded, logs
from shop.container import Shop
from shop.settings import Settings, load, strangers

R = TypeVar("R")

log = structlog.get_logger(__name__)


class Running:
    """What a command talks to."""

    def __init__(self, shop: Shop, runner: asyncio.Runner) -> None:
        self.shop = shop
        self.platform: Platform = shop.platform()
        self._runner = runner

    @property
    def bus(self) -> Bus:
        """Where to send commands and ask queries."""
        return self.platform.bus

    def run(self, work: Coroutine[Any, Any, R]) -> R:
        """Do this on the shop's event loop and wait for it."""
        return self._runner.run(work)


def assembled(settings: Settings) -> Shop:
    """A shop with all its contexts registered, not started yet."""
    shop = Shop(settings=settings)
    shop.contexts()
    shop.platform().check_handlers()
    return shop


@contextmanager
def located(*, stay: bool = False) -> Iterator[Settings]:
    """The settings, with the addresses of the embedded servers where none is set; they run until
    the end."""
    settings = load()
    logs.set_up(settings.log_level)
    if stay and (unknown := strangers()):
        log.warning("settings.unknown", variables=unknown)
    with embedded.servers(
        settings.data_dir,
        mongodb=settings.mongodb_url is None,
        redis=settings.redis_url is None,
        stay=stay,
    ) as servers:
        if servers.ours and servers.mongodb_url is not None:
            with connect(servers.mongodb_url) as mongo:
                free_all(mongo, settings.mongodb_prefix)
        yield settings.model_copy(
            update={
                "mongodb_url": settings.mongodb_url or servers.mongodb_url,
                "redis_url": settings.redis_url or servers.redis_url,
            }
        )


@contextmanager
def opened(*, work: bool = True) -> Iterator[Running]:
    """A shop for a command. It does its share of the work too, so that what it changes is seen
    through; unless told otherwise."""
    with located() as settings, asyncio.Runner() as runner:
        running = Running(assembled(settings), runner)
        runner.run(running.platform.start(work=work, passing=True))
        try:
            yield running
        finally:
            runner.run(running.platform.stop())
            runner.run(running.shop.redis().aclose())
            running.shop.mongo().close()
