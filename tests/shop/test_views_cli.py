"""The read models of the whole shop: each equals its rebuild, which may die at any point."""

import asyncio
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bus.context import Context
from bus.messages import Money, Refused
from bus.rebuild import Rebuild
from bus.views import Documents
from ordering.contract import Item, ListOrders, RequestReturn
from payment.balance_commands import CreditBuyer
from shop import embedded
from tests.ordering.whole import SKU, Whole, running, settings_of
from tests.shop.commands import House
from tests.shop.stalling import POINTS, STALLED
from tests.waiting import eventually, soon

STALLING = Path(__file__).with_name("stalling.py")


@pytest.fixture
async def whole(servers: embedded.Servers, redis_url: str, prefix: str) -> AsyncIterator[Whole]:
    """A running shop with something to sell."""
    assert servers.mongodb_url
    async with running(settings_of(servers.mongodb_url, redis_url, prefix)) as whole:
        await whole.stock_up()
        yield whole


@pytest.fixture
def house(servers: embedded.Servers, redis_url: str, prefix: str, tmp_path: Path) -> House:
    """Its command line."""
    assert servers.mongodb_url
    return House(
        tmp_path / "house",
        SHOP_MONGODB_URL=servers.mongodb_url,
        SHOP_REDIS_URL=redis_url,
        SHOP_MONGODB_PREFIX=prefix,
    )


async def lived(whole: Whole) -> list[str]:
    """Orders of every kind of fate; their ids."""
    bought, cancelled, returned = [await whole.place() for _ in range(3)]
    declined = await whole.place("pm_card_chargeDeclined")
    for order in (bought, returned, cancelled):
        await whole.comes_to(order, fulfillment_status="scheduled")
    await whole.comes_to(declined, payment_status="declined")
    await whole.cancel(cancelled)
    await whole.carrier(bought, "picked_up", "en_route", "delivered")
    await whole.carrier(returned, "picked_up", "returned_to_sender")
    await whole.comes_to(bought, status="completed")
    back = (Item(sku=SKU, quantity=1),)
    await whole.send(RequestReturn(order_id=bought.order_id, items=back, reason="too small"))
    gift = Money(amount=1_00, currency="EUR")
    await whole.bus.send(CreditBuyer(buyer_id="b1", amount=gift, reason="a gift"))
    for order in (cancelled, returned):
        await whole.comes_to(order, status="cancelled")
    return [order.order_id for order in (bought, cancelled, returned, declined)]


def rebuilding(whole: Whole, context: Context, documents: Documents[Any]) -> Rebuild[Any]:
    ring = partial(whole.platform.ask, context.name)
    return Rebuild(context, documents, ring, lambda what, done, total: None)


def views(whole: Whole) -> list[tuple[Context, Documents[Any]]]:
    """All there are."""
    return [(c, each) for c in whole.platform.contexts.values() for each in c.views]


def orders(whole: Whole) -> tuple[Context, Documents[Any]]:
    context = whole.platform.contexts["ordering"]
    return context, context.views[0]


def lapse(whole: Whole, context: Context) -> None:
    """The leases of the dead have run out, as they do within seconds."""
    living = context.database["members"].distinct("_id")
    context.database["readers"].update_many(
        {"owner": {"$nin": living}}, {"$set": {"until": datetime(2020, 1, 1, tzinfo=UTC)}}
    )
    whole.platform.ask(context.name)


async def listed(whole: Whole) -> set[str]:
    """The orders that the shop lists."""
    page = await whole.ask(ListOrders())
    return {body.split(b'"', 4)[3].decode() for body in page.data}


async def test_every_view_equals_its_rebuild(whole: Whole) -> None:
    """Whichever there are: a new one is tried by being there."""
    await lived(whole)
    names = Counter(documents.view.name for _, documents in views(whole))
    assert set(names.values()) == {1}, "`shop views rebuild` and the cache go by the name"
    for context, documents in views(whole):
        report = await rebuilding(whole, context, documents).run()
        assert (report.switched, report.comparison.differing) == (True, {}), report
        assert report.comparison.compared > 0, documents.key


async def test_a_view_is_listed_rebuilt_and_left_alone_when_it_differs(
    whole: Whole, house: House
) -> None:
    ids = await lived(whole)
    context, documents = orders(whole)
    head = await context.log.head()
    assert await context.seen(documents, head, patience=15)
    wrong = {"doc.status": "pending", "doc.reason": "odd"}
    documents.collection.update_one({"_id": ids[0]}, {"$set": wrong})
    context.database["view_orders_v0"].insert_one({"_id": "x"})
    context.database["view_orders_v1_next_0"].insert_one({"_id": "x"})

    async def shop(*words: str) -> Any:
        return await asyncio.to_thread(partial(house.run, *words))

    async def listed() -> Any:
        listing = await shop("views", "list", "--json")
        rows = {(row["name"], row["version"], row["state"]): row for row in listing.rows()}
        return rows["orders", 1, "live"]["lag"] == 0 and rows

    # How far a view has come is written down a while after.
    rows: dict[Any, Any] = await eventually(listed)
    differs, unknown = await asyncio.gather(
        shop("views", "rebuild", "orders", "--json"),
        shop("views", "rebuild", "baskets"),
    )
    live = rows["orders", 1, "live"]
    assert (live["context"], live["documents"], live["position"], live["lag"]) == (
        "ordering", 4, head, 0,
    )  # fmt: skip
    assert (
        f"drop the collection {context.database.name}.view_orders_v0"
        in rows["orders", 0, "old"]["do"]
    )
    assert "choose products, balances, payments, deliveries, orders, returns" in unknown.complaint()
    assert "of 4 documents compared with view_orders_v1 at the same position 1 differ" in (
        differs.complaint()
    )
    assert differs.rows() == [
        {"id": ids[0], "field": "reason", "live": "odd", "rebuilt": None},
        {"id": ids[0], "field": "status", "live": "pending", "rebuilt": "completed"},
    ]
    assert documents.collection.find_one({"_id": ids[0], **wrong})
    accepted = await shop("views", "rebuild", "orders", "--accept-differences")

    assert accepted.code == 0, accepted
    assert "odd" in accepted.out
    assert f"orders v1 is rebuilt to position {head}" in accepted.err
    found = await documents.get(ids[0])
    assert found
    assert found.doc.status == "completed"


async def test_a_rebuild_may_be_killed_at_any_point(whole: Whole, house: House) -> None:
    """The live view is right all along, and the next rebuild begins afresh."""
    placed = {(await whole.place()).order_id}
    context, documents = orders(whole)
    builds = set()

    async def all_listed() -> Any:
        return await listed(whole) == placed

    for point in POINTS:
        process = await asyncio.create_subprocess_exec(
            sys.executable, STALLING, point, "views", "rebuild", "orders",
            cwd=house.folder, env=house.environment(), stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout
        assert await soon(process.stdout.readline(), 60) == f"{STALLED}\n".encode()
        if point != "switched":  # when all is done but for tidying up
            with pytest.raises(Refused, match="another rebuild of orders is at work"):
                await rebuilding(whole, context, documents).run()
        assert await listed(whole) >= placed
        process.send_signal(signal.SIGKILL)
        await process.wait()
        placed.add((await whole.place()).order_id)
        if point != "seized":  # there the leases that it held run out by themselves
            lapse(whole, context)
        await eventually(all_listed)
        builds.add((await documents.build()).id)
        lapse(whole, context)
    assert len(builds) == 2, "only the last one came to switch"
    report = await rebuilding(whole, context, documents).run()

    assert (report.switched, report.comparison.differing) == (True, {})
    assert report.comparison.compared == len(placed)
    names = context.database.list_collection_names()
    live = [name for name in names if name.startswith("view_")]
    assert sorted(live) == ["view_orders_v1", "view_returns_v1"]
