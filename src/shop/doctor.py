"""`shop doctor`: is everything as it should be, and if not, what is to be done."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, NamedTuple

from pymongo.errors import PyMongoError
from redis import Redis
from redis.exceptions import RedisError

from bus.messages import now
from bus.mongo import connect
from bus.platform import Context
from shop.running import assembled
from shop.settings import Settings, listing

OVERDUE = timedelta(minutes=1)
"""How late a timer may fire before something is wrong."""

STUCK = timedelta(minutes=5)
"""How long an order may be on its way from one state to the next."""


class Finding(NamedTuple):
    """One line: its state is `ok`, `look` or `bad`."""

    state: str
    what: str
    detail: str
    do: str = ""


def examine(settings: Settings) -> list[Finding]:
    """Look at settings, servers and every context's work. Changes nothing."""
    findings = [Finding("ok", name, value) for name, value in listing(settings)]
    mongo = _mongo(settings)
    findings += [mongo, _redis(settings)]
    if mongo.state == "ok":
        findings += asyncio.run(_contexts(settings))
    return findings


def _mongo(settings: Settings) -> Finding:
    try:
        with connect(settings.mongodb_url or "") as client:
            hello = client.admin.command("hello")
            version = client.server_info()["version"]
    except PyMongoError as error:
        why = str(error).splitlines()[0][:160]
        return Finding("bad", "MongoDB", why, "start it, or correct SHOP_MONGODB_URL")
    if "setName" not in hello:
        return Finding(
            "bad", "MongoDB", "no replica set", "start it with --replSet and initiate it"
        )
    return Finding("ok", "MongoDB", f"{version}, replica set {hello['setName']}")


def _redis(settings: Settings) -> Finding:
    try:
        with Redis.from_url(settings.redis_url or "", socket_timeout=2) as client:
            version = client.info("server")["redis_version"]
    except (RedisError, OSError) as error:
        return Finding(
            "look",
            "Redis",
            f"{error}",
            "reads are slower without it: start it, or correct SHOP_REDIS_URL",
        )
    return Finding("ok", "Redis", str(version))


async def _contexts(settings: Settings) -> list[Finding]:
    contexts: dict[str, Context] = assembled(settings).platform().contexts

    def look() -> list[Finding]:
        return [finding for context in contexts.values() for finding in _context(context, contexts)]

    return await asyncio.to_thread(look)


def _context(context: Context, contexts: dict[str, Context]) -> Iterator[Finding]:
    database = context.database
    heads = {name: _head(other) for name, other in contexts.items()}
    yield Finding("ok", f"{context.name} log", f"{heads[context.name]} commits")
    for reader in database["readers"].find({"_id": {"$not": {"$regex": "timers$"}}}).sort("_id"):
        log = reader["_id"].partition("<")[2] or context.name
        lag = heads.get(log, 0) - reader["position"]
        state = "ok" if lag < 1000 else "look"
        do = "" if state == "ok" else "is `shop serve` or `shop work` running?"
        yield Finding(state, f"reader {reader['_id']}", f"{lag} behind", do)
    parked = database["parked"].count_documents({})
    if parked:
        yield Finding(
            "bad", f"{context.name} parked", f"{parked} events", "see the errors in the log"
        )
    overdue = database["timers"].count_documents({"due": {"$lt": now() - OVERDUE}})
    if overdue:
        yield Finding(
            "bad", f"{context.name} timers", f"{overdue} overdue", "is `shop serve` running?"
        )
    if context.name == "ordering":
        yield from _stuck(database)


def _stuck(database: Any) -> Iterator[Finding]:
    query = {
        "doc.updated_at": {"$lt": now() - STUCK},
        "$or": [
            {"doc.status": "cancelling"},
            {"doc.status": "pending", "doc.expires_at": {"$lt": now() - STUCK}},
            {"doc.status": "confirmed", "doc.fulfillment_status": "unfulfilled"},
            {
                "doc.status": "confirmed",
                "doc.payment_status": "authorized",  # which is captured once it has been shipped
                "doc.fulfillment_status": {"$in": ["shipped", "delivered"]},
            },
        ],
    }
    stuck = [found["_id"] for found in database["view_orders_v1"].find(query, {"_id": 1}).limit(20)]
    for order_id in stuck:
        yield Finding("bad", "stuck order", order_id, f"look at `shop orders history {order_id}`")
    if not stuck:
        yield Finding("ok", "orders", "none is stuck")


def _head(context: Context) -> int:
    last = context.log.collection.find_one({}, {"_id": 1}, sort=[("_id", -1)])
    return int(last["_id"]) if last else 0
