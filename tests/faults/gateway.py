"""The test's payment gateway, a process of its own with books of its own: `python -m
tests.faults.gateway LEDGER SEED`.

A key names one call for ever, as with real gateways; and like those on a bad day it takes a call
and loses the answer, answers late, or is not there. It takes the money as often as it is asked
under another key: that nobody asks twice is the shop's to see to.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from shop.child import end_with_parent
from tests.faults.ledger import Call, Entry, Ledger

APPROVED = {"type": "approved"}
TOKENS = {"pm_card_visa": APPROVED}

LATE = (0.05, 0.4)
"""Seconds that a late answer takes."""


@dataclass
class Mood:
    """How often, of all calls, an answer is lost or late, or the call is not taken at all."""

    lose: float = 0.05
    delay: float = 0.3
    refuse: float = 0.05


class Gateway:
    """Answers calls."""

    def __init__(self, ledger: Ledger, seed: str) -> None:
        self._ledger = ledger
        self._seed = seed
        self._asked: Counter[str] = Counter()
        self.mood = Mood()

    async def call(self, call: Call) -> dict[str, Any] | int | None:
        """The outcome; a status when the call is not taken; `None` when the answer gets lost."""
        self._asked[call.key] += 1
        random = Random(f"{self._seed}:{call.key}:{self._asked[call.key]}")
        fate = random.random()
        mood = self.mood
        if fate < mood.refuse:
            return 503
        entry = self._ledger.entries.get(call.key)
        if entry is None:
            entry = Entry(call, self._judge(call))
            self._ledger.add(entry)
        elif entry.call != call:
            return 422
        if fate < mood.refuse + mood.lose:
            return None
        if fate < mood.refuse + mood.lose + mood.delay:
            await asyncio.sleep(random.uniform(*LATE))
        return entry.outcome

    def known(self, key: str) -> dict[str, Any] | int:
        """The outcome of a call that was made; 404 when it never was."""
        entry = self._ledger.entries.get(key)
        return 404 if entry is None else entry.outcome

    def _judge(self, call: Call) -> dict[str, Any]:
        if call.operation == "authorize":
            return TOKENS.get(call.token, {"type": "declined", "reason": "card_declined"})
        hold = self._ledger.holds.get(call.authorization)
        if hold is None:
            return {"type": "declined", "reason": "nothing_held"}
        free = {"capture": not hold.voids, "void": not hold.captures, "refund": hold.kept > 0}
        if not free[call.operation]:
            return {"type": "declined", "reason": f"{call.operation}_too_late"}
        return APPROVED


async def answer(gateway: Gateway, path: str, body: bytes) -> dict[str, Any] | int | None:
    """What one request leads to."""
    match path.split("/")[1:]:
        case ["calls"]:
            return await gateway.call(Call(**json.loads(body)))
        case ["calls", key]:
            return gateway.known(key)
        case ["mood"]:
            gateway.mood = Mood(**json.loads(body))
            return {}
        case _:
            return 404


async def serve(gateway: Gateway) -> None:
    """Answer over HTTP until killed. A lost answer is a connection that breaks."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                at = head.lower().find("content-length:")
                length = int(head[at + 15 :].split("\r\n", 1)[0]) if at >= 0 else 0
                found = await answer(gateway, head.split(" ")[1], await reader.readexactly(length))
                if found is None:
                    writer.transport.abort()
                    return
                status, said = (found, {}) if isinstance(found, int) else (200, found)
                out = json.dumps(said).encode()
                lines = f"HTTP/1.1 {status} said\r\nContent-Type: application/json\r\n"
                writer.write(f"{lines}Content-Length: {len(out)}\r\n\r\n".encode() + out)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # whoever called has died
        finally:
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    sys.stderr.write(f"ready http://{host}:{port}\n")
    sys.stderr.flush()
    await server.serve_forever()


if __name__ == "__main__":
    end_with_parent()
    asyncio.run(serve(Gateway(Ledger(Path(sys.argv[1])).read(), sys.argv[2])))
