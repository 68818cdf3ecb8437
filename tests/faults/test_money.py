"""The gateway takes the money and its answer is lost, for every order, while the shop's processes
are killed: one charge each."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import httpx
import pytest
from pymongo import MongoClient

from shop.settings import Settings
from tests.faults import app
from tests.faults.rig import ROOT, servers
from tests.faults.sizes import LONG, SHORT, SIZES, Size, seed
from tests.journeys.conftest import SKUS, Keys, stocked
from tests.journeys.processes import Process
from tests.journeys.shops import basket
from tests.waiting import eventually

TIMEOUT = {"method": "card", "token": "pm_fault_timeout"}

AT_ONCE = 12
"""Buyers at once."""

WITHIN = 90.0
"""Seconds for which a buyer or a carrier asks again, and in which the last order is paid."""


class Till:
    """Two processes of a shop with the built-in gateway, who may be killed."""

    def __init__(self, folder: Path, mongodb_url: str, redis_url: str, term: float | None) -> None:
        self.prefix = f"money{uuid4().hex[:10]}"
        settings = Settings(
            _env_file=None,
            data_dir=folder,
            mongodb_url=mongodb_url,
            redis_url=redis_url,
            mongodb_prefix=self.prefix,
        )
        self._folder = folder
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("SHOP_")},
            "PYTHONPATH": os.pathsep.join(filter(None, (*sys.path, str(ROOT)))),
            "SHOP_DATA_DIR": str(folder),
            "SHOP_MONGODB_URL": mongodb_url,
            "SHOP_REDIS_URL": redis_url,
            "SHOP_MONGODB_PREFIX": self.prefix,
            app.TERM: str(term or ""),
        }
        with ThreadPoolExecutor(1) as another:  # this one has an event loop at work
            self.keys: Keys = another.submit(lambda: asyncio.run(stocked(settings))).result()
        self.mongo: MongoClient[dict[str, Any]] = MongoClient(mongodb_url)
        self.replicas = [self._replica(), self._replica()]
        for replica in self.replicas:
            replica.until_ready()

    def kill(self, number: int) -> None:
        """Kill -9 one, and start another in its place."""
        self.replicas[number].kill()
        self.replicas[number].end()
        self.replicas[number] = self._replica()

    def close(self) -> None:
        """End both."""
        for replica in self.replicas:
            replica.kill()
            replica.end()
        self.mongo.close()

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A command of the CLI."""
        command = [*COMMAND, *words]
        return subprocess.run(
            command, env=self._environment, cwd=self._folder, capture_output=True, text=True
        )

    def ledger(self) -> list[dict[str, Any]]:
        """The gateway's own books: the calls that it approved."""
        books = self.mongo[f"{self.prefix}_payment"]["gateway_ledger"]
        return list(books.find({"outcome.type": "approved"}))

    def _replica(self) -> Process:
        command = [*COMMAND, "serve", "--port", "0"]
        return Process.of_command(command, self._environment, self._folder)


COMMAND = [sys.executable, "-m", "tests.faults.own_gateway"]


@contextmanager
def till(folder: Path, term: float | None) -> Iterator[Till]:
    """For as long as a test lasts."""
    with servers(folder) as machine:
        running = Till(folder, machine.mongod.url, machine.redis.url, term)
        try:
            yield running
        finally:
            running.close()


class Callers:
    """Buyers and carriers: no answer, so the same request again, at the other process."""

    def __init__(self, till: Till, http: httpx.AsyncClient) -> None:
        self._till = till
        self._http = http
        self.served = 0

    async def buy(self, number: int) -> str:
        """Order something, have it fetched when it is ready, and see it paid."""
        body = basket(SKUS[number % len(SKUS)], buyer_id=f"buyer-{number}", payment=TIMEOUT)
        order = await self._ask(number, "POST", "/v1/orders", body, key=f"order-{number}")
        path = f"/v1/orders/{order['order_id']}"

        async def becomes(name: str, value: str) -> Any:
            return (await self._ask(number, "GET", path))[name] == value

        await eventually(lambda: becomes("fulfillment_status", "scheduled"), WITHIN, every=0.1)
        scans = f"/v1/deliveries/{order['delivery_id']}/checkpoints"
        await self._ask(number, "POST", scans, {"status": "picked_up"}, key=f"fetch-{number}")
        await eventually(lambda: becomes("payment_status", "captured"), WITHIN, every=0.1)
        self.served += 1
        return str(order["order_id"])

    async def _ask(
        self, number: int, method: str, path: str, body: Any = None, key: str = ""
    ) -> dict[str, Any]:
        keys = self._till.keys
        who = keys.carrier if path.startswith("/v1/deliveries") else keys.web
        headers = {"Authorization": f"Bearer {who}", **({"Idempotency-Key": key} if key else {})}
        deadline = asyncio.get_running_loop().time() + WITHIN
        for turn in range(number, sys.maxsize):
            assert asyncio.get_running_loop().time() < deadline, f"nobody answers {path}"
            address = self._till.replicas[turn % 2].address
            try:
                url = f"{address}{path}"
                answer = await self._http.request(method, url, json=body, headers=headers)
            except (httpx.TransportError, httpx.UnsupportedProtocol):  # dead, or not ready yet
                await asyncio.sleep(0.1)
                continue
            if answer.is_success:
                found: dict[str, Any] = answer.json()
                return found
            assert answer.status_code == 503, answer.text
            await asyncio.sleep(0.1)
        raise AssertionError


@asynccontextmanager
async def callers(till: Till) -> AsyncIterator[Callers]:
    """With a client that waits five seconds."""
    async with httpx.AsyncClient(timeout=5, trust_env=False) as http:
        yield Callers(till, http)


async def kill_at(till: Till, callers: Callers, size: Size, random: Random) -> None:
    """Kill one process or the other, when so many buyers have been served."""
    for moment in sorted(random.sample(range(size.orders), size.faults)):
        await eventually(lambda moment=moment: callers.served >= moment, WITHIN * 10)  # type: ignore[misc]
        await asyncio.to_thread(till.kill, random.randrange(2))


@pytest.mark.parametrize("length", [SHORT, pytest.param(LONG, marks=pytest.mark.long)])
async def test_answers_lost_and_processes_killed_yet_one_charge_each(
    length: str, tmp_path: Path
) -> None:
    size, random = SIZES["money", length], Random(seed())
    with till(tmp_path, size.term) as shop:
        async with callers(shop) as buyers:
            lanes = asyncio.Semaphore(AT_ONCE)

            async def buy(number: int) -> str:
                async with lanes:
                    return await buyers.buy(number)

            everybody = asyncio.gather(*map(buy, range(size.orders)))
            await asyncio.gather(everybody, kill_at(shop, buyers, size, random))
        orders = everybody.result()
        assert len(set(orders)) == size.orders
        assert charges(shop.ledger()) == dict.fromkeys(orders, (1, 1))
        report = shop.run("payments", "reconcile")
        assert report.returncode == 0, report
        assert f"{size.orders:,} payments compared, 0 differences" in report.stderr


def charges(ledger: list[dict[str, Any]]) -> dict[str, tuple[int, int]]:
    """How often the money for each order was set aside, and taken."""
    holds = {each["_id"]: each["reference"] for each in ledger if each["operation"] == "authorize"}
    held = Counter(holds.values())
    taken = Counter(
        holds[each["authorization"]] for each in ledger if each["operation"] == "capture"
    )
    return {order: (held[order], taken[order]) for order in held}
