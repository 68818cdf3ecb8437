"""`python -m bench`: measures the shop on this machine and prints it beside its aims."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack

import uvloop
from rich.console import Console

from bench import checks, commits, overload, pictures, replay, results, search, slow, streams
from bench.hot_sku import HotSku
from bench.replicas import Replicas
from bench.results import Result
from bench.servers import Machine, machine
from bench.surface import Surface
from shop.serving import tune

NAMES = (
    "log",
    "replay",
    "search",
    "place",
    "confirm",
    "read",
    "latency",
    "replicas",
    "readers",
    "hot",
    "pictures",
    "streams",
    "overload",
    "slow",
    "checks",
)

Part = Callable[[], Awaitable[Result | list[Result]]]

stderr = Console(stderr=True, highlight=False)


async def measure(on: Machine, names: list[str], *, quick: bool) -> list[Result]:
    """The measurements of these names."""
    rounds, seconds = (2, 0.5) if quick else (3, 2.5)
    found: list[Result] = []
    if "log" in names:
        stderr.print("log: commits, beside raw inserts")
        found += await commits.measure(on.mongodb_url, rounds=rounds + 1, seconds=seconds / 5)
    if "replay" in names:
        stderr.print("replay: a reader from a cold start")
        found += await replay.measure(on, orders=800 if quick else 15_000)
    if "search" in names:
        stderr.print("search: products by words, filters and facets")
        found += await search.measure(on, questions=200 if quick else 1_000, rounds=rounds)
    if {"place", "confirm", "read", "latency"} & set(names):
        with ExitStack() as stack:
            surface = Surface(on, stack, rounds=rounds, seconds=seconds)
            await surface.warm()
            parts: dict[str, Part] = {
                "place": surface.place,
                "confirm": surface.confirm,
                "read": surface.read,
                "latency": surface.latency,
            }
            found += await measured(parts, names)
    if {"replicas", "readers"} & set(names):
        replicas = Replicas(on, rounds=rounds, seconds=seconds)
        found += await measured(
            {"replicas": replicas.beside_one, "readers": replicas.keep_up}, names
        )
        replicas.close()
    if "hot" in names:
        hot = HotSku(on, orders=2_000, rounds=1 if quick else rounds)
        found += await measured({"hot": hot.measure}, names)
    if "pictures" in names:
        stderr.print("pictures: thumbnails, from the cache")
        found += await pictures.measure(on, rounds=rounds, seconds=seconds)
    if "streams" in names:
        stderr.print("streams: a thousand of them, open")
        found += await streams.measure(on)
    if "overload" in names:
        stderr.print("overload: ten times as many orders as can be placed")
        found += await overload.measure(on, rounds=rounds, seconds=2 * seconds)
    if "slow" in names:
        stderr.print("slow: five hundred slow clients beside the others")
        found += await slow.measure(on, rounds=rounds, seconds=2 * seconds)
    if "checks" in names:
        stderr.print("checks: all of them, beside none")
        found += await checks.measure(on, rounds=rounds)
    return found


async def measured(parts: Mapping[str, Part], names: list[str]) -> list[Result]:
    """Those of the parts that are wanted."""
    found: list[Result] = []
    for name, part in parts.items():
        if name in names:
            stderr.print(f"{name}: {(part.__doc__ or '').strip()}")
            one = await part()
            found += one if isinstance(one, list) else [one]
    return found


def main() -> None:
    """Measure, print."""
    words = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    words.add_argument("--json", action="store_true", help="print JSON for programs")
    words.add_argument("--quick", action="store_true", help="short rounds: rough figures")
    words.add_argument("--only", action="append", choices=NAMES, help="only this; may be repeated")
    asked = words.parse_args()
    tune()
    with machine() as on:
        found = uvloop.run(measure(on, asked.only or list(NAMES), quick=asked.quick))
    if asked.json:
        cores = len(os.sched_getaffinity(0))
        print(json.dumps({"cores": cores, "results": [each.as_json() for each in found]}))
    else:
        results.show(found)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
