"""Three nodes, whose primary steps down or falls silent: another takes over, the shop with it, and
nothing that was acknowledged is rolled back."""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import httpx
import pytest

from shop import embedded
from tests.faults.checks import Evidence, settle
from tests.faults.mongods import ELECTION, Mongods, mongods
from tests.faults.operations import Customers
from tests.faults.rig import Rig, rig
from tests.faults.sizes import LONG, SHORT, seed
from tests.journeys.conftest import SKUS
from tests.journeys.shops import basket

STEP_DOWN, FREEZE = "step down", "freeze"

FAULTS = {SHORT: (STEP_DOWN, FREEZE), LONG: 20 * (STEP_DOWN,) + 5 * (FREEZE,)}

RESUMED_WITHIN = 20.0
"""Seconds after a fault in which every replica takes orders again."""

BETWEEN = 20
"""Buyers who are served between two faults."""

MANY = 1_000_000
"""Buyers: more than there is time for."""


class Probe:
    """Somebody who keeps trying to place an order, and looks at the clock."""

    def __init__(self, shop: Rig) -> None:
        self._shop = shop
        self._keys = itertools.count()
        headers = {"Authorization": f"Bearer {shop.keys.web}"}
        self._http = httpx.Client(headers=headers, timeout=RESUMED_WITHIN, trust_env=False)

    def close(self) -> None:
        self._http.close()

    def resumed(self, since: float) -> float:
        """Seconds from then until each replica has acknowledged an order."""
        for address in self._shop.addresses:
            key = f"probe-{next(self._keys)}"
            while not self._placed(address, key):
                assert time.monotonic() - since < RESUMED_WITHIN, f"{address} takes no orders yet"
                time.sleep(0.05)
        return time.monotonic() - since

    def _placed(self, address: str, key: str) -> bool:
        answer = self._http.post(
            f"{address}/v1/orders",
            json=basket(SKUS[0], buyer_id=key),
            headers={"Idempotency-Key": key},
        )
        assert answer.status_code in (201, 503), answer.text
        return answer.status_code == 201


@contextmanager
def probing(shop: Rig) -> Iterator[Probe]:
    probe = Probe(shop)
    try:
        yield probe
    finally:
        probe.close()


@pytest.mark.parametrize("length", [SHORT, pytest.param(LONG, marks=pytest.mark.long)])
def test_whoever_is_the_primary_no_acknowledged_order_is_lost(
    length: str, servers: embedded.Servers, tmp_path: Path
) -> None:
    assert servers.redis_url
    chosen = seed()
    random = Random(f"{chosen}:primaries")
    faults = random.sample(FAULTS[length], len(FAULTS[length]))
    with (
        mongods(tmp_path / "mongods", members=3) as nodes,
        rig(tmp_path / "shop", nodes.url, servers.redis_url, chosen) as shop,
        Customers(chosen, shop.keys, lambda: shop.addresses, MANY) as customers,
        Evidence(shop, customers) as evidence,
        probing(shop) as probe,
    ):
        pauses = []
        for fault in faults:
            customers.until(customers.finished + BETWEEN)
            befall = step_down if fault == STEP_DOWN else freeze
            pauses.append(befall(nodes, probe, random))
            sys.stdout.write(f"{fault}: orders again after {pauses[-1]:.1f} s\n")
        customers.until(customers.finished + BETWEEN)
        customers.leave()
        settle(evidence)
        assert max(pauses) < RESUMED_WITHIN


def step_down(nodes: Mongods, probe: Probe, random: Random) -> float:
    """The primary makes way, for a while; how long no orders were taken."""
    started = time.monotonic()
    nodes.step_down(random.randint(1, 5))
    return probe.resumed(started)


def freeze(nodes: Mongods, probe: Probe, random: Random) -> float:
    """The primary falls silent until the others have another one, and then goes on as before."""
    primary = nodes.primary()
    started = time.monotonic()
    with primary.frozen():
        pause = probe.resumed(started)
        longer = ELECTION * random.uniform(1.5, 3)
        time.sleep(max(0, longer - pause))
    nodes.complete()
    return pause
