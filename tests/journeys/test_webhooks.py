"""A partner who does as the guide says hears of an order, from basket to doorstep."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.journeys.conftest import Stock
from tests.journeys.shops import calling
from tests.waiting import eventually

GUIDE = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text()

(RECEIVER,) = re.findall(r"^```python\n(.*?)^```$", GUIDE, flags=re.DOTALL | re.MULTILINE)


@contextmanager
def listening(port: int, secret: str) -> Iterator[list[str]]:
    """The guide's receiver at work; the lines that it prints."""
    receiver = subprocess.Popen(
        [sys.executable, "-c", RECEIVER],
        env={**os.environ, "PORT": str(port), "WEBHOOK_SECRET": secret},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    lines: list[str] = []
    with receiver:
        assert receiver.stdout is not None
        reading = threading.Thread(target=lines.extend, args=(receiver.stdout,))
        reading.start()
        try:
            yield lines
        finally:
            receiver.kill()
            reading.join()


async def test_the_receiver_of_the_guide_hears_of_an_order_from_basket_to_doorstep(
    stock: Stock, sku: str
) -> None:
    stocked = stock(SHOP_WEBHOOKS_ALLOW_PRIVATE="true")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    secret = stocked.shop.cli("webhooks", "add", f"http://127.0.0.1:{port}/", "--client", "web")
    with stocked.shop.serve() as served, listening(port, secret.strip()) as lines:
        async with (
            calling(served.address, stocked.keys.web) as web,
            calling(served.address, stocked.keys.carrier) as carrier,
        ):
            order = await web.place(sku)
            await web.becomes(order, fulfillment_status="scheduled")
            for scan in ("picked_up", "en_route", "arrived", "delivered"):
                await carrier.checkpoint(order, scan)
            await web.becomes(order, status="completed")
        wanted = {
            f"{type_} {order['order_id']}"
            for type_ in (
                "order.placed", "order.confirmed", "order.scheduled", "order.shipped",
                "order.payment_captured", "order.delivered", "order.completed",
                "delivery.scheduled", "delivery.assigned", "delivery.picked_up",
                "delivery.en_route", "delivery.arrived", "delivery.delivered",
            )
        }  # fmt: skip
        await eventually(lambda: wanted <= {line.strip() for line in lines})
    assert len(lines) == len(wanted)
