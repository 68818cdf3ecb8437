"""`shop doctor`: is everything as it should be, and if not, what is to be done."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from pymongo.errors import PyMongoError
from redis import Redis
from redis.exceptions import RedisError

from bus.console import lasting
from bus.context import Context
from bus.dispatch import Bus
from bus.messages import Address, Position, now
from bus.mongo import connect
from delivery.commands import ListWarehouses
from delivery.contract import Status
from maps.router import Unanswered
from shop import atlas
from shop import standing as work
from shop.figures import OVERDUE, STUCK, stuck
from shop.running import assembled
from shop.settings import Settings, listing, strangers
from shop.webhooks.endpoint import FAILING, GONE
from shop.webhooks.notices import Notices
from shop.webhooks.registry import Registry

NOWHERE = Position(lat=0, lon=0)
"""In the sea. A router answers, and be it that no road leads there."""

SOMEWHERE = Address(
    house_number="1", road="Peter-Kaiser-Platz", district="Vaduz", postcode="9490", country="LI"
)
"""A parliament. A geocoder answers, and be it that it knows of no such house."""

SOME = 25
"""Warehouses that are looked for on the router's map."""

FOLLOWED_UP = timedelta(hours=6)
"""How long after a failed attempt somebody has decided what comes next."""

UNHEARD_OF = timedelta(days=1)
"""How long a carrier may say nothing of what is to be under way."""

ON_THE_WAY: tuple[Status, ...] = ("picked_up", "en_route", "arrived")
IN_THE_HOUSE: tuple[Status, ...] = ("scheduled", "assigned", "rescheduled")

HALF_SENT = timedelta(days=1)
"""How long a part of an order may wait for its carrier when another has left, and all is paid."""


class Finding(NamedTuple):
    """One line: its state is `ok`, `look` or `bad`."""

    state: str
    what: str
    detail: str
    do: str = ""


def examine(settings: Settings) -> list[Finding]:
    """Look at settings, servers and every context's work. Changes nothing."""
    findings = [Finding("ok", name, value) for name, value in listing(settings)]
    findings += [
        Finding("look", name, what, "correct its name, or leave it out")
        for name, what in strangers().items()
    ]
    mongo = _mongo(settings)
    findings += [mongo, _redis(settings)]
    if settings.jwt_jwks is not None:
        findings.append(asyncio.run(_issuer(settings.jwt_jwks)))
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


async def _roads(settings: Settings, bus: Bus) -> Finding:
    """Whether the router answers, and has heard of the warehouses."""
    router = atlas.router_outside(settings)
    if router is None:
        return Finding("ok", "router", "built in")
    warehouses = (await bus.ask(ListWarehouses()))[:SOME]
    places = [warehouse.position for warehouse in warehouses] or [NOWHERE]
    began = time.monotonic()
    try:
        answers = await asyncio.gather(*(router.matrix((here,), (here,)) for here in places))
    except Unanswered as error:
        do = "start it, or correct what is set of it; until then the straight way is taken"
        return Finding("look", "router", str(error), do)
    finally:
        await router.close()
    for warehouse, answer in zip(warehouses, answers, strict=False):
        if answer == ((None,),):
            detail = f"{router.name} knows no road near the warehouse {warehouse.warehouse_id}"
            return Finding("bad", "router", detail, "give it a map of where the shop delivers")
    return Finding("ok", "router", f"{router.name} answers{_after(began)}")


async def _doors(settings: Settings, database: Any) -> Finding:
    """Whether the geocoder answers."""
    geocoder = atlas.geocoder_outside(settings, database)
    if geocoder is None:
        return Finding("ok", "geocoder", "built in")
    began = time.monotonic()
    try:
        await geocoder.locate(SOMEWHERE)
    except Unanswered as error:
        do = "start it, or correct what is set of it; until then the middle of a town is taken"
        return Finding("look", "geocoder", str(error), do)
    finally:
        await geocoder.close()
    return Finding("ok", "geocoder", f"{geocoder.name} answers{_after(began)}")


def _after(began: float) -> str:
    return f" after {(time.monotonic() - began) * 1000:.0f} ms"


async def _issuer(source: str) -> Finding:
    """Whether tokens can be verified."""
    from shop.issuer import MIN_RSA_BITS, WITHIN, fetch_from, usable

    try:
        async with asyncio.timeout(WITHIN):
            keys = usable(await fetch_from(source)())
    except (OSError, TimeoutError, ValueError) as error:
        why, do = str(error) or "no answer in time", "correct SHOP_JWT_JWKS, or see to its server"
        return Finding("bad", "issuer's keys", why[:160], do)
    if not keys:
        do = f"let it publish an RSA key of {MIN_RSA_BITS} bits, one on P-256 or an Ed25519 one"
        return Finding("bad", "issuer's keys", "none that tokens may be signed with", do)
    return Finding("ok", "issuer's keys", ", ".join(keys))


async def _contexts(settings: Settings) -> list[Finding]:
    shop = assembled(settings)
    platform = shop.platform()

    def look() -> list[Finding]:
        found = [_reader(standing) for standing in work.standings(platform)]
        for context in platform.contexts.values():
            found += _context(context)
        return found

    maps = [await _roads(settings, platform.bus), await _doors(settings, shop.map_room())]
    webhooks = await _webhooks(platform.contexts["webhooks"])
    return [*maps, *await asyncio.to_thread(look), *webhooks]


def _reader(standing: work.Standing) -> Finding:
    detail = f"{standing.behind} behind"
    if standing.behind:
        detail += f", for {lasting(standing.late)}, {standing.state}"
    state = "ok" if not standing.do else "bad" if standing.state == work.STUCK else "look"
    return Finding(state, f"reader {standing.reader}", detail, standing.do)


def _context(context: Context) -> Iterator[Finding]:
    database = context.database
    yield Finding("ok", f"{context.name} log", f"{work.head(context)} commits")
    parked = database["parked"].count_documents({})
    if parked:
        streams = "1 stream" if parked == 1 else f"{parked} streams"
        yield Finding("bad", f"{context.name} parked", streams, "see `shop parked list`")
    overdue = database["timers"].count_documents({"due": {"$lt": now() - OVERDUE}})
    if overdue:
        yield Finding(
            "bad",
            f"{context.name} timers",
            f"{overdue} overdue",
            "see `shop timers`; is `shop serve` running?",
        )
    views = {documents.view.name: documents.collection for documents in context.views}
    if "orders" in views:
        yield from _stuck(views["orders"])
    if "deliveries" in views:
        yield from _undelivered(views["deliveries"])
    if "returns" in views:
        yield from _returns(views["returns"])
    if "payments" in views:
        yield from _in_trouble(views["payments"])


def _undelivered(deliveries: Any) -> Iterator[Finding]:
    """Deliveries that nobody seems to look after."""
    for what, query, do in undelivered(now()):
        for found in deliveries.find(query, {"doc.carrier": 1}).limit(20):
            who = f"{found['_id']}, with {found['doc']['carrier']}"
            yield Finding("look", what, who, do.format(id=found["_id"]))


def undelivered(at: datetime) -> Iterator[tuple[str, dict[str, Any], str]]:
    """What may be wrong with a delivery, which of them those are, and what is to be done."""
    anew = "`shop deliveries reschedule {id}`"
    speak = "or say what has become of it: `shop deliveries checkpoint {id}`"
    pending = {"doc.status": "pending"}
    yield "delivery without a time", pending, f"say when it is to be brought: {anew}"
    lost = {"doc.status": {"$in": [*IN_THE_HOUSE]}, "doc.slot_lost": {"$ne": None}}
    yield "lost slot", lost, f"agree on another time with the buyer: {anew}"
    failed = {"doc.status": "attempt_failed", "doc.since": {"$lt": at - FOLLOWED_UP}}
    yield "failed delivery", failed, f"choose another time: {anew}, {speak}"
    silent = {"doc.status": {"$in": [*ON_THE_WAY]}, "doc.since": {"$lt": at - UNHEARD_OF}}
    yield "silent delivery", silent, f"ask the carrier, {speak}"
    late = {"doc.status": {"$in": [*IN_THE_HOUSE]}, "doc.slot.to": {"$lt": at - UNHEARD_OF}}
    yield "late delivery", late, f"ask the carrier, choose another time: {anew}, {speak}"


async def _webhooks(home: Context) -> list[Finding]:
    """Endpoints that the shop has disabled, and messages that were not taken."""
    notices, findings = Notices(home.database), []
    for id, endpoint in (await Registry(home.streams).newest()).items():
        what, see = f"webhooks to {id}", f"see `shop webhooks deliveries --endpoint {id}`"
        if endpoint.disabled in (GONE, FAILING):
            do = f"{see}; then enable or remove it"
            findings.append(Finding("look", what, f"disabled: {endpoint.disabled}", do))
        if failed := await notices.count(id, "failed"):
            do = f"once it answers: `shop webhooks redeliver --endpoint {id} --failed`"
            findings.append(Finding("look", what, f"messages given up: {failed}", do))
        if late := await notices.count(id, "waiting", attempts=2):
            findings.append(Finding("look", what, f"messages not taken so far: {late}", see))
    return findings


def _returns(returns: Any) -> Iterator[Finding]:
    """Returns that are not paid for though the goods are back, or that wait for a person."""
    owed = {"doc.status": "received", "doc.updated_at": {"$lt": now() - STUCK}}
    for found in returns.find(owed, {"_id": 1}).limit(20):
        do = f"look at `shop returns show {found['_id']}` and `shop payments list`"
        yield Finding("bad", "unpaid return", found["_id"], do)
    waiting = returns.count_documents({"doc.status": "requested"})
    if waiting:
        do = "see `shop returns list --status requested`"
        yield Finding("look", "returns", f"{waiting} to approve or reject", do)
    here = returns.count_documents({"doc.status": "approved", "doc.pickup.status": "arrived"})
    if here:
        do = "look at the goods, then `shop returns receive`; `shop returns list --status approved`"
        yield Finding("look", "returns", f"{here} fetched and to be received", do)


def _in_trouble(payments: Any) -> Iterator[Finding]:
    """Payments that a person may have to look at."""
    unknown = payments.count_documents({"doc.trouble": "unknown"})
    if unknown:
        do = "they are asked again for some hours; see `shop payments list --unknown`"
        yield Finding("look", "payments", f"{unknown} whose outcome nobody knows", do)
    failed = payments.count_documents({"doc.trouble": "failed"})
    if failed:
        do = "see `shop payments list --failed`"
        yield Finding("bad", "payments", f"{failed} that the gateway declined too late", do)


def _stuck(orders: Any) -> Iterator[Finding]:
    found = [order["_id"] for order in orders.find(stuck(now()), {"_id": 1}).limit(20)]
    for order_id in found:
        yield Finding("bad", "stuck order", order_id, f"look at `shop orders history {order_id}`")
    if not found:
        yield Finding("ok", "orders", "none is stuck")
    half_sent = {
        "doc.status": "confirmed",
        "doc.fulfillment_status": "shipped",
        "doc.shipments.status": "scheduled",
        "doc.updated_at": {"$lt": now() - HALF_SENT},
    }
    for order in orders.find(half_sent, {"_id": 1}).limit(20):
        do = f"ask who is to bring the rest: `shop orders show {order['_id']}`"
        yield Finding("look", "half sent order", order["_id"], do)
