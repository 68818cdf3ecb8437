"""The suite itself put to the proof: a shop with a fault planted in it does not get through."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.faults.plants import PLANTS
from tests.faults.sizes import Size, seed
from tests.faults.test_deliveries import goes_through
from tests.faults.test_kills import kills
from tests.faults.test_paused_owner import sleeps
from tests.faults.test_redis import redis_goes

TERM = 2.0

PATIENCE = 15.0
"""Seconds that are waited for what will not come."""


class Proof(NamedTuple):
    """A scenario that finds a fault, and what it complains of: the first words of a check."""

    scenario: Callable[..., object]
    complaints: tuple[str, ...]


NOT_DONE = ("Every order has come to rest", "No reader has given up", "What is reserved")
"""What was skipped or forgotten leaves orders that wait for ever."""

LOST = ("Logs are dense", "Every acknowledged", "A client hears yes", "What a client was shown")

PROOFS: dict[str, Proof] = {
    "no_unique_index": Proof(partial(kills, size=Size(300, 2, TERM)), ("Logs are dense",)),
    "weak_writes": Proof(partial(kills, size=Size(300, 15, TERM)), LOST),
    "acknowledge_before_append": Proof(partial(kills, size=Size(300, 10, TERM)), LOST),
    "position_before_effect": Proof(partial(kills, size=Size(300, 15, TERM)), NOT_DONE),
    "new_key_per_retry": Proof(
        partial(kills, size=Size(100, 1, TERM)),
        ("The gateway takes the money", "Every order has come to rest", "For an order that stands"),
    ),
    "no_fencing": Proof(partial(sleeps, size=Size(40, 1, 1.5)), ("What a reader has stored",)),
    "skip_holes": Proof(partial(goes_through, size=Size(20, 0, 1.5), lossy=True), NOT_DONE),
    "accept_older": Proof(
        partial(redis_goes, size=Size(300, 10, TERM)),
        ("An order is never shown older", "Whoever is asked"),
    ),
}


@pytest.mark.long
@pytest.mark.parametrize("plant", PROOFS)
def test_a_planted_fault_is_found(plant: str, tmp_path: Path) -> None:
    proof = PROOFS[plant]
    with pytest.raises(AssertionError) as found:
        proof.scenario(tmp_path, seed=seed(), plant=plant, patience=PATIENCE)
    assert str(found.value).startswith(proof.complaints), found.value


def test_every_fault_that_can_be_planted_is_put_to_the_proof() -> None:
    assert PROOFS.keys() == PLANTS.keys()
