"""Three nodes, whose primary steps down or falls silent: another takes over, the shop goes on with
it, and nothing that was acknowledged is rolled back."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from shop import embedded
from tests.faults.checks import Broken, Evidence, settle
from tests.faults.mongods import ELECTION, Mongods, mongods
from tests.faults.operations import ANSWERED_WITHIN, PATIENCE, Customers
from tests.faults.rig import Rig, rig
from tests.faults.sizes import seed
from tests.faults.test_plants import LOST
from tests.journeys.conftest import SKUS
from tests.journeys.shops import basket

Befall = Callable[[Mongods, "Probe", Random], float]
"""Something that happens; answers with the seconds for which no orders were taken."""

RESUMED_WITHIN = 20.0
"""Seconds after a fault in which every replica takes orders again."""

BETWEEN = 15
"""Buyers who are served between two faults."""

FEW, MANY = 60, 1_000_000
"""Buyers: as many as a short run takes, and more than there is time for."""


class Probe:
    """Somebody who keeps trying to place an order, and looks at the clock."""

    def __init__(self, shop: Rig) -> None:
        self.acknowledged: list[str] = []
        self._shop = shop
        headers = {"Authorization": f"Bearer {shop.keys.web}"}
        self._http = httpx.Client(headers=headers, timeout=ANSWERED_WITHIN, trust_env=False)

    def close(self) -> None:
        self._http.close()

    def resumed(self, since: float) -> float:
        """Seconds from then until each replica has acknowledged an order."""
        for address in self._shop.addresses:
            key = f"probe-{len(self.acknowledged)}"
            while not self._placed(address, key):
                assert time.monotonic() - since < RESUMED_WITHIN, f"{address} takes no orders yet"
                time.sleep(0.05)
        pause = time.monotonic() - since
        assert pause < RESUMED_WITHIN
        return pause

    def _placed(self, address: str, key: str) -> bool:
        body, headers = basket(SKUS[0], buyer_id=key), {"Idempotency-Key": key}
        try:
            answer = self._http.post(f"{address}/v1/orders", json=body, headers=headers)
        except httpx.TransportError:
            return False
        assert answer.status_code in (201, 503), answer.text
        if answer.status_code == 201:
            self.acknowledged.append(answer.json()["order_id"])
        return answer.status_code == 201


@contextmanager
def probing(shop: Rig) -> Iterator[Probe]:
    probe = Probe(shop)
    try:
        yield probe
    finally:
        probe.close()


def refuse_inserts(nodes: Mongods, probe: Probe, random: Random) -> float:
    """Some of the shop's inserts fail, before they took effect or after."""
    error = {"code": random.choice((64, 91)), "errmsg": "who knows whether a majority has it"}
    how = random.choice(({"closeConnection": True}, {"writeConcernError": error}))
    started = time.monotonic()
    nodes.fail_command(
        {"times": random.randint(1, 10)}, failCommands=["insert"], appName="storefold", **how
    )
    pause = probe.resumed(started)
    nodes.fail_command("off")
    return pause


def step_down(nodes: Mongods, probe: Probe, random: Random) -> float:
    """The primary makes way, for a while."""
    started = time.monotonic()
    nodes.step_down(random.randint(1, 5))
    return probe.resumed(started)


def fall_silent(nodes: Mongods, probe: Probe, random: Random) -> float:
    """The primary is alone for a moment, then it falls silent until the others have another one,
    and then it goes on as if no time had passed."""
    longer_than_elections = ELECTION * random.uniform(1.5, 3)
    primary = nodes.primary()
    with nodes.alone(primary):
        time.sleep(random.uniform(0.5, 1))
        started = time.monotonic()
        primary.freeze()
    try:
        pause = probe.resumed(started)
        time.sleep(max(0, longer_than_elections - pause))
    finally:
        primary.thaw()
    nodes.complete()
    return pause


def bad_day(
    folder: Path,
    redis_url: str,
    seed: str,
    faults: Sequence[Befall],
    *,
    buyers: int = FEW,
    patience: float = PATIENCE,
    **how: Any,
) -> None:
    """Orders come in while one thing after the other happens to the three nodes."""
    random = Random(f"{seed}:nodes")
    with (
        mongods(folder / "mongods", members=3) as nodes,
        rig(folder / "shop", nodes.url, redis_url, seed, **how) as shop,
        Customers(seed, shop.keys, lambda: shop.addresses, buyers, patience=patience) as customers,
        Evidence(shop, customers) as evidence,
        probing(shop) as probe,
    ):
        for befall in random.sample(faults, len(faults)):
            customers.until(min(customers.finished + BETWEEN, buyers))
            pause = befall(nodes, probe, random)
            sys.stdout.write(f"{befall.__name__}: orders after {pause:.1f} s\n")
        customers.until(min(customers.finished + BETWEEN, buyers))
        customers.leave()
        sys.stdout.write(f"{customers.finished} buyers were served\n")
        settle(evidence, within=patience)
        assert evidence.books.orders.keys() >= set(probe.acknowledged)


def test_a_primary_steps_down_another_falls_silent(
    servers: embedded.Servers, tmp_path: Path
) -> None:
    assert servers.redis_url
    bad_day(tmp_path, servers.redis_url, seed(), [refuse_inserts, step_down, fall_silent])


@pytest.mark.long
def test_primaries_step_down_and_fall_silent_again_and_again(
    servers: embedded.Servers, tmp_path: Path
) -> None:
    assert servers.redis_url
    faults = 20 * [refuse_inserts] + 20 * [step_down] + 5 * [fall_silent]
    bad_day(tmp_path, servers.redis_url, seed(), faults, buyers=MANY)


@pytest.mark.long
def test_writes_that_one_node_alone_confirms_are_found_out(
    servers: embedded.Servers, tmp_path: Path
) -> None:
    assert servers.redis_url
    redis, weak = servers.redis_url, "weak_writes"
    with pytest.raises(Broken) as found:
        bad_day(tmp_path, redis, seed(), [fall_silent], patience=RESUMED_WITHIN, plant=weak)
    assert str(found.value).startswith(LOST), found.value
