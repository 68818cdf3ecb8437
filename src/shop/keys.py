"""The keys that open the REST surface: shown once, kept as a hash, each with one scope and a
client's name."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import time
from datetime import datetime
from typing import Any, NamedTuple

from pymongo.database import Database

from bus.messages import NotFound, Principal, Refused, now
from bus.mongo import durable
from bus.rest import SCOPES

TRUSTED_FOR = 3.0
"""Seconds for which a key is not looked up again: the longest that a revoked one still opens."""

REMEMBERED = 10_000
"""Keys remembered at once; wrong ones are remembered too, so that guessing costs the database
nothing."""


class Key(NamedTuple):
    """A key as it is listed: never the secret."""

    prefix: str
    name: str
    scope: str
    created: datetime
    revoked: datetime | None


class Keys:
    """The keys of a shop, in the `keys` collection of its own database."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._collection = durable(database["keys"])
        self._known: dict[str, tuple[float, Principal | None]] = {}

    async def create(self, name: str, scope: str) -> str:
        """A new key for a client; several keys of one name open the same orders. The only time it
        is shown."""
        if scope not in SCOPES:
            raise Refused("unknown_scope", f"there is no scope {scope}: choose {', '.join(SCOPES)}")
        prefix, secret = f"sk_{secrets.token_hex(6)}", secrets.token_urlsafe(32)
        document = {
            "_id": prefix,
            "name": name,
            "scope": scope,
            "hash": _hash(secret),
            "created": now(),
            "revoked": None,
        }
        await asyncio.to_thread(lambda: self._collection.insert_one(document))
        return f"{prefix}.{secret}"

    async def list(self) -> list[Key]:
        """All keys, the newest first."""
        found = await asyncio.to_thread(lambda: list(self._collection.find().sort("created", -1)))
        return [Key(k["_id"], k["name"], k["scope"], k["created"], k["revoked"]) for k in found]

    async def revoke(self, prefix: str) -> None:
        """Close a key, named by what stands before its dot. Every replica knows within seconds."""
        prefix = prefix.partition(".")[0]
        done = await asyncio.to_thread(
            lambda: self._collection.update_one(
                {"_id": prefix, "revoked": None}, {"$set": {"revoked": now()}}
            )
        )
        if not done.matched_count:
            raise NotFound("unknown_key", f"no key {prefix} is in use: see `shop keys list`")
        self._known.clear()

    async def principal(self, bearer: str) -> Principal | None:
        """Whose key this is; `None` for one that does not open."""
        known = self._known.get(bearer)
        if known is not None and known[0] > time.monotonic():
            return known[1]
        principal = await asyncio.to_thread(self._look_up, bearer)
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        self._known[bearer] = (time.monotonic() + TRUSTED_FOR, principal)
        return principal

    def _look_up(self, bearer: str) -> Principal | None:
        prefix, _, secret = bearer.partition(".")
        found = self._collection.find_one({"_id": prefix, "revoked": None})
        if found is None or not hmac.compare_digest(found["hash"], _hash(secret)):
            return None
        return Principal(scope=found["scope"], name=found["name"])


def _hash(secret: str) -> str:
    # A secret of 256 random bits needs no slow hash: there is nothing to guess.
    return hashlib.sha256(secret.encode()).hexdigest()
