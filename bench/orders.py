"""The orders that are placed: bodies as in API.md, one to three lines, to six towns."""

from __future__ import annotations

import itertools
import json
import random
import uuid
from typing import Any

from bench.client import request
from bench.servers import SKUS

TOWNS = [
    ("Vaduz", "9490"),
    ("Schaan", "9494"),
    ("Triesen", "9495"),
    ("Balzers", "9496"),
    ("Eschen", "9492"),
    ("Mauren", "9493"),
]


class Orders:
    """Makes requests; every order is another one."""

    def __init__(self, key: str = "") -> None:
        self._bearer = {"Authorization": f"Bearer {key}"}
        self._numbers = itertools.count(1)
        self._run = uuid.uuid4().hex
        self._random = random.Random(1)

    def shop(self, *, wait: bool = False) -> bytes:
        """An order for the shop; `wait`: answer when it is confirmed."""
        headers = {**self._bearer, "Idempotency-Key": f"{self._run}-{next(self._numbers)}"}
        if wait:
            headers["Prefer"] = "wait=30"
        return request("POST", "/v1/orders", headers, self.body())

    def bare(self) -> bytes:
        """The same order for the bare endpoint."""
        return request("POST", "/orders", {}, self.body())

    def look(self, path: str) -> bytes:
        """A read, by the shop's client."""
        return request("GET", path, self._bearer)

    def body(self) -> bytes:
        """What is ordered."""
        pick = self._random
        town, postcode = pick.choice(TOWNS)
        body: dict[str, Any] = {
            "buyer_id": f"buyer-{pick.randrange(10_000)}",
            "items": [
                {"sku": sku, "quantity": pick.randint(1, 3)}
                for sku in pick.sample(SKUS, pick.randint(1, 3))
            ],
            "destination": {
                "house_number": str(pick.randint(1, 200)),
                "road": "Landstrasse",
                "district": town,
                "postcode": postcode,
                "country": "LI",
            },
            "payment": {"method": "card", "token": "pm_card_visa"},
        }
        return json.dumps(body).encode()
