"""The shop as the fault suite runs it: the product's own CLI, which may die upon an answer of the
gateway's, and with the faults planted that the suite must find: `python -m tests.faults.app serve
--port 0`."""

from __future__ import annotations

import os
import random
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar
from zlib import crc32

from dependency_injector import providers

from bus.envelope import Envelope
from payment.calls import AuthorizationRequested
from payment.effects import Effects
from payment.stripe import StripeGateway
from payment.stripe_objects import Seen
from shop import cli
from shop.child import end_with_parent
from shop.container import Shop
from tests.faults import plants
from tests.journeys.lossy import Lossy

PATIENCE = 2.0
"""Seconds for which an answer of the gateway's is waited for."""

PLANT = "STOREFOLD_PLANT"
"""Names the faults to plant, separated by commas."""

TERM = "STOREFOLD_TERM"
"""The seconds that a lease lasts, where a test can't wait for the real one."""

LOSSY = "STOREFOLD_LOSSY"
"""A seed: of what is published some is lost, late or repeated."""

MORTAL = "STOREFOLD_MORTAL"
"""How often, of all calls of the gateway, the process dies upon the answer: between the effect and
the position stored."""

POISON = "STOREFOLD_POISON"
"""Names a file. While it is there, one order in as many as it says cannot be paid for."""


S = TypeVar("S", bound=Seen)


class Mortal(StripeGateway):
    """Hears the answer and dies."""

    chance = 0.0

    async def _told(self, kind: type[S], key: str, made: Any) -> S:
        try:
            return await super()._told(kind, key, made)
        finally:
            if random.random() < self.chance:
                os.kill(os.getpid(), signal.SIGKILL)


def poison(file: Path) -> None:
    """Have the reader that calls the gateway fail on some orders."""
    real = Effects.authorize

    def ill(order_id: str) -> bool:
        with suppress(FileNotFoundError):
            return poisoned(order_id, int(file.read_text()))
        return False

    async def authorize(
        self: Effects, asked: AuthorizationRequested, envelope: Envelope[Any]
    ) -> None:
        if ill(asked.reference):
            raise RuntimeError(f"{asked.reference} is poisoned")
        await real(self, asked, envelope)

    Effects.authorize = authorize  # type: ignore[method-assign]


def poisoned(order_id: str, one_in: int) -> bool:
    """Whether an order is the one in so many."""
    return crc32(order_id.encode()) % one_in == 0


def main() -> None:
    """Run the CLI."""
    end_with_parent()
    if chance := os.environ.get(MORTAL):
        Mortal.chance = float(chance)
    if file := os.environ.get(POISON):
        poison(Path(file))
    if seed := os.environ.get(LOSSY):
        Shop.transport.override(providers.Singleton(Lossy, seed))
    hasty = providers.Singleton(
        Mortal,
        Shop.settings.provided.stripe_api_key,
        base=Shop.settings.provided.stripe_api_base,
        timeout=PATIENCE,
    )
    Shop.gateway.override(hasty)
    if term := os.environ.get(TERM):
        plants.shorten_leases(float(term))
    for name in filter(None, os.environ.get(PLANT, "").split(",")):
        plants.PLANTS[name]()
    cli.main()


if __name__ == "__main__":
    main()
