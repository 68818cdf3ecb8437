"""A shop in its own processes, as those see it who run it and those who call it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import httpx

from tests import forked
from tests.journeys.processes import Process, running
from tests.waiting import eventually

ROOT = Path(__file__).parents[2]

SHOP = Path(sys.executable).with_name("shop")


class Program(NamedTuple):
    """What serves a shop: a module's `main`, and the settings that it needs."""

    module: str = forked.CLI
    settings: Mapping[str, str] = {}


TRANSPORTS = {
    "inprocess": Program(),
    "loopback": Program(settings={"SHOP_TRANSPORT": "loopback"}),
    "lossy": Program(
        "tests.journeys.lossy", {"STOREFOLD_SEED": os.environ.get("STOREFOLD_SEED", "1")}
    ),
}
"""What may carry the messages between the contexts of a shop."""

DOOR: dict[str, Any] = {
    "house_number": "1",
    "road": "Feldkircher Strasse",
    "district": "Schaan",
    "postcode": "9494",
    "country": "LI",
    "position": {"lat": 47.167366, "lon": 9.509978},
}
"""An address in Liechtenstein, a walk from the warehouse."""

CARD = {"method": "card", "token": "pm_card_visa"}

Order = dict[str, Any]


class Shop:
    """A shop that keeps its data in a folder, or on the servers that its settings name."""

    def __init__(self, folder: Path, transport: str = "inprocess", **settings: str) -> None:
        self.folder = folder
        self._program = TRANSPORTS[transport]
        self.data = folder / "var"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("SHOP_")},
            "SHOP_DATA_DIR": str(self.data),
            **self._program.settings,
            **settings,
        }

    def cli(self, *words: str) -> str:
        """What a command says on stdout; it must succeed."""
        done = forked.run(words, self.environment, self.folder)
        assert done.returncode == 0, f"shop {' '.join(words)}: {done.stderr[-2000:]}"
        return done.stdout

    def rows(self, *words: str) -> list[dict[str, Any]]:
        """What a command answers for programs."""
        return [json.loads(line) for line in self.cli(*words, "--json").splitlines()]

    def serve(self, *words: str) -> AbstractContextManager[Process]:
        """One process of the shop, on a free port."""
        serve = ("serve", "--port", "0", *words)
        module = self._program.module
        return running(Process.of_module(module, serve, self.environment, self.folder))

    def server_pids(self) -> dict[str, int]:
        """The processes of the embedded servers."""
        found: dict[str, int] = json.loads((self.data / "servers.json").read_text())["pids"]
        return found


class Web:
    """The web shop's server, or a carrier's: it calls the REST surface with its key."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def get(self, path: str, **query: str | int) -> Any:
        """The answer to a question."""
        answer = await self.http.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def bytes(self, path: str) -> bytes:
        """A picture."""
        answer = await self.http.get(path)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"].startswith("image/")
        return answer.content

    async def all(self, path: str, key: str, **query: str | int) -> list[dict[str, Any]]:
        """A whole list, page by page."""
        found: list[dict[str, Any]] = []
        while True:
            after = {"starting_after": str(found[-1][key])} if found else {}
            page = await self.get(path, limit=100, **query, **after)
            found += page["data"]
            if not page["has_more"]:
                return found

    async def post(
        self, path: str, body: Mapping[str, Any], *, key: str | None = None, wait: int = 0
    ) -> httpx.Response:
        """What came of a request; `wait` seconds at most for it to settle."""
        headers = {"Idempotency-Key": key or f"key-{uuid4().hex}"}
        if wait:
            headers["Prefer"] = f"wait={wait}"
        return await self.http.post(path, json=body, headers=headers)

    async def place(
        self,
        sku: str,
        quantity: int = 1,
        *,
        key: str | None = None,
        wait: int = 20,
        **changes: Any,
    ) -> Order:
        """A placed order, settled unless `wait` is 0."""
        answer = await self.post("/v1/orders", basket(sku, quantity, **changes), key=key, wait=wait)
        assert answer.status_code == 201, answer.text
        order: Order = answer.json()
        assert answer.headers["Location"] == f"/v1/orders/{order['order_id']}"
        return order

    async def change(self, order: Order, what: str, body: Mapping[str, Any]) -> Order:
        """An order after `cancel` or `payment` has settled."""
        path = f"/v1/orders/{order['order_id']}/{what}"
        answer = await self.post(path, body, wait=20)
        assert answer.status_code == 200, answer.text
        changed: Order = answer.json()
        return changed

    async def order(self, order: Order) -> Order:
        """An order as it is now."""
        found: Order = await self.get(f"/v1/orders/{order['order_id']}")
        return found

    async def becomes(self, order: Order, **fields: str) -> Order:
        """The order as soon as these fields have these values."""

        async def look() -> Order:
            found = await self.order(order)
            return found if all(found[name] == value for name, value in fields.items()) else {}

        return await eventually(look)

    async def delivery_becomes(self, order: Order, status: str) -> Any:
        """An order's delivery as soon as it is in this status."""

        async def look() -> Any:
            answer = await self.http.get(f"/v1/orders/{order['order_id']}/delivery")
            found = answer.json()
            return found if answer.status_code == 200 and found["status"] == status else None

        return await eventually(look)

    async def available_becomes(self, sku: str, pieces: int) -> Any:
        """The product as soon as so many pieces of it may be sold."""

        async def look() -> Any:
            found = await self.get(f"/v1/products/{sku}")
            return found if found["variants"][0]["available"] == pieces else None

        return await eventually(look)

    async def history(self, order: Order) -> list[str]:
        """What happened to an order, oldest first; each has its place."""
        found = (await self.get(f"/v1/orders/{order['order_id']}/history"))["data"]
        positions = [happening["position"] for happening in found]
        assert positions == sorted(positions)
        versions = [happening["version"] for happening in found]
        assert sorted(set(versions)) == list(range(1, versions[-1] + 1))
        return [happening["type"].removeprefix("ordering.") for happening in found]

    async def checkpoint(self, order: Mapping[str, Any], status: str, **seen: Any) -> Any:
        """The carrier says how far the delivery of an order, or of a shipment, is."""
        path = f"/v1/deliveries/{order['delivery_id']}/checkpoints"
        answer = await self.post(path, {"status": status, **seen})
        assert answer.status_code == 200, answer.text
        delivery: dict[str, Any] = answer.json()
        return delivery


def basket(sku: str, quantity: int = 1, **changes: Any) -> dict[str, Any]:
    """The body of an order."""
    return {
        "buyer_id": "buyer-1",
        "items": [{"sku": sku, "quantity": quantity}],
        "destination": DOOR,
        "payment": CARD,
        **changes,
    }


@asynccontextmanager
async def calling(address: str, key: str) -> AsyncIterator[Web]:
    """Whoever has this key, calling the shop at this address."""
    headers = {"Authorization": f"Bearer {key}"}
    limits = httpx.Limits(max_connections=64)
    async with httpx.AsyncClient(
        base_url=address, headers=headers, timeout=40, limits=limits, trust_env=False
    ) as http:
        yield Web(http)


async def gathered(*work: Any) -> list[Any]:
    """The answers of all of these, asked at once."""
    return list(await asyncio.gather(*work))
