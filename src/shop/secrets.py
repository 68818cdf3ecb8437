"""The keys that the shop signs with: made once, kept in its own database, the same on every
replica."""

from __future__ import annotations

import secrets
from typing import Any

from pymongo import ReturnDocument
from pymongo.database import Database

from bus.mongo import durable

SIGNING = "signing"

BYTES = 32


def signing_keys(database: Database[dict[str, Any]]) -> list[bytes]:
    """The keys that tokens are signed with, the newest last; the first who asks makes one. Blocks.

    Two who ask first at once agree: only one of them makes the document.
    """
    made = {"$setOnInsert": {"keys": [secrets.token_bytes(BYTES)]}}
    found: Any = durable(database["secrets"]).find_one_and_update(
        {"_id": SIGNING}, made, upsert=True, return_document=ReturnDocument.AFTER
    )
    return [bytes(key) for key in found["keys"]]
