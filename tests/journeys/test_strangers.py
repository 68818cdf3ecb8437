"""Strangers who know the OpenAPI document only: what they ask is answered as it says."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.journeys.conftest import Stock

HERE = Path(__file__).parent

MUG = {"sku": "MUG-BLUE", "product_id": "mug", "name": "Mug", "price": "18.90", "image": "mug.png"}
"""What the examples in the document buy."""


def try_everything(stock: Stock, folder: Path, *how: str) -> str:
    """Everything that can be asked, with each check of its answer; fails with what was amiss."""
    shop, keys, *_ = stock()
    goods = folder / "goods.json"
    goods.write_text(json.dumps([MUG]))
    Image.new("RGB", (64, 48), "navy").save(folder / "mug.png")
    shop.cli("catalog", "import", str(goods), "--images", str(folder), "--stock", "1000000")
    with shop.serve() as served:
        tried = subprocess.run(
            [
                sys.executable, "-m", "schemathesis.cli",
                "--config-file", str(HERE / "strangers.toml"),
                "run", f"{served.address}/openapi.json", "--checks", "all", *how,
            ],
            env={
                **os.environ,
                "WEB_KEY": keys.web,
                "CARRIER_KEY": keys.carrier,
                "SCHEMATHESIS_HOOKS": "tests.journeys.meant",
                "PYTHONPATH": str(HERE.parents[1]),
            },
            cwd=folder,
            capture_output=True,
            text=True,
        )  # fmt: skip
        assert tried.returncode == 0, tried.stdout + tried.stderr
        assert served.running
    return tried.stdout


def test_whatever_strangers_ask_is_answered_as_the_document_says(
    stock: Stock, tmp_path: Path
) -> None:
    said = try_everything(
        stock, tmp_path,
        "--phases", "examples,coverage,stateful", "--max-examples", "12", "--seed", "1",
    )  # fmt: skip
    followed = re.search(r"API Links: +(\d+) covered", said)
    assert followed, said
    assert int(followed[1]) >= 5, said


@pytest.mark.long
def test_strangers_find_nothing_in_a_long_time_either(
    stock: Stock, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = os.environ.get("FUZZ_SEED", str(secrets.randbelow(10**6)))
    seconds = os.environ.get("FUZZ_SECONDS", "300")
    with capsys.disabled():
        print(f"\nrepeat with FUZZ_SEED={seed}")  # noqa: T201 (what repeats it, as it begins)
    try_everything(stock, tmp_path, "--max-time", seconds, "--seed", seed)
