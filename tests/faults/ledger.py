"""The gateway's own books, outside the shop: every call that it carried out, a line each."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

Operation = Literal["authorize", "capture", "void", "refund"]


@dataclass(frozen=True)
class Call:
    """What the gateway was asked under a key. `authorization` is the hold that it is about."""

    key: str
    operation: Operation
    authorization: str
    amount: int = 0
    token: str = ""
    reference: str = ""


@dataclass(frozen=True)
class Entry:
    """A call that was carried out, and what it led to."""

    call: Call
    outcome: dict[str, Any]

    @property
    def approved(self) -> bool:
        return bool(self.outcome["type"] == "approved")


@dataclass
class Hold:
    """What an authorization came to: the keys under which it was captured, voided, refunded."""

    reference: str
    captures: list[str] = field(default_factory=list)
    voids: list[str] = field(default_factory=list)
    refunds: list[str] = field(default_factory=list)

    @property
    def standing(self) -> bool:
        """Whether money is set aside and neither taken nor let go."""
        return not self.captures and not self.voids

    @property
    def kept(self) -> int:
        """How often the money was taken and not given back."""
        return len(self.captures) - len(self.refunds)


class Ledger:
    """A file that lines are added to and none is ever changed; it is there whoever dies."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0
        self.entries: dict[str, Entry] = {}
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
                self._take(Entry(Call(**parts["call"]), parts["outcome"]))
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
        call = entry.call
        self.entries[call.key] = entry
        if not entry.approved:
            return
        if call.operation == "authorize":
            self.holds[call.key] = Hold(call.reference)
            return
        hold = self.holds[call.authorization]
        done = {"capture": hold.captures, "void": hold.voids, "refund": hold.refunds}
        done[call.operation].append(call.key)
