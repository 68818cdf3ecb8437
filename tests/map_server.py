"""Nominatim and Google in a process of the tests' own, to start, and to ask what they were asked;
what they know is in `tests.maps.map_server`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.journeys.processes import Process

ROOT = Path(__file__).parents[1]

API_KEY = "AIza-storefold"
AGENT = "Storefold/test (orders@example.org)"


class Maps:
    """The running process."""

    def __init__(self, process: Process) -> None:
        self.address = process.address

    def calls(self, path: str) -> list[dict[str, Any]]:
        """What it was asked at paths that end like this: when, and by whom."""
        told = httpx.get(f"{self.address}/_test/calls", trust_env=False).json()
        return [call for call in told if call["path"].endswith(path)]


@contextmanager
def mapped(folder: Path) -> Iterator[Maps]:
    """A map server for as long as it is needed."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, (*sys.path, str(ROOT)))),
    }
    process = Process.of_command(
        [sys.executable, "-m", "tests.maps.map_server"], environment, folder
    )
    try:
        process.until_ready()
        yield Maps(process)
    finally:
        process.kill()
        process.end()
