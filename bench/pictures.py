"""Pictures of products, as a shop's pages ask for them again and again."""

from __future__ import annotations

import csv
import random
import tempfile
from pathlib import Path

from PIL import Image

from bench.client import Answer, press, request
from bench.results import Result, Series
from bench.servers import Machine

CONNECTIONS = 32
PRODUCTS = 20
SIZE = (800, 600)
WIDTH = 320


async def measure(machine: Machine, *, rounds: int, seconds: float) -> list[Result]:
    """Thumbnails served a second, once each has been asked for."""
    hang(machine)
    key = {"Authorization": f"Bearer {machine.key}"}
    pick = random.Random(1)
    wires = [
        request("GET", f"/v1/products/PIC-{n}/images/1?width={WIDTH}", key) for n in range(PRODUCTS)
    ]
    served = Series("shop")
    with machine.shop() as addresses:
        for _ in range(rounds):
            load = await press(
                addresses, lambda: pick.choice(wires), _shown,
                connections=CONNECTIONS, seconds=seconds, warm=1.0,
            )  # fmt: skip
            served.values.append(load.rate)
    return [
        Result(f"pictures, {WIDTH} wide, {CONNECTIONS} connections", "/s", served, at_least=2000)
    ]


def hang(machine: Machine) -> None:
    """List products with a picture each, of noise: no other compresses as badly."""
    noise = random.Random(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with (folder / "goods.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["sku", "product_id", "name", "price", "image"])
            for n in range(PRODUCTS):
                pixels = noise.randbytes(SIZE[0] * SIZE[1] * 3)
                Image.frombytes("RGB", SIZE, pixels).save(folder / f"{n}.webp")
                rows.writerow([f"PIC-{n}", f"PIC-{n}", f"Picture {n}", "1.00", f"{n}.webp"])
        machine.cli("catalog", "import", str(folder / "goods.csv"), "--images", name)


def _shown(answer: Answer) -> bool:
    return answer.status == 200 and len(answer.body) > 1000
