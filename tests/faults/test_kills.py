"""Processes and mongod killed at random moments: nothing that was acknowledged is lost, nobody pays
twice, every order comes to rest."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from tests.faults.checks import Evidence, settle
from tests.faults.operations import Customers
from tests.faults.rig import Rig, Servers, rig, servers
from tests.faults.sizes import LONG, SHORT, SIZES, Size, seed

MONGOD = -1

VICTIMS = (0, 0, 0, 1, 1, 1, MONGOD, MONGOD)


@pytest.mark.parametrize("length", [SHORT, pytest.param(LONG, marks=pytest.mark.long)])
def test_killed_at_random_nothing_acknowledged_is_lost(length: str, tmp_path: Path) -> None:
    kills(tmp_path, SIZES["kills", length], seed())


def kills(folder: Path, size: Size, seed: str, plant: str = "") -> None:
    """Orders come in while replicas and mongod are killed, again and again."""
    with (
        servers(folder) as machine,
        rig(
            folder / "shop",
            machine.mongod.url,
            machine.redis.url,
            seed,
            plant=plant,
            term=size.term,
        ) as shop,
        Customers(seed, shop.keys, lambda: shop.addresses, size.orders) as customers,
        Evidence(shop, customers) as evidence,
    ):
        for moment, victim in planned(seed, size):
            customers.until(moment)
            kill(victim, shop, machine)
            evidence.positions.read()
        customers.through()
        settle(evidence)


def planned(seed: str, size: Size) -> list[tuple[int, int]]:
    """When (so many buyers have been served) who is killed: a replica's number, or mongod."""
    random = Random(f"{seed}:kills")
    moments = sorted(random.sample(range(size.orders), size.faults))
    return [(moment, random.choice(VICTIMS)) for moment in moments]


def kill(victim: int, shop: Rig, machine: Servers) -> None:
    """Kill one and have it started again."""
    if victim == MONGOD:
        machine.mongod.kill()
        machine.mongod.start()
    else:
        shop.kill(victim)
