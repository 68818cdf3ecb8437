"""localstripe, somebody else's idea of Stripe, in a process of its own:
`python -m tests.payment.localstripe`.

Its own launcher listens on every interface and keeps its state in one file for all; this one
listens on loopback and keeps it in memory. It knows neither Idempotency-Keys nor search, does
not tell how much was captured, and lets refunds exceed that: such things are tested on
`tests.payment.stripe_process`.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from payment.stripe import StripeGateway
from shop.child import end_with_parent
from tests.journeys.processes import Process

ROOT = Path(__file__).parents[2]

API_KEY = "sk_test_localstripe"


class LocalStripe:
    """The running process."""

    def __init__(self, process: Process) -> None:
        self.address = process.address

    def gateway(self) -> StripeGateway:
        """The shop's side of it."""
        return StripeGateway(API_KEY, base=self.address)

    def card(self, number: str) -> str:
        """A token for a card."""
        card = {"number": number, "exp_month": "12", "exp_year": "2030", "cvc": "123"}
        form = {f"card[{name}]": value for name, value in card.items()}
        return str(self._post("payment_methods", {"type": "card", **form})["id"])

    def authenticate(self, authorization: str) -> None:
        """Have the buyer do what the bank wants."""
        intent = self._ask("GET", f"payment_intents/{authorization}")
        form = {"client_secret": intent["client_secret"], "success": "true"}
        self._post(f"payment_intents/{authorization}/_authenticate", form)

    def _post(self, path: str, form: dict[str, str]) -> Any:
        return self._ask("POST", path, data=form)

    def _ask(self, method: str, path: str, **how: Any) -> Any:
        headers = {"Authorization": f"Bearer {API_KEY}"}
        answer = httpx.request(
            method, f"{self.address}/v1/{path}", headers=headers, trust_env=False, **how
        )
        return answer.raise_for_status().json()


@contextmanager
def local_stripe(folder: Path) -> Iterator[LocalStripe]:
    """localstripe for as long as it is needed."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, (*sys.path, str(ROOT)))),
    }
    process = Process.of_command(
        [sys.executable, "-m", "tests.payment.localstripe"], environment, folder
    )
    try:
        process.until_ready()
        yield LocalStripe(process)
    finally:
        process.kill()
        process.end()


async def serve() -> None:
    """Answer until killed."""
    from aiohttp import web
    from localstripe.resources import store  # type: ignore[import-untyped]
    from localstripe.server import app  # type: ignore[import-untyped]

    store.dump_to_disk = lambda: None
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0]
    sys.stderr.write(f"ready http://{host}:{port}\n")
    sys.stderr.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    end_with_parent()
    asyncio.run(serve())
