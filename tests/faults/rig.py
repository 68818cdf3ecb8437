"""A shop in several processes on servers of its own, and the means to kill, stop and start each."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from pymongo import MongoClient

from shop import mongod, redis_server
from shop.child import Child
from shop.settings import Settings
from tests.faults import app
from tests.journeys.conftest import Keys, stocked
from tests.journeys.processes import Process
from tests.payment.stripe_process.running import API_KEY, WEBHOOK_SECRET, StripeProcess

ROOT = Path(__file__).parents[2]

MOOD = {"lose": 0.05, "slow": 0.3, "fail": 0.03, "refuse": 0.05}
"""How often, of all calls, the gateway loses the answer, answers late, answers that something broke
though all was done, or does not take the call at all."""

MORTALITY = 0.05
"""How often a mortal process dies, of all answers."""


class Server:
    """A mongod or a Redis on a folder and a port that it keeps, however often it is killed."""

    def __init__(self, engine: Any, folder: Path) -> None:
        self._engine = engine
        self._folder = folder
        self._child: Child
        self._child, self.port = engine.start(folder, None)

    @property
    def url(self) -> str:
        return str(self._engine.url(self.port))

    def kill(self) -> None:
        """Kill -9, and see it gone."""
        with suppress(ProcessLookupError):
            os.kill(self._child.pid, signal.SIGKILL)
        self._child.stop(10)

    def start(self) -> None:
        """Start it again where it was."""
        self._child, port = self._engine.start(self._folder, self.port)
        assert port == self.port, f"somebody took port {self.port}"


class Servers:
    """A mongod and a Redis that may be killed."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.mongod = Server(mongod, folder / "mongodb")
        self.redis = Server(redis_server, folder / "redis")

    def close(self) -> None:
        """End both."""
        self.redis.kill()
        self.mongod.kill()


@contextmanager
def servers(folder: Path) -> Iterator[Servers]:
    """Servers for as long as a scenario lasts."""
    running = Servers(folder)
    try:
        yield running
    finally:
        running.close()


class Rig:
    """A stocked shop: its gateway, its replicas, its keys.

    `settings` are `SHOP_*` without the prefix; `plant` names planted faults, `term` the seconds
    that a lease lasts, `deaths` how many processes die upon an answer of the gateway's. With
    `rings`, the gateway's webhooks come, twice each and in any order.
    """

    def __init__(
        self,
        folder: Path,
        mongodb_url: str,
        redis_url: str,
        seed: str,
        *,
        plant: str = "",
        term: float | None = None,
        lossy: bool = False,
        deaths: int = 0,
        rings: bool = False,
        **settings: str,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.prefix = f"faults{uuid4().hex[:10]}"
        self.settings = Settings(
            _env_file=None,
            data_dir=folder,
            mongodb_url=mongodb_url,
            redis_url=redis_url,
            mongodb_prefix=self.prefix,
        )
        self.seed = seed
        self.mongo: MongoClient[dict[str, Any]] = MongoClient(
            mongodb_url, tz_aware=True, readConcernLevel="majority"
        )
        self._deaths = deaths
        self._rings = rings
        self.poison = folder / "poison"
        self._folder = folder
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("SHOP_")},
            "PYTHONPATH": os.pathsep.join(filter(None, (*sys.path, str(ROOT)))),
            "SHOP_DATA_DIR": str(folder),
            "SHOP_MONGODB_URL": mongodb_url,
            "SHOP_REDIS_URL": redis_url,
            "SHOP_MONGODB_PREFIX": self.prefix,
            **{f"SHOP_{name.upper()}": value for name, value in settings.items()},
            app.PLANT: plant,
            app.TERM: str(term or ""),
            app.LOSSY: seed if lossy else "",
            app.MORTAL: str(MORTALITY if deaths else ""),
            app.POISON: str(self.poison),
        }
        self.replicas: list[Process] = []
        with ThreadPoolExecutor(1) as another:  # this one may have an event loop at work
            filled = another.submit(lambda: asyncio.run(stocked(self.settings)))
        self.keys: Keys = filled.result()
        self.gateway = StripeProcess(folder, seed)
        self.gateway.until_ready()
        self.gateway.mood(**MOOD)
        self.ledger = self.gateway.ledger
        self._environment |= {
            "SHOP_PAYMENT_GATEWAY": "stripe",
            "SHOP_STRIPE_API_BASE": self.gateway.address,
            "SHOP_STRIPE_API_KEY": API_KEY,
            "SHOP_STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
        }

    @property
    def addresses(self) -> list[str]:
        """Where the replicas answer; one that starts is not among them yet."""
        return [replica.address for replica in self.replicas if replica.address]

    def start(self, replicas: int = 2) -> None:
        """Start so many replicas and wait until they take requests."""
        self.replicas = [self._replica() for _ in range(replicas)]
        for replica in self.replicas:
            replica.until_ready()
        self._aim()

    def kill(self, number: int) -> None:
        """Kill -9 a replica and start another one in its place; returns before that is ready."""
        dead = self.replicas[number]
        dead.kill()
        dead.end()
        self.replicas[number] = self._replica()
        self._aim()

    def revive(self) -> None:
        """Start again whoever has died."""
        for number, replica in enumerate(self.replicas):
            if not replica.running:
                self._deaths -= 1
                if self._deaths <= 0:  # who has much to catch up with would never get there
                    self._environment[app.MORTAL] = ""
                self.kill(number)

    def stop(self, number: int) -> None:
        """SIGSTOP a replica: it neither runs nor is gone."""
        os.kill(self.replicas[number].pid, signal.SIGSTOP)

    def go_on(self, number: int) -> None:
        """SIGCONT it."""
        os.kill(self.replicas[number].pid, signal.SIGCONT)

    def run(self, *words: str) -> str:
        """What the shop's CLI says."""
        done = subprocess.run(
            [sys.executable, "-m", "tests.faults.app", *words],
            env=self._environment,
            cwd=self._folder,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, f"shop {' '.join(words)}: {done.stderr[-2000:]}"
        return done.stdout

    def close(self) -> None:
        """End everything and leave nothing behind."""
        for replica in self.replicas:
            replica.kill()
            replica.end()
        self.gateway.end()
        with suppress(Exception):
            for name in self.mongo.list_database_names():
                if name.startswith(self.prefix):
                    self.mongo.drop_database(name)
        self.mongo.close()

    def _aim(self) -> None:
        """Have the gateway ring at the replicas that are there."""
        if self._rings and self.addresses:
            urls = [f"{address}/v1/payments/webhooks/stripe" for address in self.addresses]
            self.gateway.webhooks(*urls, repeats=2, spread=0.5)

    def _replica(self) -> Process:
        command = [sys.executable, "-m", "tests.faults.app", "serve", "--port", "0"]
        return Process.of_command(command, self._environment, self._folder)


@contextmanager
def rig(*where: Any, replicas: int = 2, **how: Any) -> Iterator[Rig]:
    """A shop for as long as a scenario lasts."""
    running = Rig(*where, **how)
    try:
        running.start(replicas)
        yield running
    finally:
        running.close()
