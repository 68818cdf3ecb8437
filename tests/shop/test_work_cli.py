"""The operator at night: what is parked, why, and how it goes on; how far readers and timers
are."""

import asyncio
import getpass
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from typer.testing import CliRunner

from bus.messages import Money, now
from bus.parked import id_of
from bus.partitions import PARTITIONS
from ordering.contract import OrderDocument
from payment.gateway import Outcome
from shop import embedded
from shop.cli import app
from shop.parked_streams import COLUMNS
from tests.ordering.whole import Whole, running, settings_of
from tests.shop.commands import House, Ran
from tests.waiting import eventually

READER = "payment.gateway<payment"
SAID = "the gateway said\n<html>something</html> that nobody understands"


class Night:
    """A shop whose gateway answers nonsense for as long as it is told to, and its command line."""

    def __init__(self, whole: Whole, house: House) -> None:
        self.whole = whole
        self.house = house
        self.nonsense = True
        self._authorize = whole.gateway.authorize
        whole.gateway.authorize = self.authorize  # type: ignore[method-assign]

    async def authorize(self, key: str, amount: Money, token: str, reference: str) -> Outcome:
        if self.nonsense:
            raise ValueError(SAID)
        return await self._authorize(key, amount, token, reference)

    async def parked_orders(self, number: int) -> list[OrderDocument]:
        """Orders whose payments are parked."""
        before = len(self.whole.parked())
        orders = [await self.whole.place() for _ in range(number)]
        await eventually(lambda: len(self.whole.parked()) == before + number)
        return orders

    async def shop(self, *words: str, **settings: Any) -> Ran:
        return await asyncio.to_thread(partial(self.house.run, *words, **settings))

    def ids(self) -> dict[str, str]:
        """What is parked, by stream."""
        return {parked["stream"]: id_of(parked) for parked in self.whole.parked()}

    async def rows(self, *words: str) -> list[dict[str, Any]]:
        ran = await self.shop(*words, "--json")
        assert (ran.code, ran.err) == (0, ""), ran
        return ran.rows()


@pytest.fixture
async def house(servers: embedded.Servers, redis_url: str, prefix: str, tmp_path: Path) -> House:
    """The command line of a shop on the test's servers, whether it runs or not."""
    assert servers.mongodb_url
    return House(
        tmp_path / "night",
        SHOP_MONGODB_URL=servers.mongodb_url,
        SHOP_REDIS_URL=redis_url,
        SHOP_MONGODB_PREFIX=prefix,
        SHOP_RETRY_ATTEMPTS="2",
    )


@pytest.fixture
async def night(
    house: House, servers: embedded.Servers, redis_url: str, prefix: str
) -> AsyncIterator[Night]:
    """A running shop with something to sell."""
    assert servers.mongodb_url
    settings = settings_of(servers.mongodb_url, redis_url, prefix, retry_attempts=2)
    async with running(settings) as whole:
        await whole.stock_up()
        yield Night(whole, house)


async def test_what_is_parked_is_listed_and_shown_whole(night: Night) -> None:
    (order,) = await night.parked_orders(1)
    (row,) = await night.rows("parked", "list")
    payment = f"payment-{order.payment_id}"
    assert (row["reader"], row["stream"], row["waiting"]) == (READER, payment, 0)
    assert (row["type"], row["attempts"]) == ("payment.AuthorizationRequested", 2)
    assert row["error"] == repr(ValueError(SAID))
    await night.whole.cancel(order)  # which waits behind, as the gateway has yet to answer
    listed, shown, whole = await asyncio.gather(
        night.shop("parked", "list", TTY_COMPATIBLE="1", COLUMNS="40"),
        night.shop("parked", "show", row["id"]),
        night.rows("parked", "show", row["id"]),
    )

    head, line = listed.out.splitlines()
    assert [name for name in COLUMNS if name in head] == list(COLUMNS)
    assert row["id"] in line, "however narrow the terminal is"
    assert payment in line
    assert f"shop parked retry {row['id']}" in shown.err
    for told in (SAID.splitlines()[1], "Traceback", "in authorize", order.payment_id, "version"):
        assert told in shown.out, told
    (everything,) = whole
    assert everything["event"]["data"]["payment_id"] == order.payment_id
    assert everything["event"]["meta"]["principal"] == "shop:webshop"
    assert "in authorize" in everything["traceback"]


async def test_a_retry_waits_for_what_comes_of_it(night: Night) -> None:
    first, *others = await night.parked_orders(3)
    ids = night.ids()
    id = ids[f"payment-{first.payment_id}"]
    failed = await night.shop("parked", "retry", id, "--json")
    assert "has failed again: ValueError" in failed.complaint()
    assert [row["state"] for row in failed.rows()] == ["has failed again"]
    assert sorted(parked["attempts"] for parked in night.whole.parked()) == [2, 2, 4]
    night.nonsense = False
    (done,) = await night.rows("parked", "retry", id)
    assert (done["id"], done["state"]) == (id, "goes on")
    await night.whole.comes_to(first, status="confirmed")
    assert night.ids() == {stream: each for stream, each in ids.items() if each != id}
    ran = await night.shop("parked", "retry", "--all")
    assert (ran.code, ran.err) == (0, ""), ran
    assert len(ran.out.splitlines()) == 3

    for order in others:
        await night.whole.comes_to(order, status="confirmed")
    assert night.ids() == {}


async def test_a_skip_is_kept_with_its_reason(night: Night) -> None:
    await night.parked_orders(1)
    (parked,) = night.whole.parked()
    ((stream, id),) = night.ids().items()
    (done,) = await night.rows("parked", "skip", id, "--reason", "paid in cash")
    assert done["state"] == "goes on"
    assert night.ids() == {}
    again, kept = await asyncio.gather(
        night.shop("parked", "retry", id), night.rows("parked", "list", "--skipped")
    )

    assert f"nothing is parked as {id}: see `shop parked list`" in again.complaint()
    (skipped,) = kept
    assert (skipped["reason"], skipped["by"]) == ("paid in cash", getpass.getuser())
    assert (skipped["stream"], skipped["error"]) == (stream, parked["error"])


USAGE = [
    ("retry",),
    ("retry", "abc", "--all"),
    ("skip", "abc"),
    ("skip", "abc", "--reason", " "),
    ("skip", "--reason", "why"),
]


def test_what_to_retry_and_why_to_skip_must_be_said() -> None:
    for words in USAGE:
        asked = CliRunner().invoke(app, ["parked", *words])
        assert asked.exit_code == 2, words
        assert "Usage: " in asked.output


async def test_with_no_shop_running_the_command_does_the_work(
    house: House, servers: embedded.Servers, redis_url: str, prefix: str
) -> None:
    assert servers.mongodb_url
    settings = settings_of(servers.mongodb_url, redis_url, prefix, retry_attempts=2)
    async with running(settings) as whole:
        await whole.stock_up()
        (order,) = await Night(whole, house).parked_orders(1)
    ran = await asyncio.to_thread(house.run, "parked", "retry", "--all")
    assert (ran.code, ran.err) == (0, ""), ran

    async with running(settings) as whole:
        await whole.comes_to(order, status="confirmed")
        assert len(whole.calls(order, "authorize")) == 1


async def test_readers_say_how_far_they_are_and_who_works(
    night: Night, mongo: MongoClient[dict[str, Any]], prefix: str
) -> None:
    await night.parked_orders(1)
    readers = {row["reader"]: row for row in await night.rows("readers")}
    assert {"ordering.checkout<ordering", "ordering.orders:v1", "catalog.lapse<catalog"} <= set(
        readers
    )
    for row in readers.values():
        assert sum(row["held"].values()) == PARTITIONS, row
        assert row["state"] == "working", row
    assert readers[READER]["parked"] == 1
    assert readers[READER]["log"] == "payment"


async def test_readers_that_nobody_runs_and_one_that_is_stuck_are_found(
    house: House, servers: embedded.Servers, redis_url: str, prefix: str, mongo: MongoClient[Any]
) -> None:
    assert servers.mongodb_url
    async with running(settings_of(servers.mongodb_url, redis_url, prefix)) as whole:
        await whole.stock_up()
        night = Night(whole, house)
        night.nonsense = False
        await whole.comes_to_rest(await whole.place())
    ordering = mongo[f"{prefix}_ordering"]
    long_ago = now() - timedelta(hours=3)
    ordering["log"].update_many({}, {"$set": {"at": long_ago}})
    orders = {"reader": "ordering.orders:v1"}
    ordering["readers"].update_many(orders, {"$set": {"position": 2}})
    ordering["readers"].update_many({**orders, "partition": 5}, {"$set": {"position": 1}})
    until = now() + timedelta(hours=1)
    checkout = {"reader": "ordering.checkout<ordering"}
    held = {"owner": "hung", "until": until, "position": 1}
    ordering["readers"].update_many(checkout, {"$set": held})
    readers = {row["reader"]: row for row in await night.rows("readers")}

    idle, hung = readers["ordering.orders:v1"], readers["ordering.checkout<ordering"]
    assert (idle["state"], idle["position"], idle["held"]) == ("no owner", 1, {})
    assert idle["behind"] > 0
    assert 3 * 3600 < idle["late"] < 4 * 3600
    assert (hung["state"], hung["held"]) == ("stuck", {"hung": PARTITIONS})
    assert all(row["do"] for row in (idle, hung))
    ran = await night.shop("doctor", "--json")
    found = {row["what"]: row for row in ran.rows()}
    assert found["reader ordering.checkout<ordering"]["state"] == "bad"
    assert "for 3 h, stuck" in found["reader ordering.checkout<ordering"]["detail"]
    assert "shop work" in found["reader ordering.orders:v1"]["do"]


async def test_timers_are_listed_with_the_overdue_first(
    house: House, mongo: MongoClient[dict[str, Any]], prefix: str
) -> None:
    def timer(id: str, due: timedelta) -> dict[str, Any]:
        return {"_id": id, "due": now() + due, "type": "ordering.ExpireOrder", "tries": 2}

    mongo[f"{prefix}_ordering"]["timers"].insert_many(
        [timer("soon", timedelta(minutes=20)), timer("late", timedelta(hours=-5))]
    )
    mongo[f"{prefix}_catalog"]["timers"].insert_one(timer("other", timedelta(seconds=-20)))
    plain, programs, unknown = await asyncio.gather(
        *(
            asyncio.to_thread(house.run, "timers", *words)
            for words in ((), ("--context", "ordering", "--json"), ("--context", "nonsense"))
        )
    )
    late, other, soon = plain.out.splitlines()[1:]
    assert "5 h late" in late
    assert " s late" in other
    assert "20 min" in soon
    assert "late" not in soon
    first, second = programs.rows()
    assert (first["key"], first["context"], first["tries"]) == ("late", "ordering", 2)
    assert (second["key"], second["overdue"]) == ("soon", 0)
    assert first["overdue"] >= 5 * 3600
    assert "choose" in unknown.complaint()
