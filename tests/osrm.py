"""A real OSRM on the roads of Liechtenstein; where its programs or the roads are absent, the tests
that need it say so and skip."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from shop.child import POLL, Child

PROGRAMS = Path(sys.prefix) / "osrm" / "osrm"

DATA = Path(os.environ.get("STOREFOLD_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
ROADS = DATA / "liechtenstein" / "liechtenstein.osm.pbf"

READY_WITHIN = 30.0  # seconds; it takes one


def built(folder: Path) -> Path:
    """The roads as OSRM reads them; takes a second. Skips the test where it cannot be done."""
    if not (PROGRAMS / "bin" / "osrm-routed").exists():
        pytest.skip("there is no OSRM: `make install` brings it where there is a wheel")
    if not ROADS.exists():
        pytest.skip(f"there are no roads at {ROADS}: set STOREFOLD_TEST_DATA")
    roads = folder / "roads.osm.pbf"
    shutil.copyfile(ROADS, roads)  # what is built lies beside it
    profile = str(PROGRAMS / "share" / "profiles" / "car.lua")
    steps = [
        ["osrm-extract", "--threads", "1", "--profile", profile, str(roads)],
        ["osrm-partition", "--threads", "1", str(folder / "roads.osrm")],
        ["osrm-customize", "--threads", "1", str(folder / "roads.osrm")],
    ]
    for program, *words in steps:
        done = subprocess.run([PROGRAMS / "bin" / program, *words], capture_output=True, text=True)
        assert done.returncode == 0, f"{program}: {done.stdout}{done.stderr}"
    return folder / "roads.osrm"


@contextmanager
def routed(roads: Path) -> Iterator[str]:
    """An OSRM at work on built roads, for as long as it is needed: its address."""
    how = ["--algorithm", "mld", "--threads", "1", "--ip", "127.0.0.1", "--port", "0"]
    log = roads.parent / "routed.log"
    server = Child([str(PROGRAMS / "bin" / "osrm-routed"), *how, str(roads)], log)
    try:
        deadline = time.monotonic() + READY_WITHIN
        while "waiting for requests" not in (said := log.read_text()):
            assert server.running(), said
            assert time.monotonic() < deadline, said
            time.sleep(POLL)
        address = re.search(r"Listening on: (\S+)", said)
        assert address, said
        yield f"http://{address[1]}"
    finally:
        server.stop(within=5)
