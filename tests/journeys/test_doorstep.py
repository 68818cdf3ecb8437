"""One order from basket to doorstep, with all the goods of a real shop, and then the plug is
pulled."""

from __future__ import annotations

import csv
import json
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.processes import Process
from tests.journeys.shops import CARD, Order, Shop, Web, calling, gathered

ROOT = Path(__file__).parent.parent.parent
DATA = Path(os.environ.get("STOREFOLD_TEST_DATA", ROOT.parent / "shared" / "data"))
GOODS = DATA / "sports-catalog"
ADDRESSES = DATA / "liechtenstein" / "addresses.csv"

needs_data = pytest.mark.skipif(
    not (GOODS.is_dir() and ADDRESSES.is_file()),
    reason=f"there is no sports-catalog and no liechtenstein in {DATA}: "
    "set STOREFOLD_TEST_DATA to the folder that holds them",
)

BOOTS, HARNESS = "1", "2"

WAREHOUSE = {
    "name": "Vaduz",
    "road": "Äulestrasse",
    "house-number": "2",
    "district": "Vaduz",
    "postcode": "9490",
    "country": "LI",
    "position": "47.139,9.521",
}


def somebody() -> dict[str, Any]:
    """The first real address that names its town, with its position."""
    with ADDRESSES.open(newline="") as file:
        for row in csv.DictReader(file):
            if row["city"] and row["postcode"]:
                return {
                    "house_number": row["house_number"],
                    "road": row["road"],
                    "district": row["city"],
                    "postcode": row["postcode"],
                    "country": "LI",
                    "position": {"lat": float(row["lat"]), "lon": float(row["lon"])},
                }
    raise AssertionError(f"{ADDRESSES} has no whole address")


def furnish(shop: Shop) -> tuple[str, str]:
    """Goods, a warehouse, and the keys of the web shop and of the carrier; by the CLI."""
    pictures = str(GOODS / "pictures")
    words = ("catalog", "import", str(GOODS / "catalog.json"), "--images", pictures)
    (counts,) = shop.rows(*words, "--stock", "100")
    assert (counts["products_new"], counts["pictures"], counts["faults"]) == (101, 101, 0)
    options = [word for name, value in WAREHOUSE.items() for word in (f"--{name}", value)]
    shop.cli("warehouses", "add", "vaduz", *options)
    web = shop.cli("keys", "create", "web", "--scope", "shop").strip()
    return web, shop.cli("keys", "create", "post", "--scope", "carrier").strip()


@needs_data
async def test_an_order_goes_from_basket_to_doorstep_and_outlives_kill_9(
    tmp_path: Path, transport: str
) -> None:
    shop = Shop(tmp_path, transport)
    with shop.serve() as process:
        web_key, carrier_key = furnish(shop)
        async with (
            calling(process.address, web_key) as web,
            calling(process.address, carrier_key) as carrier,
        ):
            order = await bought(web)
            await brought(web, carrier, order)
            await web.available_becomes(BOOTS, 98)
            before = await everything(web, order)
            shown = shop.cli("orders", "show", order["order_id"], "--json")
            assert json.loads(shown) == before["order"]
            # Its confirmation is still under way when the plug is pulled.
            last = await web.place(HARNESS, wait=0)
            pull_the_plug(shop, process)
    with shop.serve() as process:
        async with calling(process.address, web_key) as web:
            await web.becomes(last, status="confirmed", fulfillment_status="scheduled")
            assert await everything(web, order) == before
            assert shop.cli("orders", "show", order["order_id"], "--json") == shown
    # Nothing runs now: the command starts the servers for itself.
    logs = {row["context"]: row for row in shop.rows("log", "verify")}
    assert set(logs) >= {"ordering", "catalog", "payment", "delivery"}
    assert all(row["state"] == "ok" for row in logs.values())
    assert logs["ordering"]["commits"] > len(before["history"])


async def bought(web: Web) -> Order:
    """A quote, and an order at that price: confirmed."""
    items = [{"sku": BOOTS, "quantity": 2}]
    asked = {"items": items, "destination": somebody()}
    answer = await web.post("/v1/quotes", asked)
    assert answer.status_code == 200, answer.text
    quote = answer.json()
    assert quote["product_cost"] == {"amount": 2 * 109_99, "currency": "EUR"}
    assert quote["delivery_cost"] == {"amount": 50_00, "currency": "EUR"}
    assert quote["total"]["amount"] == 2 * 109_99 + 50_00
    assert 0 < quote["distance_m"] < 30_000
    wanted = {**asked, "buyer_id": "buyer-1", "payment": CARD, "expected_total": quote["total"]}
    placed = await web.post("/v1/orders", wanted, key="basket-1", wait=20)
    assert placed.status_code == 201, placed.text
    order: Order = placed.json()
    assert (order["status"], order["payment_status"]) == ("confirmed", "authorized")
    assert order["total"] == quote["total"]
    again = await web.post("/v1/orders", wanted, key="basket-1")
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json()["order_id"] == order["order_id"]
    return order


async def brought(web: Web, carrier: Web, order: Order) -> None:
    """The carrier brings it; the money is taken, and the order completed."""
    path = f"/v1/orders/{order['order_id']}"
    await web.becomes(order, fulfillment_status="scheduled")
    await carrier.checkpoint(order, "picked_up", position={"lat": 47.139, "lon": 9.521})
    await web.becomes(order, fulfillment_status="shipped", payment_status="captured")
    on_the_road = await carrier.checkpoint(order, "en_route", position={"lat": 47.15, "lon": 9.515})
    assert on_the_road["distance_remaining_m"] > 0
    await carrier.checkpoint(order, "arrived", position=somebody()["position"])
    delivery = await carrier.checkpoint(order, "delivered", note="left with a neighbour")
    seen = [checkpoint["status"] for checkpoint in delivery["checkpoints"]]
    assert seen == ["picked_up", "en_route", "arrived", "delivered"]
    found = await web.becomes(order, status="completed")
    assert (found["payment_status"], found["fulfillment_status"]) == ("captured", "delivered")
    assert await web.get(f"{path}/delivery") == delivery
    assert await web.history(order) == [
        "OrderPlaced",
        "PaymentRequested",
        "OrderConfirmed",
        "DeliveryArranged",
        "OrderShipped",
        "PaymentTaken",
        "OrderDelivered",
        "OrderCompleted",
    ]


async def everything(web: Web, order: Order) -> dict[str, Any]:
    """All that the shop can say of an order and of its goods, but for what is bought last."""
    path = f"/v1/orders/{order['order_id']}"
    products = {each["product_id"]: each for each in await web.all("/v1/products", "product_id")}
    assert len(products) == 101
    pictures = [product["images"][0]["url"] for product in products.values()]
    del products[HARNESS]
    return {
        "order": await web.order(order),
        "history": (await web.get(f"{path}/history"))["data"],
        "delivery": await web.get(f"{path}/delivery"),
        "products": products,
        "pictures": dict(zip(pictures, await gathered(*map(web.bytes, pictures)), strict=True)),
    }


def pull_the_plug(shop: Shop, process: Process) -> None:
    """Kill -9 MongoDB and the server; Redis dies with it."""
    pids = shop.server_pids()
    os.kill(pids["mongodb"], signal.SIGKILL)
    process.kill()
    for pid in pids.values():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
