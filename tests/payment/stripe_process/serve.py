"""A gateway that speaks Stripe's HTTP, a process of its own with books of its own:
`python -m tests.payment.stripe_process.serve LEDGER SEED`.

As Stripe on a bad day it takes a call and loses the answer, answers late or with an error, or is
not there: by chance, or as the next calls are told to fare. What has to be done by the world (the
buyer's bank, time) and its mood are set by POST to `/_test/...`.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from shop.child import end_with_parent
from tests.payment.stripe_process.api import Answer, Api
from tests.payment.stripe_process.ledger import Ledger
from tests.payment.stripe_process.webhooks import Sender

LATE = (0.05, 0.4)
"""Seconds that a late answer takes."""

AWAY = Answer(503, {"error": {"type": "api_error", "message": "not now"}})
BROKEN = Answer(500, {"error": {"type": "api_error", "message": "something broke"}})


@dataclass
class Mood:
    """How often, of all changes, the answer is lost or late, or an error after all was done, or
    the call is not taken at all; `next` says how the next ones fare, by the same words, and
    `silent` for one that is carried out and never answered."""

    lose: float = 0
    slow: float = 0
    fail: float = 0
    refuse: float = 0
    next: list[str] = field(default_factory=list)

    def fate(self, random: Random) -> str:
        """What befalls a call; nothing, mostly."""
        if self.next:
            return self.next.pop(0)
        chance = random.random()
        for name in ("lose", "slow", "fail", "refuse"):
            chance -= getattr(self, name)
            if chance < 0:
                return name
        return ""


class Gateway:
    """Answers requests."""

    def __init__(self, ledger: Ledger, seed: str) -> None:
        self._sender = Sender(seed)
        self._api = Api(ledger, self._sender.tell)
        self._mood = Mood()
        self._seed = seed
        self._asked: Counter[str] = Counter()

    async def answer(self, method: str, target: str, headers: Any, body: bytes) -> Answer | None:
        """The answer to a request; `None` when it gets lost."""
        url = urlsplit(target)
        if url.path.startswith("/_test/"):
            return self._told(url.path, body)
        if not headers.get("authorization", "").startswith("Bearer sk_test_"):
            return Answer(401, {"error": {"type": "invalid_request_error", "message": "key"}})
        if method == "GET":
            return self._api.ask(url.path, dict(parse_qsl(url.query)))
        key = headers.get("idempotency-key", "")
        self._asked[key] += 1
        random = Random(f"{self._seed}:{key}:{self._asked[key]}")
        fate = self._mood.fate(random)
        if fate == "refuse":
            return AWAY
        found = self._api.change(url.path, dict(parse_qsl(body.decode())), key)
        if fate == "lose":
            return None
        if fate == "slow":
            await asyncio.sleep(random.uniform(*LATE))
        if fate == "silent":
            await asyncio.Event().wait()
        return BROKEN if fate == "fail" else found

    def _told(self, path: str, body: bytes) -> Answer:
        match path.split("/")[2:]:
            case ["mood"]:
                self._mood = Mood(**json.loads(body))
            case ["webhooks"]:
                self._sender.aim(**json.loads(body))
            case [change, id]:
                form = {name: str(value) for name, value in json.loads(body or b"{}").items()}
                return self._api.change(f"/v1/payment_intents/{id}/{change}", form, "")
        return Answer(200, {})


async def serve(gateway: Gateway) -> None:
    """Answer over HTTP until killed. A lost answer is a connection that breaks."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):  # whoever called has died
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                method, target, _ = head[0].split(" ")
                lines = (line.partition(":") for line in head[1:] if line)
                headers = {name.lower(): value.strip() for name, _, value in lines}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                found = await gateway.answer(method, target, headers, body)
                if found is None:
                    writer.transport.abort()
                    return
                out = json.dumps(found.body).encode()
                replayed = "Idempotent-Replayed: true\r\n" if found.replayed else ""
                writer.write(
                    f"HTTP/1.1 {found.status} said\r\nContent-Type: application/json\r\n{replayed}"
                    f"Content-Length: {len(out)}\r\n\r\n".encode()
                    + out
                )
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    sys.stderr.write(f"ready http://{host}:{port}\n")
    sys.stderr.flush()
    await server.serve_forever()


if __name__ == "__main__":
    end_with_parent()
    asyncio.run(serve(Gateway(Ledger(Path(sys.argv[1])).read(), sys.argv[2])))
