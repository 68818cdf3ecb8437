"""What the shop is measured beside: Starlette, pydantic and one call of MongoDB, nothing else.

`python -m bench.bare sync|async` serves it on a free port of loopback: `POST /orders` validates the
same body as the shop's and makes one `insert_one`; `GET /orders/{id}` reads one document by its id,
`GET /constant/{id}` says the same of each.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import uuid
from typing import Any

import uvicorn
from pydantic import ValidationError
from pymongo import AsyncMongoClient, MongoClient, WriteConcern
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ordering.contract import PlaceOrder

DATABASE = "bare"
DURABLE = WriteConcern("majority", j=True)


def application(variant: str, url: str) -> Starlette:
    """The endpoints on sync pymongo in the thread pool, or on the async client."""
    calls = Threaded(url) if variant == "sync" else Async(url)

    async def place(request: Request) -> Response:
        try:
            order = PlaceOrder.model_validate_json(await request.body())
        except ValidationError as error:
            return Response(error.json(), 422)
        id = uuid.uuid4().hex
        await calls.insert({"_id": id, **order.model_dump(exclude_none=True)})
        return Response(
            json.dumps({"order_id": id, "status": "pending"}), 201, media_type="application/json"
        )

    async def get(request: Request) -> Response:
        found = await calls.find(request.path_params["id"])
        if found is None:
            return Response(status_code=404)
        return Response(json.dumps(found), media_type="application/json")

    async def constant(request: Request) -> Response:
        return Response(b'{"status":"confirmed"}', media_type="application/json")

    return Starlette(
        routes=[
            Route("/orders", place, methods=["POST"]),
            Route("/orders/{id}", get),
            Route("/constant/{id}", constant),
        ]
    )


class Threaded:
    """Sync pymongo in Starlette's thread pool."""

    def __init__(self, url: str) -> None:
        client: MongoClient[dict[str, Any]] = MongoClient(url)
        self._orders = client[DATABASE].get_collection("orders", write_concern=DURABLE)

    async def insert(self, document: dict[str, Any]) -> None:
        """One durable insert."""
        await run_in_threadpool(self._orders.insert_one, document)

    async def find(self, id: str) -> dict[str, Any] | None:
        """One document."""
        return await run_in_threadpool(self._orders.find_one, {"_id": id})


class Async:
    """pymongo's own asyncio client."""

    def __init__(self, url: str) -> None:
        client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(url)
        self._orders = client[DATABASE].get_collection("orders", write_concern=DURABLE)

    async def insert(self, document: dict[str, Any]) -> None:
        """One durable insert."""
        await self._orders.insert_one(document)

    async def find(self, id: str) -> dict[str, Any] | None:
        """One document."""
        return await self._orders.find_one({"_id": id})


def main() -> None:
    """Serve until told to stop; says where on stderr."""
    bound = socket.create_server(("127.0.0.1", 0), backlog=2048)
    app = application(sys.argv[1], os.environ["SHOP_MONGODB_URL"])
    print(f"ready http://127.0.0.1:{bound.getsockname()[1]}", file=sys.stderr, flush=True)
    config = uvicorn.Config(
        app, loop="uvloop", http="httptools", ws="none", log_config=None, access_log=False
    )
    uvicorn.Server(config).run([bound])


if __name__ == "__main__":
    main()
