"""The keys that open the REST surface: shown once, kept as a hash, each with one scope and a
client's name."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import math
import re
import secrets
import time
from datetime import datetime
from typing import Any, NamedTuple

from pymongo.database import Database

from bus.messages import NotFound, Principal, Refused, now
from bus.mongo import durable
from bus.rest import SCOPES

TRUSTED_FOR = 3.0
"""Seconds for which the keys are not read again: the longest that a revoked one still opens."""

PAUSE = 0.1
"""Seconds between two readings, however many unknown keys are tried: who guesses waits, and costs
the database nothing."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\-]{0,79}")
_FORM = re.compile(r"(sk_[0-9a-f]{12})\.([A-Za-z0-9_-]{43})")


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
        self._open: dict[str, tuple[str, Principal]] = {}  # by prefix: the secret's hash, and whose
        self._read_at = -math.inf
        self._reading: asyncio.Task[None] | None = None

    async def create(self, name: str, scope: str) -> str:
        """A new key for a client; several keys of one name open the same orders. The only time it
        is shown."""
        if scope not in SCOPES:
            raise Refused("unknown_scope", f"there is no scope {scope}: choose {', '.join(SCOPES)}")
        if not _NAME.fullmatch(name):
            raise Refused(
                "unfit_name",
                f"{name!r} names no client: use 1 to 80 letters, digits, dots or dashes",
            )
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
        self._open.pop(prefix, None)

    async def principal(self, bearer: str) -> Principal | None:
        """Whose key this is; `None` for one that does not open."""
        form = _FORM.fullmatch(bearer)
        if form is None:
            return None
        prefix, secret = form.groups()
        asked = time.monotonic()
        if asked - self._read_at > TRUSTED_FOR or prefix not in self._open:
            await self._read_since(asked)
        found = self._open.get(prefix)
        if found is None or not hmac.compare_digest(found[0], _hash(secret)):
            return None
        return found[1]

    async def _read_since(self, asked: float) -> None:
        """Wait for a reading that began after `asked`; all who wait share it, and its failure."""
        while self._read_at < asked:
            if self._reading is None or self._reading.done():
                self._reading = asyncio.create_task(self._read())
                self._reading.add_done_callback(lambda done: done.cancelled() or done.exception())
            await asyncio.shield(self._reading)

    async def _read(self) -> None:
        await asyncio.sleep(self._read_at + PAUSE - time.monotonic())
        began = time.monotonic()
        found = await asyncio.to_thread(lambda: list(self._collection.find({"revoked": None})))
        self._open = {
            key["_id"]: (key["hash"], Principal(scope=key["scope"], name=key["name"]))
            for key in found
        }
        self._read_at = began


def _hash(secret: str) -> str:
    # A secret of 256 random bits needs no slow hash: there is nothing to guess.
    return hashlib.sha256(secret.encode()).hexdigest()
