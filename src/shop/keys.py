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
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from pymongo.client_session import ClientSession
from pymongo.database import Database

from bus.messages import NotFound, Principal, Refused, now
from bus.mongo import Document, durable
from bus.rest import SCOPES
from bus.tasks import in_thread
from shop.uses import Uses

TRUSTED_FOR = 3.0
"""Seconds for which the keys are not read again: the longest that a revoked one still opens."""

PAUSE = 0.1
"""Seconds between two readings, however many unknown keys are tried: who guesses waits, and costs
the database nothing."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\-]{0,79}")  # no colon: those are of other doors
_FORM = re.compile(r"(sk_[0-9a-f]{12})\.([A-Za-z0-9_-]{43})")


class Key(NamedTuple):
    """A key as it is listed: never the secret."""

    prefix: str
    name: str
    scope: str
    created: datetime
    last_used: datetime | None
    """When it last opened something, to the minute."""
    expires: datetime | None
    revoked: datetime | None
    successor: str | None
    """The prefix of the key that takes its place."""

    def opens(self, at: datetime) -> bool:
        """Whether it is good for anything then."""
        return self.revoked is None and (self.expires is None or at < self.expires)


class Made(NamedTuple):
    """A new key, and the only time that it is shown."""

    key: str
    name: str
    scope: str
    created: datetime
    expires: datetime | None
    replaces: str | None = None
    """The prefix of the key whose place it takes."""
    closes: datetime | None = None
    """When that one closes."""


class _Open(NamedTuple):
    """What is remembered of a key that opens."""

    hash: str
    principal: Principal
    until: float  # seconds since 1970


class Keys:
    """The keys of a shop, in the `keys` collection of its own database."""

    def __init__(self, database: Database[Document]) -> None:
        self._collection = durable(database["keys"])
        self._uses = Uses(self._collection)
        self._open: dict[str, _Open] = {}  # by prefix
        self._read_at = -math.inf
        self._reading: asyncio.Task[None] | None = None

    async def create(self, name: str, scope: str, lifetime: timedelta | None = None) -> str:
        """A new key for a client; several keys of one name open the same orders."""
        return (await self.make(name, scope, lifetime)).key

    async def make(self, name: str, scope: str, lifetime: timedelta | None = None) -> Made:
        """As `create`, with all there is to know of it. Refuses what is no name or no scope."""
        if scope not in SCOPES:
            raise Refused("unknown_scope", f"there is no scope {scope}: choose {', '.join(SCOPES)}")
        if not _NAME.fullmatch(name):
            raise Refused(
                "unfit_name",
                f"{name!r} names no client: use 1 to 80 letters, digits, dots or dashes",
            )
        document, made = _new(name, scope, lifetime)
        await in_thread(lambda: self._collection.insert_one(document))
        return made

    async def rotate(self, which: str, keep: timedelta, lifetime: timedelta | None = None) -> Made:
        """A new key in the place of one, which is named by its prefix, or by its client's name if
        that has no other; the old one opens for as long as is kept.

        The new one lives as long as the old one was to, unless a `lifetime` says otherwise. Both
        are written at once or neither is.
        """

        def replace(session: ClientSession) -> Made:
            kept = {
                each["_id"]: each
                for each in self._collection.find({"revoked": None}, session=session)
            }
            old = _to_replace(which, map(_key, kept.values()))
            document, made = _new(old.name, old.scope, lifetime or _lifetime(kept[old.prefix]))
            closes = made.created + keep
            if old.expires is not None:
                closes = min(closes, old.expires)
            change = {"expires": closes, "successor": document["_id"]}
            self._collection.update_one({"_id": old.prefix}, {"$set": change}, session=session)
            self._collection.insert_one(document, session=session)
            return made._replace(replaces=old.prefix, closes=closes)

        def transact() -> Made:
            with self._collection.database.client.start_session() as session:
                return session.with_transaction(replace)

        return await in_thread(transact)

    async def list(self) -> list[Key]:
        """All keys, the newest first."""
        found = await in_thread(lambda: list(self._collection.find().sort("created", -1)))
        return [_key(each) for each in found]

    async def revoke(self, prefix: str) -> None:
        """Close a key, named by what stands before its dot. Every replica knows within seconds."""
        prefix = prefix.partition(".")[0]
        done = await in_thread(
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
        if found is None or not hmac.compare_digest(found.hash, _hash(secret)):
            return None
        at = time.time()
        if at >= found.until:
            return None
        self._uses.note(prefix, at)
        return found.principal

    async def close(self) -> None:
        """Write down when the keys were last used."""
        await self._uses.close()

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
        wanted = {"revoked": None, "expires": {"$not": {"$lte": now()}}}
        found = await asyncio.to_thread(lambda: list(self._collection.find(wanted)))
        self._open = {
            each["_id"]: _Open(
                each["hash"],
                Principal(scope=each["scope"], name=each["name"]),
                until.timestamp() if (until := each.get("expires")) else math.inf,
            )
            for each in found
        }
        self._read_at = began


def _new(name: str, scope: str, lifetime: timedelta | None) -> tuple[Document, Made]:
    """A new key: what is kept of it, and what is shown once."""
    prefix, secret = f"sk_{secrets.token_hex(6)}", secrets.token_urlsafe(32)
    created = now()
    expires = None if lifetime is None else created + lifetime
    document = {
        "_id": prefix,
        "name": name,
        "scope": scope,
        "hash": _hash(secret),
        "created": created,
        "expires": expires,
        "lifetime": None if lifetime is None else lifetime.total_seconds(),
        "revoked": None,
    }
    return document, Made(f"{prefix}.{secret}", name, scope, created, expires)


def _key(document: Document) -> Key:
    """A key as it is kept; older releases did not write all of it."""
    fields: dict[str, Any] = {name: document.get(name) for name in Key._fields}
    return Key(**{**fields, "prefix": document["_id"]})


def _lifetime(document: Document) -> timedelta | None:
    """How long a key was to live when it was made: a rotation has let it expire sooner."""
    seconds = document.get("lifetime")
    return None if seconds is None else timedelta(seconds=seconds)


def _to_replace(which: str, unrevoked: Iterable[Key]) -> Key:
    """The key that is meant by a prefix or by a client's name, among those that are open and that
    no other open one replaces."""
    at = now()
    opens = {key.prefix: key for key in unrevoked if key.opens(at)}
    prefix = which.partition(".")[0]
    named = [key for key in opens.values() if key.prefix == prefix or key.name == which]
    meant = [key for key in named if key.successor not in opens]
    match meant:
        case [key]:
            return key
        case []:
            raise NotFound(
                "unknown_key",
                f"{which} is neither a client that has a key in use nor the prefix of one that"
                " waits for no other: see `shop keys list`",
            )
        case _:
            raise Refused(
                "several_keys",
                f"{which} has {len(meant)} keys: name one of"
                f" {', '.join(f'{key.prefix} ({key.scope})' for key in meant)}",
            )


def _hash(secret: str) -> str:
    # A secret of 256 random bits needs no slow hash: there is nothing to guess.
    return hashlib.sha256(secret.encode()).hexdigest()
