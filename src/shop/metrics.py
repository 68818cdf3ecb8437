"""What `/metrics` shows: the platform's instruments, those of the REST surface, and the
processes."""

from __future__ import annotations

import os
import platform as machine
from collections.abc import Iterable, Iterator
from functools import partial
from importlib.metadata import version
from pathlib import Path

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from bus.metrics import REGISTRY, from_zero

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The environment variable that names the folder where several workers keep their figures; it is
set before a worker starts."""

REQUESTS = Counter(
    "storefold_http_requests",
    "Requests answered, by the route's template (none: there is no such route)",
    ["method", "route", "status"],
    registry=REGISTRY,
)

REQUEST_SECONDS = Histogram(
    "storefold_http_request_seconds",
    "Seconds from a request's head to the head of its answer; `Prefer: wait` is in it",
    ["method", "route", "status"],
    buckets=(0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    registry=REGISTRY,
)

IN_FLIGHT = Gauge(
    "storefold_http_requests_in_flight",
    "Requests that have not been answered yet",
    registry=REGISTRY,
    multiprocess_mode="livesum",
)

TURNED_AWAY = Counter(
    "storefold_http_requests_turned_away",
    "Requests answered with 503 at once, because as many as may be were worked on; they are counted"
    " nowhere else",
    registry=REGISTRY,
)

WEBHOOKS = Counter(
    "storefold_webhooks",
    "Attempts to tell an endpoint something: taken, failed; messages given_up after the last one,"
    " endpoints disabled for it",
    ["outcome"],
    registry=REGISTRY,
)
from_zero(WEBHOOKS, last=("taken", "failed", "given_up", "disabled"))

BUILD = Gauge(
    "storefold_build_info",
    "Always 1: which release runs, on which Python",
    ["version", "python"],
    registry=REGISTRY,
    multiprocess_mode="livemax",
)


class Processes(Collector):
    """What the system says of each process of the shop: memory, CPU, open files."""

    def __init__(self, pids: Iterable[int]) -> None:
        self._pids = tuple(pids)

    def collect(self) -> Iterator[Metric]:
        """Each figure once, with a sample for each process."""
        families: dict[str, Metric] = {}
        for pid in self._pids:
            for found in ProcessCollector(pid=partial(str, pid), registry=None).collect():
                family = families.setdefault(
                    found.name, Metric(found.name, found.documentation, found.type)
                )
                for sample in found.samples:
                    family.add_sample(sample.name, {"pid": str(pid)}, sample.value)
        yield from families.values()


def exposition(accept: str) -> tuple[bytes, str]:
    """Everything as text, and its media type: OpenMetrics for those who accept it. Blocks for some
    milliseconds; asks no server."""
    disable_created_metrics()  # type: ignore[no-untyped-call] # else a counter is two series
    BUILD.labels(version("storefold"), machine.python_version()).set(1)
    shown = CollectorRegistry()
    if folder := os.environ.get(FOLDER):
        alive = set(_alive(Path(folder)))
        MultiProcessCollector(shown, folder)  # type: ignore[no-untyped-call]
    else:
        alive = {os.getpid()}
        shown.register(REGISTRY)
    shown.register(Processes(sorted(alive)))
    encode, media_type = choose_encoder(accept)
    return encode(shown), media_type


def _alive(folder: Path) -> Iterator[int]:
    """The workers at work; of one that is not, what it had counted remains, its gauges go."""
    for pid in {int(file.stem.rpartition("_")[2]) for file in folder.glob("*.db")}:
        if running(pid):
            yield pid
        else:
            mark_process_dead(pid, folder)  # type: ignore[no-untyped-call]


def running(pid: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
