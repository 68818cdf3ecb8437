"""The endpoints as this process knows them, and their secrets.

Endpoints are events; their secrets are not, for what stands in a log is shown and stays. They lie
beside it, each under an id that the events name.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from pymongo.database import Database

from bus.messages import new_id
from bus.mongo import durable
from bus.streams import Kind, Streams
from bus.tasks import in_thread
from shop.webhooks import endpoint as endpoints
from shop.webhooks.endpoint import Endpoint, Endpoints

ALL = Kind("endpoints", endpoints.evolve)("all")
"""The one stream of all endpoints."""

BYTES = 32
"""Of a secret."""


class Registry:
    """Who is told."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams

    async def known(self) -> Endpoints:
        """All of them, as this process has heard."""
        return (await self._streams.load(ALL)).state or {}

    async def newest(self) -> Endpoints:
        """All of them, as MongoDB has it now: one that was added before this is among them."""
        return (await self._streams.newest(ALL)).state or {}

    async def find(self, endpoint_id: str) -> Endpoint:
        """One of them, as MongoDB has it now; refused with `unknown_endpoint`."""
        return endpoints.find(await self.newest(), endpoint_id)


class Secrets:
    """The secrets of endpoints, in the `secrets` collection of the context's database."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._collection = durable(database["secrets"])
        self._known: dict[str, str] = {}  # by id; a secret never changes

    async def make(self, endpoint_id: str) -> str:
        """The id of a fresh one. Whoever dies before an event names it leaves one that signs
        nothing."""
        id = new_id()
        secret = "whsec_" + base64.b64encode(secrets.token_bytes(BYTES)).decode()
        document = {"_id": id, "endpoint": endpoint_id, "secret": secret}
        await in_thread(lambda: self._collection.insert_one(document))
        return id

    async def signing(self, endpoint: Endpoint, now: datetime) -> list[str]:
        """Those that sign what an endpoint is told at this moment, the newest first, as the
        specification writes them."""
        ids = endpoint.signs_with(now)
        if missing := [id for id in ids if id not in self._known]:
            self._known |= await self._read(missing)
        return [self._known[id] for id in ids]

    async def forget(self, endpoint_id: str) -> None:
        """Those of an endpoint that is no more."""
        await in_thread(lambda: self._collection.delete_many({"endpoint": endpoint_id}))

    async def _read(self, ids: Iterable[str]) -> dict[str, str]:
        wanted = {"_id": {"$in": list(ids)}}
        found = await in_thread(lambda: list(self._collection.find(wanted)))
        return {each["_id"]: each["secret"] for each in found}
