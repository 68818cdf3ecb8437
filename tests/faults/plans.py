"""What buyers are going to do, as the seed has it."""

from __future__ import annotations

from random import Random
from typing import Any, NamedTuple

from tests.journeys.conftest import SKUS
from tests.journeys.shops import DOOR


class Plan(NamedTuple):
    """What a buyer is going to do, as the seed has it."""

    buyer: str
    body: dict[str, Any]
    wait: int
    cancels: bool
    delivered: bool
    impatient: bool


def planned(seed: str, number: int) -> Plan:
    """The `number`-th buyer's plan."""
    random = Random(f"{seed}:{number}")
    buyer = f"buyer-{number}"
    body = {
        "buyer_id": buyer,
        "items": [
            {"sku": sku, "quantity": random.randint(1, 3)}
            for sku in random.sample(SKUS, random.randint(1, 2))
        ],
        "destination": DOOR,
        "payment": {
            "method": "card",
            "token": "pm_card_visa" if random.random() < 0.9 else "pm_card_chargeDeclined",
        },
    }
    fate = random.random()
    return Plan(
        buyer,
        body,
        wait=random.choice((0, 0, 3)),
        cancels=fate < 0.2,
        delivered=0.2 <= fate < 0.6,
        impatient=random.random() < 0.05,
    )
