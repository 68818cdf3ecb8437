"""The wiring of webhooks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple, get_args

from bus.context import Context
from bus.messages import now
from bus.platform import Platform
from shop.webhooks.bodies import Bodies
from shop.webhooks.commands import (
    AddEndpoint,
    DisableEndpoint,
    EnableEndpoint,
    ListEndpoints,
    ListNotices,
    RemoveEndpoint,
    RotateSecret,
    SendAgain,
    TryEndpoint,
)
from shop.webhooks.courier import Courier
from shop.webhooks.endpoint import EndpointEvent
from shop.webhooks.handlers import Handlers
from shop.webhooks.news import WORTH_TELLING
from shop.webhooks.notices import Notices
from shop.webhooks.outbox import READER, Outbox
from shop.webhooks.registry import Registry, Secrets
from shop.webhooks.sender import Sender


class Webhooks(NamedTuple):
    """Webhooks at work."""

    home: Context
    handlers: Handlers
    outbox: Outbox
    sender: Sender


def register(
    platform: Platform,
    ordering: Context,
    delivery: Context,
    *,
    allow_private: bool,
    clock: Callable[[], datetime] = now,
) -> Webhooks:
    """Put webhooks on the platform, on what happens in ordering and delivery; `allow_private` says
    whether addresses of the house's own may be told, and without encryption."""
    bus = platform.bus
    home = platform.context("webhooks", events=get_args(EndpointEvent))
    sources = {source.name: source for source in (ordering, delivery)}
    notices, secrets = Notices(home.database), Secrets(home.database)
    registry = Registry(home.streams)
    courier = Courier(Bodies(ordering, delivery), secrets, allow_private=allow_private)
    sender = Sender(registry, notices, courier, bus, home.rota.valid, clock)
    outbox = Outbox(registry, notices, sources, sender.ring)
    does = Handlers(home, sources, registry, secrets, notices, courier, allow_private=allow_private)

    bus.handle(AddEndpoint, does.add)
    bus.handle(EnableEndpoint, does.enable)
    bus.handle(DisableEndpoint, does.disable)
    bus.handle(RemoveEndpoint, does.remove)
    bus.handle(RotateSecret, does.rotate)
    bus.handle(TryEndpoint, does.try_out)
    bus.handle(SendAgain, does.send_again)
    bus.handle(ListEndpoints, does.list)
    bus.handle(ListNotices, does.notices)

    bus.gather(READER, WORTH_TELLING, outbox.record)
    home.duties.append(sender)
    return Webhooks(home, does, outbox, sender)
