"""A scenario's stage: servers, a shop on them, its customers, and all that is known of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.faults.checks import Evidence, settle
from tests.faults.operations import PATIENCE, Customers
from tests.faults.rig import Rig, Servers, rig, servers
from tests.faults.sizes import Size


@dataclass(frozen=True)
class Scene:
    """Everybody who takes part."""

    machine: Servers
    shop: Rig
    customers: Customers
    evidence: Evidence
    patience: float

    def settle(self, **how: Any) -> None:
        """See the run to its end, and check all of it."""
        settle(self.evidence, within=self.patience, **how)


@contextmanager
def scene(
    folder: Path,
    size: Size,
    seed: str,
    *,
    patience: float = PATIENCE,
    looks: int = 1,
    patient: bool = False,
    **how: Any,
) -> Iterator[Scene]:
    """A shop at work, with customers who have begun to call; `patience` is how many seconds they,
    and who checks it in the end, wait for what should happen."""
    with (
        servers(folder) as machine,
        rig(
            folder / "shop", machine.mongod.url, machine.redis.url, seed, term=size.term, **how
        ) as shop,
        Customers(
            seed,
            shop.keys,
            lambda: shop.addresses,
            size.orders,
            patience=patience,
            looks=looks,
            patient=patient,
        ) as customers,
        Evidence(shop, customers) as evidence,
    ):
        yield Scene(machine, shop, customers, evidence, patience)


def wait_until(look: Callable[[], Any], within: float = 30.0) -> None:
    """Return as soon as this is so; fails when that takes too long."""
    deadline = time.monotonic() + within
    while not look():
        assert time.monotonic() < deadline, f"not within {within:.0f} s"
        time.sleep(0.02)
