"""Processes and mongod killed at random moments: nothing that was acknowledged is lost, nobody pays
twice, every order comes to rest."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.faults.scenes import Scene, scene
from tests.faults.sizes import LONG, SHORT, SIZES, Size, seed

EXPIRY = "45 s"
"""In a long run, those who do not pay see their orders expire while everything dies around them."""

MONGOD = -1

VICTIMS = (0, 0, 0, 1, 1, 1, MONGOD, MONGOD)


@pytest.mark.parametrize("length", [SHORT, pytest.param(LONG, marks=pytest.mark.long)])
def test_killed_at_random_nothing_acknowledged_is_lost(length: str, tmp_path: Path) -> None:
    kills(tmp_path, SIZES["kills", length], seed())


def kills(folder: Path, size: Size, seed: str, **how: Any) -> None:
    """Orders come in while replicas and mongod are killed, again and again."""
    with scene(folder, size, seed, order_expiry=EXPIRY, **how) as stage:
        for moment, victim in planned(seed, size):
            stage.customers.until(moment)
            kill(victim, stage)
            stage.evidence.positions.read()
        stage.settle()


def planned(seed: str, size: Size) -> list[tuple[int, int]]:
    """When (so many buyers have been served) who is killed: a replica's number, or mongod."""
    random = Random(f"{seed}:kills")
    moments = sorted(random.sample(range(size.orders), size.faults))
    return [(moment, random.choice(VICTIMS)) for moment in moments]


def kill(victim: int, stage: Scene) -> None:
    """Kill one and have it started again."""
    if victim == MONGOD:
        stage.machine.mongod.kill()
        stage.machine.mongod.start()
    else:
        stage.shop.kill(victim)
