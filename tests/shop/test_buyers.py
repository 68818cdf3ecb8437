"""What a shop knows of a buyer: all of it is told to who asks, and nobody reads it once erased."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import bson
import pytest
from pymongo import MongoClient
from redis.asyncio import Redis

from bus.messages import Busy, Money, Refused
from payment.balance_commands import CreditBuyer
from payment.contract import GetBalance
from shop import embedded
from shop.buyers import Nobody, erase, exported
from shop.running import assembled
from shop.settings import Settings
from tests.shop.clients import DOOR, Body, Client, Running, completed
from tests.waiting import eventually

T = TypeVar("T")


@pytest.fixture
def canary() -> str:
    """Words that stand nowhere else."""
    return f"Canary{uuid4().hex[:10]}"


def home(canary: str) -> Body:
    """Where the buyer lives."""
    return {**DOOR, "road": f"{canary} Lane", "house_number": f"{canary} 7"}


@pytest.fixture
def buyer() -> str:
    """Somebody nobody has heard of."""
    return f"buyer-{uuid4().hex[:10]}"


@pytest.fixture
def failed_at(shop: Running) -> Iterator[Callable[[str, str], None]]:
    """Has a reader have failed at a stream, with an error that quotes what was in an event."""
    kept = []

    def failed(stream: str, error: str) -> None:
        database = shop.platform.contexts[stream.partition("-")[0]].database
        told = {"reader": "nobody's", "stream": stream, "error": error, "traceback": f"... {error}"}
        for collection in (database["parked"], database["skipped"]):
            collection.insert_one({**told})
            kept.append(collection)

    yield failed
    for collection in kept:
        collection.delete_many({"reader": "nobody's"})


@pytest.fixture
async def other(shop: Running, servers: embedded.Servers, tmp_path: Path) -> AsyncIterator[Running]:
    """Another replica of the same shop."""
    parts = assembled(
        Settings(
            _env_file=None,
            data_dir=tmp_path,
            mongodb_url=servers.mongodb_url,
            redis_url=servers.redis_url,
            mongodb_prefix=prefix_of(shop),
        )
    )
    await parts.platform().start(work=True)
    yield Running(shop.app, parts.platform(), parts.keys(), parts.endpoints())
    await parts.platform().stop()
    await parts.redis().aclose()
    parts.mongo().close()


def prefix_of(shop: Running) -> str:
    name: str = shop.platform.contexts["ordering"].database.name
    return name.removesuffix("_ordering")


async def places_of(
    canary: str, shop: Running, mongo: MongoClient[dict[str, Any]], redis_url: str
) -> list[str]:
    """Where these words stand: in which collections, and under which names in Redis."""
    prefix = prefix_of(shop)
    found = [
        f"{name}.{collection}"
        for name in mongo.list_database_names()
        if name.startswith(prefix)
        for collection in mongo[name].list_collection_names()
        if any(canary.encode() in bson.encode(each) for each in mongo[name][collection].find())
    ]
    async with Redis.from_url(redis_url) as redis:
        kept = [key async for key in redis.scan_iter(f"{prefix}:*", _type="string")]
        values = await redis.mget(kept) if kept else []
    named = zip(kept, values, strict=True)
    return found + [key.decode() for key, value in named if canary.encode() in (value or b"")]


async def sent_back(web: Client, carrier: Client, buyer: str, canary: str) -> Body:
    """An order whose buyer has told a lot, and sent a piece back."""
    payment = {"method": "card", "token": "pm_card_visa"}
    order = await completed(web, carrier, buyer_id=buyer, destination=home(canary), payment=payment)
    path = f"/v1/orders/{order['order_id']}/returns"
    mug = {"items": [{"sku": "MUG-BLUE", "quantity": 1}], "reason": f"{canary} dropped it"}
    answer = await web.post(path, {**mug, "pickup": {}})
    assert answer.status_code == 201, answer.text
    pickup = f"{path}/{answer.json()['return_id']}/pickup"
    await eventually(lambda: there(web, pickup))
    return order


async def patiently(work: Callable[[], Awaitable[T]]) -> T:
    """What comes of it, as soon as the lists are up to date, on however busy a machine."""

    async def tried() -> Any:
        try:
            return [await work()]
        except Busy:
            return []

    found: list[T] = await eventually(tried)
    return found[0]


async def there(web: Client, path: str) -> Any:
    return (await web.get(path)).status_code == 200


async def brought_home(web: Client, carrier: Client, buyer: str, canary: str) -> Body:
    """An order whose carrier has told a lot."""
    placed = await web.placed(buyer_id=buyer, destination=home(canary))
    order = await web.becomes(placed, fulfillment_status="scheduled")
    path = f"/v1/deliveries/{order['delivery_id']}/checkpoints"
    told: list[Body] = [
        {"status": "picked_up", "note": f"for {canary}"},
        {"status": "delivered", "proof": {"name": canary, "note": f"{canary} was there"}},
    ]
    for body in told:
        answer = await carrier.post(path, {**body, "position": home(canary)["position"]})
        assert answer.status_code == 200, answer.text
    return await web.becomes(order, status="completed")


async def test_a_buyer_is_told_everything(
    shop: Running, web: Client, carrier: Client, buyer: str, canary: str
) -> None:
    order = await sent_back(web, carrier, buyer, canary)
    found = await patiently(lambda: exported(shop.platform, buyer))
    json.dumps(found)
    (known,) = found["orders"]
    assert known["order"]["order_id"] == order["order_id"]
    assert known["order"]["destination"] == home(canary)
    assert known["returns"][0]["reason"] == f"{canary} dropped it"
    assert known["payment"]["payment_id"] == order["payment_id"]
    delivery, pickup = known["deliveries"]
    assert delivery["destination"] == home(canary)
    assert pickup["origin"] == home(canary)
    types = [happening["type"] for happening in known["history"]]
    assert types[0] == "ordering.OrderPlaced"
    assert "ordering.OrderCompleted" in types


async def test_nobody_reads_what_is_erased_and_totals_stay(
    shop: Running,
    other: Running,
    web: Client,
    carrier: Client,
    buyer: str,
    canary: str,
    failed_at: Callable[[str, str], None],
    mongo: MongoClient[dict[str, Any]],
    servers: embedded.Servers,
) -> None:
    token = f"pm_{canary}_{uuid4().hex[:6]}"
    placed = await web.placed(
        buyer_id=buyer, destination=home(canary), payment={"method": "card", "token": token}
    )
    assert placed["payment_status"] == "declined"
    path = f"/v1/orders/{placed['order_id']}"
    answer = await web.post(f"{path}/cancel", {"reason": f"{canary} moved"}, prefer="wait=15")
    cancelled = answer.json()
    assert (cancelled["status"], cancelled["reason"]) == ("cancelled", f"{canary} moved")
    assert (await web.get(path)).json()["destination"] == home(canary)  # and so it is cached
    brought = await brought_home(web, carrier, buyer, canary)
    failed_at(f"payment-{placed['payment_id']}", f"no token: {token}")
    failed_at(f"delivery-{brought['delivery_id']}", f"no road: {canary} Lane")
    before = await patiently(lambda: exported(other.platform, buyer))
    assert {each["order"]["destination"]["road"] for each in before["orders"]} == {f"{canary} Lane"}

    async def done() -> Any:
        """Their orders, as soon as the lists show that they have ended."""
        try:
            return await patiently(lambda: erase(shop.platform, buyer, wait=0))
        except Refused as refusal:
            return () if refusal.code == "orders_open" else None

    assert await eventually(done) == (brought["order_id"], placed["order_id"])
    assert servers.redis_url is not None
    assert await places_of(canary, shop, mongo, servers.redis_url) == []
    for replica in (shop, other):
        newest, oldest = (await patiently(partial(exported, replica.platform, buyer)))["orders"]
        (delivery,) = newest["deliveries"]
        assert delivery["destination"]["road"] == "erased"
        assert delivery["checkpoints"][-1]["proof"] == {"name": "erased"}
        assert delivery["status"] == "delivered"
        after = oldest["order"]
        assert after["destination"]["road"] == "erased"
        assert after["reason"] == "erased"
        assert after["total"] == placed["total"]
    shown = (await web.get(path)).json()
    assert (shown["status"], shown["total"]) == ("cancelled", placed["total"])
    history = (await web.get(f"{path}/history")).json()["data"]
    assert history[0]["data"]["destination"]["road"] == "erased"
    again = await web.placed(buyer_id=buyer, destination=home(canary))
    assert again["destination"] == home(canary)


async def test_an_open_order_keeps_its_address(
    shop: Running, web: Client, buyer: str, canary: str
) -> None:
    order = await web.placed(buyer_id=buyer, destination=home(canary))

    async def refused() -> Any:
        try:
            await patiently(lambda: erase(shop.platform, buyer, wait=0))
        except Nobody:
            return None
        except Refused as refusal:
            return refusal.message
        raise AssertionError("it was erased")

    told: Any = await eventually(refused)
    assert order["order_id"] in told
    shown = (await web.get(f"/v1/orders/{order['order_id']}")).json()
    assert shown["destination"] == home(canary)


async def test_who_has_only_store_credit_is_known_and_keeps_it_when_erased(
    shop: Running, buyer: str
) -> None:
    bus = shop.platform.bus
    credit = Money(amount=1000, currency="EUR")
    await bus.send(CreditBuyer(buyer_id=buyer, amount=credit, reason="a gift"))
    assert (
        len((await patiently(lambda: exported(shop.platform, buyer)))["store_credit"]["entries"])
        == 1
    )
    assert await patiently(lambda: erase(shop.platform, buyer, wait=0)) == ()
    assert (await bus.ask(GetBalance(buyer_id=buyer))).balance == credit


async def test_nobody_is_not_erased(shop: Running) -> None:
    with pytest.raises(Nobody, match="check the id"):
        await patiently(lambda: erase(shop.platform, "buyer-ghost", wait=0))
    with pytest.raises(Nobody):
        await patiently(lambda: exported(shop.platform, "buyer-ghost"))
