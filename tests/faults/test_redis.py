"""Redis flushed and killed under load: it costs speed only."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest
from redis import Redis

from tests.faults.scenes import Scene, scene
from tests.faults.sizes import LONG, SHORT, SIZES, Size, seed

LOOKS = 5
"""How often a buyer looks at the order, right after it was placed."""


@pytest.mark.parametrize("length", [SHORT, pytest.param(LONG, marks=pytest.mark.long)])
def test_without_redis_every_read_is_answered_and_right(length: str, tmp_path: Path) -> None:
    redis_goes(tmp_path, SIZES["redis", length], seed())


def redis_goes(folder: Path, size: Size, seed: str, **how: Any) -> None:
    """Orders come in while Redis forgets all, or is away for a while, again and again."""
    random = Random(f"{seed}:redis")
    moments = sorted(random.sample(range(size.orders), size.faults))
    with scene(folder, size, seed, looks=LOOKS, **how) as stage:
        for number, moment in enumerate(moments):
            stage.customers.until(moment)
            if number % 2:
                with Redis(port=stage.machine.redis.port) as redis:
                    redis.flushall()
            else:
                stage.machine.redis.kill()
                stage.customers.until(min(moment + random.randrange(10), size.orders))
                stage.machine.redis.start()
        stage.settle()
        assert unanswered(stage) == []


def unanswered(stage: Scene) -> list[str]:
    """The reads that were not answered when they were first asked."""
    return [
        f"{each.about} was asked for {each.tries} times: {each.outcome}"
        for each in stage.customers.operations
        if each.what == "look" and (each.tries, each.outcome) != (1, "ok")
    ]
