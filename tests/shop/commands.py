"""The command line as a person meets it: processes, exit codes, one line when something fails."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from tests import forked
from tests.shop.clients import DOOR, basket

SHOP = str(Path(sys.executable).with_name("shop"))

READY_WITHIN = 60.0


class Ran(NamedTuple):
    """What came of a command."""

    words: tuple[str, ...]
    code: int
    out: str
    err: str

    def rows(self) -> list[dict[str, Any]]:
        """What it answers for programs."""
        assert self.code in (0, 1), self
        return [json.loads(line) for line in self.out.splitlines()]

    def complaint(self, code: int = 1) -> str:
        """The one line that says why it failed."""
        assert self.code == code, self
        assert "Traceback" not in self.err, self.err
        (line,) = self.err.splitlines()
        assert line.startswith("shop: "), line
        assert len(line) < 500
        return line


class House:
    """A shop's settings; its data lie in a folder of its own."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.data = folder / "var"
        self._settings = settings
        folder.mkdir(exist_ok=True)

    def environment(self, **more: str) -> dict[str, str]:
        inherited = {n: v for n, v in os.environ.items() if not n.startswith(("SHOP_", "COLUMNS"))}
        return {**inherited, "SHOP_DATA_DIR": str(self.data), **self._settings, **more}

    def run(self, *words: str, within: float = 60, **settings: str) -> Ran:
        """One command, from its start to its end. (On a busy machine it may warn that Redis is
        slow, which nobody asks for here.)"""
        environment = self.environment(**{"SHOP_LOG_LEVEL": "error", **settings})
        done = forked.run(words, environment, self.folder, within)
        return Ran(words, done.returncode, done.stdout, done.stderr)

    def run_all(self, commands: list[tuple[str, ...]]) -> list[Ran]:
        """Several commands, two at a time."""
        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(lambda words: self.run(*words), commands))

    def server_pids(self) -> list[int]:
        """The embedded servers' processes."""
        found = json.loads((self.data / "servers.json").read_text())["pids"]
        return list(found.values())


class Serving:
    """`shop serve` at work."""

    def __init__(self, process: subprocess.Popen[str] | forked.Process) -> None:
        self.process = process
        self.pid = process.pid
        self.address = ""
        self.lines: list[str] = []
        self.out: list[str] = []
        self._ready = threading.Event()
        self._threads = [
            threading.Thread(target=listen, daemon=True)
            for listen in (self._listen_to_stderr, self._listen_to_stdout)
        ]
        for thread in self._threads:
            thread.start()
        assert self._ready.wait(READY_WITHIN)
        assert self.address, "".join(self.lines)

    def _listen_to_stderr(self) -> None:
        assert self.process.stderr
        for line in self.process.stderr:
            self.lines.append(line)
            if found := re.match(r"ready (?:to work )?(http://\S+)\n", line):
                self.address = found[1]
                self._ready.set()
        self._ready.set()

    def _listen_to_stdout(self) -> None:
        assert self.process.stdout
        self.out.extend(self.process.stdout)

    def ends(self, number: int, within: float) -> int:
        """Its exit code after a signal."""
        self.process.send_signal(number)
        code = self.process.wait(within)
        for thread in self._threads:
            thread.join(5)
        return code


@contextmanager
def serving(house: House, *words: str, command: str = "serve") -> Iterator[Serving]:
    """`shop serve`, or `shop work`, on a free port."""
    with started(house, command, "--port", "0", *words) as process:
        try:
            yield Serving(process)
        finally:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                raise


@contextmanager
def started(house: House, *words: str) -> Iterator[subprocess.Popen[str] | forked.Process]:
    """A process of its own session. Workers are started as the installed command starts them."""
    environment = house.environment(SHOP_DRAIN_NOTICE="0")
    if "--workers" not in words:
        process = forked.Process(forked.CLI, words, environment, house.folder)
        with process.stdout, process.stderr:
            yield process
        return
    with subprocess.Popen(
        [SHOP, *words],
        cwd=house.folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as popen:
        yield popen


class Shop(NamedTuple):
    """A running shop with samples and one confirmed order."""

    house: House
    serving: Serving
    key: str
    order: dict[str, Any]


@contextmanager
def trading(folder: Path, **settings: str) -> Iterator[Shop]:
    """A shop for newcomers, in which somebody has ordered."""
    house = House(folder, **settings)
    with serving(house, "--demo") as running:
        key = house.run("keys", "create", "web", "--scope", "shop").out.strip()
        headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": "1", "Prefer": "wait=30"}
        answer = httpx.post(
            f"{running.address}/v1/orders",
            json=basket(destination=DOOR),
            headers=headers,
            timeout=40,
        )
        assert answer.status_code == 201, answer.text
        yield Shop(house, running, key, answer.json())
