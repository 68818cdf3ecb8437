"""The gateway's webhooks: signed, sent until they are taken, repeated, and in any order."""

from __future__ import annotations

import asyncio
import json
from random import Random
from typing import Any

import httpx
from stripe import WebhookSignature

TRIES = 100
"""How often an event is sent to one who does not take it."""


class Sender:
    """Sends each event `repeats` times to one of the addresses, each after a while of its own of up
    to `spread` seconds."""

    def __init__(self, seed: str) -> None:
        self._random = Random(f"{seed}:webhooks")
        self._urls: list[str] = []
        self._secret = ""
        self._repeats = 1
        self._spread = 0.0
        self._under_way: set[asyncio.Task[None]] = set()
        self._http: httpx.AsyncClient | None = None

    def aim(self, urls: list[str], secret: str, repeats: int = 1, spread: float = 0.0) -> None:
        """Send to these from now on; to nobody, when there are none."""
        self._urls, self._secret = urls, secret
        self._repeats, self._spread = repeats, spread

    def tell(self, event: dict[str, Any]) -> None:
        """Begin to send an event."""
        if not self._urls:
            return
        for _ in range(self._repeats):
            task = asyncio.get_running_loop().create_task(self._send(json.dumps(event)))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def _send(self, body: str) -> None:
        if self._http is None:
            self._http = httpx.AsyncClient(trust_env=False, timeout=10)
        for _ in range(TRIES):
            await asyncio.sleep(self._random.uniform(0, self._spread))
            if not self._urls:
                return
            signature = WebhookSignature.generate_signature_header(body, self._secret)
            headers = {"Stripe-Signature": signature, "Content-Type": "application/json"}
            url = self._random.choice(self._urls)
            try:
                answer = await self._http.post(url, content=body, headers=headers)
            except httpx.TransportError:
                continue
            if answer.is_success or 400 <= answer.status_code < 500:
                return
            await asyncio.sleep(0.1)
