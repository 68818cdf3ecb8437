"""A van that can be watched a minute after the shop runs: `shop deliveries drive`."""

import json
from subprocess import CompletedProcess

from tests import forked
from tests.journeys.conftest import Stocked
from tests.journeys.processes import Process
from tests.journeys.shops import Web


def drive(shop: Stocked, delivery_id: str, *words: str) -> CompletedProcess[str]:
    words = ("deliveries", "drive", delivery_id, *words)
    return forked.run(words, shop.shop.environment, shop.shop.folder)


async def test_a_delivery_is_driven_to_its_door(
    shop: Stocked, served: Process, web: Web, sku: str
) -> None:
    order = await web.becomes(await web.place(sku), fulfillment_status="scheduled")
    id = order["delivery_id"]
    done = drive(shop, id, "--speed", "500x", "--every", "0.1", "--url", served.address, "--json")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    statuses = [line["status"] for line in lines]
    assert (statuses[0], statuses[-2:]) == ("picked_up", ["arrived", "delivered"])
    assert "en_route" in statuses
    left = [line["distance_remaining_m"] for line in lines if line["status"] == "en_route"]
    assert left == sorted(left, reverse=True)
    delivered = await web.delivery_becomes(order, "delivered")
    assert [scan["status"] for scan in delivered["checkpoints"]] == statuses
    await web.becomes(order, status="completed")
    assert not [
        key
        for key in shop.shop.rows("keys", "list")
        if key["name"] == "driver" and not key["revoked"]
    ]

    again = drive(shop, id, "--url", served.address)
    assert (again.returncode, again.stdout) == (1, "")
    assert "is delivered: there is nothing to drive" in again.stderr


async def test_without_a_shop_at_the_address_nothing_is_driven(
    shop: Stocked, served: Process, web: Web, sku: str
) -> None:
    order = await web.becomes(await web.place(sku), fulfillment_status="scheduled")
    done = drive(shop, order["delivery_id"], "--speed", "20x", "--url", "http://127.0.0.1:9")
    assert done.returncode == 1
    assert "no shop answers at http://127.0.0.1:9" in done.stderr
    wrong = drive(shop, order["delivery_id"], "--speed", "fast", "--url", served.address)
    assert wrong.returncode == 2
    assert "write 20x" in wrong.stderr
