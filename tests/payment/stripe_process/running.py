"""The gateway's process, for tests to start, to put into a mood, and to ask for its books."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from payment.stripe import StripeGateway
from tests.journeys.processes import Process
from tests.payment.stripe_process.ledger import Ledger

ROOT = Path(__file__).parents[3]

API_KEY = "sk_test_storefold"
WEBHOOK_SECRET = "whsec_storefold"


class StripeProcess:
    """A gateway that speaks Stripe's HTTP on loopback."""

    def __init__(self, folder: Path, seed: str = "") -> None:
        self.ledger = folder / "gateway.jsonl"
        command = [sys.executable, "-m", "tests.payment.stripe_process.serve"]
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("SHOP_")},
            "PYTHONPATH": os.pathsep.join(filter(None, (*sys.path, str(ROOT)))),
        }
        self._process = Process.of_command([*command, str(self.ledger), seed], environment, folder)

    def until_ready(self) -> None:
        """Wait until it answers."""
        self._process.until_ready()

    @property
    def address(self) -> str:
        """Where it answers."""
        return self._process.address

    def gateway(self, **how: Any) -> StripeGateway:
        """The shop's side of it."""
        return StripeGateway(API_KEY, **{"base": self.address, "timeout": 2.0, **how})

    def books(self) -> Ledger:
        """What it has carried out so far."""
        return Ledger(self.ledger).read()

    def mood(self, **mood: Any) -> None:
        """Say how calls fare from now on: see `serve.Mood`."""
        self._post("mood", mood)

    def webhooks(self, *urls: str, **how: Any) -> None:
        """Say where events are sent from now on: see `webhooks.Sender`."""
        self._post("webhooks", {"urls": urls, "secret": WEBHOOK_SECRET, **how})

    def authenticate(self, authorization: str, *, success: bool = True) -> None:
        """Have the buyer do what the bank wants, or fail to."""
        self._post(f"authenticate/{authorization}", {"success": str(success).lower()})

    def expire(self, authorization: str) -> None:
        """Have what is set aside run out."""
        self._post(f"expire/{authorization}", {})

    def end(self) -> None:
        """Kill it; its ledger stays."""
        self._process.kill()
        self._process.end()

    def _post(self, path: str, body: dict[str, Any]) -> None:
        answer = httpx.post(f"{self.address}/_test/{path}", json=body, trust_env=False)
        answer.raise_for_status()


@contextmanager
def stripe_process(folder: Path, seed: str = "") -> Iterator[StripeProcess]:
    """A gateway for as long as it is needed."""
    process = StripeProcess(folder, seed)
    try:
        process.until_ready()
        yield process
    finally:
        process.end()
