"""The gateway's own books, outside the shop: every call that it carried out, a line each."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

Operation = Literal["authorize", "capture", "void", "refund", "authenticate", "expire"]


@dataclass(frozen=True)
class Call:
    """What the gateway was asked: by us under a key, or by the world (`authenticate`, `expire`)
    under none. `request` must be the same when the key comes again."""

    key: str
    operation: Operation
    request: dict[str, Any]


@dataclass(frozen=True)
class Entry:
    """A call that was carried out, what was answered, and the PaymentIntent after it."""

    call: Call
    status: int
    answer: dict[str, Any]
    intent: dict[str, Any] | None = None
    moved: int = 0
    """What was set aside, taken or given back by it, in minor units."""


@dataclass
class Hold:
    """What an authorization came to: the keys under which it was captured, voided, refunded."""

    id: str
    reference: str
    status: str = ""
    amount: int = 0
    captured: int = 0
    refunded: int = 0
    captures: list[str] = field(default_factory=list)
    voids: list[str] = field(default_factory=list)
    refunds: list[str] = field(default_factory=list)

    @property
    def standing(self) -> bool:
        """Whether money is set aside and neither taken nor let go."""
        return self.status == "requires_capture"

    @property
    def kept(self) -> int:
        """How much of the money was taken and not given back."""
        return self.captured - self.refunded


class Ledger:
    """A file that lines are added to and none is ever changed; it is there whoever dies."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0
        self.entries: dict[str, Entry] = {}
        """What was carried out under each key."""
        self.intents: dict[str, dict[str, Any]] = {}
        """Each PaymentIntent as it stands, in the order in which they were made."""
        self.holds: dict[str, Hold] = {}

    def read(self) -> Ledger:
        """Take in what was added since."""
        with self._path.open("ab+") as file:
            file.seek(self._read)
            for line in file:
                if not line.endswith(b"\n"):  # it is being written
                    break
                self._read += len(line)
                parts = json.loads(line)
                self._take(Entry(**{**parts, "call": Call(**parts["call"])}))
        return self

    def add(self, entry: Entry) -> None:
        """Write an entry down: it is in the file before anybody hears of it."""
        line = json.dumps(asdict(entry)).encode() + b"\n"
        with self._path.open("ab", buffering=0) as file:
            file.write(line)
        self._read += len(line)
        self._take(entry)

    def of_orders(self) -> dict[str, list[Hold]]:
        """The authorizations that were approved for each order."""
        found: dict[str, list[Hold]] = defaultdict(list)
        for hold in self.holds.values():
            found[hold.reference].append(hold)
        return found

    def _take(self, entry: Entry) -> None:
        call, intent = entry.call, entry.intent
        if call.key:
            self.entries[call.key] = entry
        if intent is None:
            return
        self.intents[intent["id"]] = intent
        if intent["status"] in ("requires_capture", "succeeded", "canceled"):
            self._hold(entry, intent)

    def _hold(self, entry: Entry, intent: dict[str, Any]) -> None:
        hold = self.holds.setdefault(
            intent["id"],
            Hold(intent["id"], intent["metadata"].get("storefold_reference", "")),
        )
        hold.status, hold.amount = intent["status"], intent["amount"]
        match entry.call.operation:
            case "capture" if entry.status == 200:
                hold.captures.append(entry.call.key)
                hold.captured += entry.moved
            case "refund" if entry.status == 200:
                hold.refunds.append(entry.call.key)
                hold.refunded += entry.moved
            case "void" | "expire" if entry.status == 200:
                hold.voids.append(entry.call.key)
