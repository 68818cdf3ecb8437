"""The keys under which personal data is sealed: one for each person, in a collection of their own.

Whoever is to be forgotten gets a new key first; once nobody can be sealing with the old one any
more, that is deleted, and what it sealed is gone for good, in the log and in every backup of it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple, TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pymongo import ASCENDING
from pymongo.database import Database
from pymongo.errors import BulkWriteError

from bus.messages import Busy, now
from bus.mongo import Document, durable
from bus.personal import ID_BYTES, MARK, Seal, id_of
from bus.tasks import in_thread

K = TypeVar("K")
V = TypeVar("V")

TRUSTED_FOR = 3.0
"""Seconds for which a key is sealed with before it is looked at again."""

REMEMBERED = 50_000
"""Keys kept in memory, for sealing and as many for opening."""

KEY_BYTES, NONCE_BYTES = 32, 12

FETCHED = 256
"""Nonces fetched at a time."""

DUPLICATE = 11000


class Key(NamedTuple):
    """A key at work, and until when it is trusted to be the latest."""

    id: bytes
    key: bytes
    until: float


class Keyring:
    """The keys of all persons, in the `keys` collection of a database of their own. Its dicts are
    shared with threads: no step of theirs depends on another."""

    def __init__(self, database: Database[Document]) -> None:
        self._collection = durable(database["keys"])
        self._sealing: dict[str, Key] = {}
        self._opening: dict[bytes, bytes | None] = {}

    def make_indexes(self) -> None:
        """Create what opening needs. Blocks."""
        self._collection.create_index([("id", ASCENDING)])
        self._collection.create_index([("old.id", ASCENDING)], sparse=True)

    def sealers(self, whose: Collection[str]) -> dict[str, Seal]:
        """What seals for each of these persons; who has no key gets one. Blocks; raises `Busy` when
        the answer came too late to be trusted, or is not a majority's yet."""
        keys = {each: key for each in whose if (key := self._sealing.get(each)) is not None}
        if old := [e for e in whose if e not in keys or time.monotonic() > keys[e].until]:
            keys |= self._fetch(old)
        at = time.monotonic()
        if any(each not in keys or at > keys[each].until for each in whose):
            raise Busy("the keys that seal what is personal cannot be looked up in time")
        return {each: sealing(key) for each, key in keys.items()}

    def open(self, sealed: bytes) -> bytes | None:
        """What was sealed; `None` when its key is gone. Blocks where the key is not at hand; raises
        `ValueError` for what was tampered with."""
        id, rest = id_of(sealed), sealed[len(MARK) + ID_BYTES :]
        try:
            key = self._opening[id]
        except KeyError:
            key = self._look_up([id])[id]
        if key is None:
            return None
        try:
            return AESGCM(key).decrypt(rest[:NONCE_BYTES], rest[NONCE_BYTES:], id)
        except InvalidTag:
            raise ValueError("it is not as it was sealed: somebody has changed it") from None

    def prepare(self, ids: Collection[bytes]) -> None:
        """Have the keys at hand that opening needs, all in one look. Blocks."""
        if wanted := [id for id in ids if id not in self._opening]:
            self._look_up(wanted)

    def _look_up(self, wanted: list[bytes]) -> dict[bytes, bytes | None]:
        found = self._collection.find(
            {"$or": [{"id": {"$in": wanted}}, {"old.id": {"$in": wanted}}]}
        )
        keys = {key["id"]: key["key"] for each in found for key in (each, *each.get("old", ()))}
        opening = {id: keys.get(id) for id in wanted}
        self._keep(self._opening, opening)
        return opening

    def forget(self) -> None:
        """Look at every key again before it is used again."""
        self._sealing.clear()
        self._opening.clear()

    async def renew(self, whose: str) -> bool:
        """Give a person a new key, beside the old ones; whether there was any."""
        fresh = {"id": os.urandom(ID_BYTES), "key": os.urandom(KEY_BYTES), "since": now()}
        change: list[Document] = [
            {
                "$set": {
                    "old": {
                        "$concatArrays": [
                            {"$ifNull": ["$old", []]},
                            [{"id": "$id", "key": "$key", "since": "$since"}],
                        ]
                    },
                }
            },
            {"$set": fresh},
        ]
        done = await in_thread(lambda: self._collection.update_one({"_id": whose}, change))
        self.forget()
        return bool(done.matched_count)

    async def delete_old(self, whose: str) -> None:
        """Delete the keys that a person had before the last one: what they sealed is gone."""
        await in_thread(
            lambda: self._collection.update_one({"_id": whose}, {"$unset": {"old": ""}})
        )
        self.forget()

    def _fetch(self, whose: Iterable[str]) -> dict[str, Key]:
        until = time.monotonic() + TRUSTED_FOR
        found = self._found_or_made(list(dict.fromkeys(whose)))
        keys = {each["_id"]: Key(each["id"], each["key"], until) for each in found}
        self._keep(self._sealing, keys)
        self._keep(self._opening, {key.id: key.key for key in keys.values()})
        return keys

    def _found_or_made(self, whose: list[str]) -> list[Document]:
        query = {"_id": {"$in": whose}}
        found = list(self._collection.find(query))
        if missing := set(whose) - {each["_id"] for each in found}:
            fresh = [
                {
                    "_id": each,
                    "id": os.urandom(ID_BYTES),
                    "key": os.urandom(KEY_BYTES),
                    "since": now(),
                }
                for each in sorted(missing)
            ]
            try:
                self._collection.insert_many(fresh, ordered=False)
            except BulkWriteError as error:  # another process was faster with some of them
                failures: Any = error.details["writeErrors"]
                if {failure["code"] for failure in failures} != {DUPLICATE}:
                    raise
                return list(self._collection.find(query))
            found += fresh
        return found

    @staticmethod
    def _keep(keys: dict[K, V], more: Mapping[K, V]) -> None:
        if len(keys) + len(more) > REMEMBERED:
            keys.clear()
        keys.update(more)


class Nonces:
    """Random nonces, each given once, whichever thread asks. (They are fetched many at a time: one
    by one, the system's random numbers were a tenth of what placing an order costs.)"""

    def __init__(self) -> None:
        self._left: list[bytes] = []
        os.register_at_fork(after_in_child=self._left.clear)  # else the child would give them too

    def take(self) -> bytes:
        """One that nobody has had."""
        try:
            return self._left.pop()
        except IndexError:
            fresh = os.urandom(NONCE_BYTES * FETCHED)
            one, *more = (fresh[at : at + NONCE_BYTES] for at in range(0, len(fresh), NONCE_BYTES))
            self._left += more
            return one


NONCES = Nonces()


def sealing(key: Key) -> Seal:
    """What seals with this key."""

    def seal(plain: bytes) -> bytes:
        nonce = NONCES.take()
        return MARK + key.id + nonce + AESGCM(key.key).encrypt(nonce, plain, key.id)

    return seal
