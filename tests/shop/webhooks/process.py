"""Webhooks at work in a process of their own, to be killed: `python -m tests.shop.webhooks.process
MONGODB_URL PREFIX`. It says `ready` when it is."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from pymongo import MongoClient

from bus import gathered, leases, rota
from shop.child import end_with_parent
from shop.webhooks import sender
from tests.shop.webhooks.telling import telling

TERM = 1.0
"""Seconds for which the dead keep their leases."""


async def main(url: str, prefix: str) -> None:
    """Work until killed."""
    for module in (leases, rota):
        vars(module)["TERM"] = TERM
    gathered.PACE = sender.LOOK = 0.02
    mongo: MongoClient[dict[str, Any]] = MongoClient(url, tz_aware=True)
    async with telling(mongo, prefix):
        print("ready", flush=True)  # noqa: T201
        await asyncio.Event().wait()


if __name__ == "__main__":
    end_with_parent()
    asyncio.run(main(*sys.argv[1:]))
