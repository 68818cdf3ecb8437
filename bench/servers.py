"""The processes that are measured: MongoDB, Redis, the shop, and the bare endpoint beside it."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path

from shop import embedded

SKUS = [f"BENCH-{number:03}" for number in range(200)]
SHOP = str(Path(sys.executable).parent / "shop")
READY_WITHIN = 60.0


class Machine:
    """A MongoDB and a Redis in a folder that goes away, and what runs on them."""

    def __init__(self, folder: Path, servers: embedded.Servers, prefix: str = "shop") -> None:
        assert servers.mongodb_url is not None
        assert servers.redis_url is not None
        self.mongodb_url = servers.mongodb_url
        self.redis_url = servers.redis_url
        self._servers = servers
        self._running: list[subprocess.Popen[bytes]] = []
        self._folder = folder
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("SHOP_")},
            "PYTHONPATH": os.pathsep.join(filter(None, (*sys.path, str(Path.cwd())))),
            "SHOP_DATA_DIR": str(folder / "data"),
            "SHOP_MONGODB_URL": servers.mongodb_url,
            "SHOP_MONGODB_PREFIX": prefix,
            "SHOP_REDIS_URL": servers.redis_url,
            "SHOP_RATE_LIMIT": "1000000/second",  # counted as ever, and not met by a single client
        }

    def beside(self, prefix: str) -> Machine:
        """Another shop on the same servers: what runs there is counted apart."""
        return Machine(self._folder, self._servers, prefix)

    @contextmanager
    def process(self, *command: str) -> Iterator[str]:
        """A server process; yields the address that it says it is ready at."""
        said = self._folder / f"{Path(command[0]).name}-{time.monotonic_ns()}.log"
        with said.open("wb") as output:
            child = subprocess.Popen(
                command, env=self._environment, cwd=self._folder, stdout=output, stderr=output
            )
        self._running.append(child)
        try:
            yield _address(child, said)
        finally:
            self._running.remove(child)
            child.terminate()
            try:
                child.wait(30)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()

    def cpu(self) -> float:
        """Seconds of CPU that the processes now running have taken so far."""
        ticks = 0
        for child in self._running:
            after_name = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(after_name[11]) + int(after_name[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def resident(self) -> float:
        """Megabytes of memory that the processes now running have."""
        pages = sum(
            int(Path(f"/proc/{child.pid}/statm").read_text().split()[1]) for child in self._running
        )
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    @cached_property
    def key(self) -> str:
        """A key to order with; once there is one, there are goods and a warehouse too."""
        self.sell(SKUS, stock=1_000_000)
        self.cli(
            *("warehouses", "add", "bench", "--name", "Vaduz", "--road", "Äulestrasse"),
            *("--house-number", "1", "--district", "Vaduz", "--postcode", "9490"),
            *("--country", "LI"),
        )
        return self.cli("keys", "create", "bench", "--scope", "shop").strip()

    def sell(self, skus: Sequence[str], *, stock: int) -> None:
        """Sell these, so many pieces of each."""
        goods = self._folder / "goods.csv"
        with goods.open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["sku", "name", "category", "price"])
            rows.writerows([sku, f"Thing {sku}", "Things", "12.50"] for sku in skus)
        self.cli("catalog", "import", str(goods), "--stock", str(stock))

    @contextmanager
    def shop(self, replicas: int = 1) -> Iterator[list[str]]:
        """The shop, as so many processes; yields their addresses."""
        with ExitStack() as stack:
            yield [
                stack.enter_context(self.process(SHOP, "serve", "--port", "0"))
                for _ in range(replicas)
            ]

    @contextmanager
    def bare(self, variant: str) -> Iterator[str]:
        """The bare endpoint: `sync` or `async`."""
        with self.process(sys.executable, "-m", "bench.bare", variant) as address:
            yield address

    def cli(self, *words: str) -> str:
        """What a command of the CLI prints."""
        done = subprocess.run(
            [SHOP, *words],
            env=self._environment,
            cwd=self._folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"shop {' '.join(words)} failed: {done.stderr.strip()[-2000:]}")
        return done.stdout


@contextmanager
def machine() -> Iterator[Machine]:
    """MongoDB and Redis for as long as it is measured."""
    with tempfile.TemporaryDirectory(prefix="storefold-bench-") as name:
        folder = Path(name)
        with embedded.servers(folder / "servers") as servers:
            yield Machine(folder, servers)


def _address(child: subprocess.Popen[bytes], said: Path) -> str:
    """Wait for `ready http://...`."""
    deadline = time.monotonic() + READY_WITHIN
    while time.monotonic() < deadline:
        text = said.read_text(errors="replace")
        for line in text.splitlines():
            if line.startswith("ready http"):
                return line.split()[1]
        if child.poll() is not None:
            break
        time.sleep(0.02)
    raise RuntimeError(f"a server did not come up: {said.read_text(errors='replace')[-2000:]}")
