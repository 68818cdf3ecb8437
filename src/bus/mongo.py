"""How this project talks to MongoDB: majority or nothing, UTC, and mongomock where a test says
so."""

from __future__ import annotations

import struct
from typing import Any

import bson
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient, ReadPreference, WriteConcern
from pymongo.collection import Collection
from pymongo.read_concern import ReadConcern

MAJORITY = WriteConcern("majority", j=True)

Document = dict[str, Any]

_HEAD = struct.Struct("<i5sq")  # a document's size, then an int64 named _id
_ID_BYTES = 13


def connect(url: str) -> MongoClient[Document]:
    """A client that gives up on a silent server in seconds and says so, rather than waiting for
    ever."""
    return MongoClient(
        url,
        tz_aware=True,
        appname="storefold",
        serverSelectionTimeoutMS=5_000,
        # A primary that falls silent is found out when a heartbeat is overdue for as long as a
        # connection may take: after 5 s, not after the driver's usual 13. What hangs on it is then
        # interrupted, and done again on the new one.
        heartbeatFrequencyMS=2_000,
        connectTimeoutMS=3_000,
        # A server that lives may take this long, say when it cannot reach a majority.
        socketTimeoutMS=20_000,
    )


def durable(collection: Collection[Document]) -> Collection[Document]:
    """The collection, written to a majority's journal and read as a majority has it."""
    if not isinstance(collection, Collection):  # mongomock, which knows no concerns
        return collection
    return collection.with_options(
        write_concern=MAJORITY,
        read_concern=ReadConcern("majority"),
        read_preference=ReadPreference.PRIMARY,
    )


def numbered(collection: Collection[Document], number: int, body: bytes) -> Any:
    """An encoded document under a number as its `_id`, to insert: encoded once, numbered any time.

    The bytes are those of the BSON specification; mongomock wants to see a dict.
    """
    if not isinstance(collection, Collection):
        return {"_id": number, **bson.decode(body)}
    return RawBSONDocument(_HEAD.pack(len(body) + _ID_BYTES, b"\x12_id\x00", number) + body[4:])
