"""A process that holds leases sleeps until others have them, and wakes up: what it still wants to
write is refused."""

from __future__ import annotations

import time
from pathlib import Path
from random import Random
from typing import Any

import pytest

from bus.leases import TERM
from tests.faults.scenes import Scene, scene, wait_until
from tests.faults.sizes import LONG, SHORT, SIZES, Size, seed
from tests.journeys.processes import Process

TERMS = 3
"""How many terms of a lease a process sleeps."""


@pytest.mark.parametrize("length", [SHORT, pytest.param(LONG, marks=pytest.mark.long)])
def test_an_owner_that_slept_through_its_leases_does_no_harm(length: str, tmp_path: Path) -> None:
    sleeps(tmp_path, SIZES["sleeps", length], seed())


def sleeps(folder: Path, size: Size, seed: str, **how: Any) -> None:
    """Orders come in while one replica or the other is stopped for three terms, again and again."""
    random = Random(f"{seed}:sleeps")
    moments = sorted(random.sample(range(size.orders), size.faults))
    woken = set()
    with scene(folder, size, seed, **how) as stage:
        for moment in moments:
            sleeper = random.randrange(2)
            wait_until(lambda: len(owners(stage)) == 2)
            stage.customers.until(moment)
            stage.shop.stop(sleeper)
            time.sleep(TERMS * (size.term or TERM))  # this is what happens here
            assert len(owners(stage)) == 1, "nobody has taken the work over"
            stage.shop.go_on(sleeper)
            woken.add(sleeper)
        stage.settle()
        assert all(lost_leases(stage.shop.replicas[sleeper]) for sleeper in woken)


def owners(stage: Scene) -> set[str]:
    """The processes that hold leases."""
    contexts = ("ordering", "catalog", "payment", "delivery")
    readers = [stage.evidence.books.database(name)["readers"] for name in contexts]
    return {owner for each in readers for owner in each.distinct("owner") if owner}


def lost_leases(process: Process) -> bool:
    """Whether a process has noticed that its leases have run out."""
    return any("leases_ran_out" in line for line in process.complaints)
