"""How large each scenario is: short inside `make test`, long with `make faults`."""

from __future__ import annotations

import os
import secrets
import sys
from typing import NamedTuple


class Size(NamedTuple):
    """So many orders, so many faults, and the seconds that a lease lasts (`None`: as in the
    product)."""

    orders: int
    faults: int
    term: float | None = None


SHORT, LONG = "short", "long"

SIZES: dict[tuple[str, str], Size] = {
    ("kills", SHORT): Size(50, 3, term=2.0),
    ("kills", LONG): Size(10_000, 200),
    ("redis", SHORT): Size(40, 2, term=2.0),
    ("redis", LONG): Size(2_000, 20),
    ("sleeps", SHORT): Size(30, 1, term=1.5),
    ("sleeps", LONG): Size(600, 4),
    ("deliveries", SHORT): Size(20, 2, term=1.5),
    ("deliveries", LONG): Size(1_000, 20, term=2.0),
    ("money", SHORT): Size(24, 1, term=1.5),
    ("money", LONG): Size(1_000, 25, term=2.0),
    ("poison", SHORT): Size(40, 6, term=2.0),
    ("poison", LONG): Size(2_000, 100),
}
"""`faults` are kills, losses of Redis, long sleeps, deaths upon an effect; where some orders are
poisoned, it is one in so many."""


def seed() -> str:
    """What a run is made from: `FAULTS_SEED`, or a fresh one. It says so: a run that fails can be
    repeated."""
    chosen = os.environ.get("FAULTS_SEED") or secrets.token_hex(4)
    sys.stdout.write(f"FAULTS_SEED={chosen}\n")
    return chosen
