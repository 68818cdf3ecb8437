"""Every position that a reader ever stored, from MongoDB's own record of what was written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pymongo import MongoClient


class Positions:
    """The positions stored in a shop's `readers`, followed through the oplog: none is missed."""

    def __init__(self, mongo: MongoClient[dict[str, Any]], prefix: str) -> None:
        self._oplog = mongo["local"]["oplog.rs"]
        self._prefix = prefix
        self._since: Any = None
        self.stored: dict[str, int] = {}
        self.setbacks: list[str] = []

    def read(self) -> None:
        """Follow what was written since."""
        wanted: dict[str, Any] = {"ns": {"$regex": rf"^{self._prefix}_\w+\.readers$"}}
        if self._since is not None:
            wanted["ts"] = {"$gt": self._since}
        for entry in self._oplog.find(wanted).sort("$natural", 1):
            self._since = entry["ts"]
            for id, position in positions_in(entry):
                name = f"{entry['ns']}: {id}"
                if position < self.stored.get(name, 0):
                    self.setbacks.append(f"{name} went from {self.stored[name]} to {position}")
                self.stored[name] = position


def positions_in(entry: dict[str, Any]) -> Iterator[tuple[str, int]]:
    """The position that an entry of the oplog stores, if it stores one."""
    if entry["op"] == "i":
        yield entry["o"]["_id"], entry["o"]["position"]
    elif entry["op"] == "u":
        change = entry["o"].get("diff", {}).get("u", entry["o"])
        if "position" in change:
            yield entry["o2"]["_id"], change["position"]
