"""Orders and deliveries at one moment, as REST shows them, and the tracking page of that."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from bus.messages import Document
from shop.tracking.page import Looks, parts, whole
from shop.tracking.progress import Snapshot, progress
from shop.tracking.watch import State
from tests.shop.clients import DOOR

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
MONEY = {"amount": 98765, "currency": "EUR"}
ROUTE = [[9.52, 47.14], [9.52, 47.15], [9.51, 47.1674]]


def at(minutes: float) -> str:
    return (NOON + timedelta(minutes=minutes)).isoformat()


def order(status: str = "confirmed", **fields: Any) -> dict[str, Any]:
    return {
        "order_id": "ord_1", "buyer_id": "buyer-77", "status": status, "payment_status": "captured",
        "fulfillment_status": "shipped", "destination": DOOR, "product_cost": MONEY,
        "delivery_cost": MONEY, "total": MONEY, "refunded": MONEY, "payment_id": "pay_1",
        "delivery_id": "dlv_1", "placed_at": at(-180), "updated_at": at(-60), "version": 5,
        "items": [{"sku": "MUG", "name": "A mug", "quantity": 1, "unit_price": MONEY,
                   "line_total": MONEY}],
        **fields,
    }  # fmt: skip


def delivery(status: str, *scans: tuple[str, float], **fields: Any) -> dict[str, Any]:
    checkpoints = [{"status": scan, "at": at(minutes)} for scan, minutes in scans]
    return {
        "delivery_id": "dlv_1", "order_id": "ord_1", "status": status, "carrier": "house",
        "tracking_number": "7K3M-9QXT-4B2W-H", "destination": DOOR, "checkpoints": checkpoints,
        **fields,
    }  # fmt: skip


def moving(**fields: Any) -> dict[str, Any]:
    seen = {"lat": 47.14, "lon": 9.52, "at": at(-1)}
    known = {"eta": at(9), "distance_remaining_m": 4321, "position": seen}
    route = {"type": "LineString", "coordinates": ROUTE}
    return delivery(
        "en_route", ("picked_up", -30), ("en_route", -1), **known, route=route, **fields
    )


def snapshot(found: dict[str, Any], *deliveries: dict[str, Any]) -> Snapshot:
    state = State.of(Document(version=found["version"], body=json.dumps(found).encode()))
    told = {
        each["delivery_id"]: Document(version=3, body=json.dumps(each).encode())
        for each in deliveries
    }
    return Snapshot(state, told)


def page_of(*told: dict[str, Any], looks: Looks = Looks(), live: bool = True) -> str:  # noqa: B008
    shown = progress(snapshot(*told))
    answer = whole(parts(shown, looks), looks, live=live)
    return bytes(answer.body).decode()
