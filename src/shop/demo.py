"""`shop serve --demo`: the sample shop, a key, and a curl that places an order."""

from __future__ import annotations

import asyncio
import json

from bus.messages import Address, Position
from catalog.samples import load_samples
from delivery.clock import WEEK
from delivery.commands import AddWarehouse, ListWarehouses
from delivery.slot_commands import SetWindow
from ordering.routes import BASKET
from shop.running import assembled
from shop.settings import Settings


def prepare(settings: Settings) -> str:
    """Load the samples and a warehouse into an empty shop; returns a fresh key of scope `shop`."""

    async def load() -> str:
        shop = assembled(settings)
        platform = shop.platform()
        await platform.start(work=False)
        try:
            await load_samples(platform.bus, settings.currency)
            if not await platform.bus.ask(ListWarehouses()):
                await platform.bus.send(_warehouse())
                for start, end in WINDOWS:
                    await platform.bus.send(_window(start, end))
            return str(await shop.keys().create("demo", "shop"))
        finally:
            await platform.stop()

    return asyncio.run(load())


WINDOWS = (("09:00", "12:00"), ("13:00", "17:00"), ("18:00", "21:00"))


def _window(start: str, end: str) -> SetWindow:
    return SetWindow(warehouse_id="vaduz", days=WEEK, start=start, end=end, capacity=20)


def _warehouse() -> AddWarehouse:
    place = {**BASKET["destination"], "district": "Vaduz", "postcode": "9490"}
    position = Position(lat=47.1415, lon=9.5215)
    return AddWarehouse(
        warehouse_id="vaduz",
        name="Vaduz",
        address=Address(**place, position=position),
        time_zone="Europe/Vaduz",
    )


def invitation(address: str, key: str) -> str:
    """What a newcomer needs to place an order."""
    body = json.dumps(
        {"buyer_id": "buyer-1", **BASKET, "payment": {"method": "card", "token": "pm_card_visa"}}
    )
    return f"""
A key of scope shop:

  {key}

Place an order:

  curl -s {address}/v1/orders \\
    -H 'Authorization: Bearer {key}' \\
    -H 'Content-Type: application/json' \\
    -H "Idempotency-Key: $(date +%s%N)" -H 'Prefer: wait=10' \\
    -d '{body}'

Then look around: {address}/docs
"""
