"""How the goods of a return are fetched: asked for with it, arranged when it is approved, told of
by its delivery, and called off when nobody need come any more.

It pays for nothing: what was fetched has yet to be looked at.
"""

from __future__ import annotations

from datetime import datetime
from typing import assert_never

from bus.messages import Refused, Window
from ordering.contract import PickupStatus, PickupWish
from ordering.returns import (
    PickupCalledOff,
    PickupEvent,
    PickupMoved,
    PickupRequested,
    Return,
    ReturnRequested,
)


def check_window(wish: PickupWish | None, now: datetime) -> None:
    """Refuse with `pickup_window_over` what can no longer be done."""
    if wish is not None and wish.window is not None and wish.window.to <= now:
        raise Refused(
            "pickup_window_over",
            f"the goods cannot be fetched until {wish.window.to.isoformat()}, for that is past:"
            " choose a window that is still to come",
        )


def arrange(approved: ReturnRequested | Return, now: datetime) -> list[PickupEvent]:
    """Have the goods fetched, if the buyer wants that."""
    wish = approved.pickup if isinstance(approved, ReturnRequested) else approved.wish
    if wish is None:
        return []
    return [
        PickupRequested(
            order_id=approved.order_id,
            return_id=approved.return_id,
            delivery_id=delivery_id(approved.return_id),
            at=now,
        )
    ]


def call_off(found: Return, now: datetime) -> list[PickupEvent]:
    """Nobody need come any more, unless they have come already."""
    pickup = found.pickup
    if pickup is None or pickup.status not in ("requested", "scheduled"):
        return []
    return [
        PickupCalledOff(
            order_id=found.order_id,
            return_id=found.return_id,
            delivery_id=pickup.delivery_id,
            at=now,
        )
    ]


def move(
    found: Return, status: PickupStatus, window: Window | None, now: datetime
) -> list[PickupEvent]:
    """The delivery tells how far it is. A carrier that was called off too late has the goods all
    the same."""
    if found.pickup is None:
        return []
    before = found.pickup.status
    match status:
        case "requested":
            goes_on = False
        case "scheduled":
            goes_on = before == "requested" or (
                before == "scheduled" and window not in (None, found.pickup.window)
            )
        case "on_its_way":
            goes_on = before in ("requested", "scheduled", "cancelled")
        case "arrived" | "failed":
            goes_on = before not in ("arrived", "failed")
        case "cancelled":
            goes_on = before in ("requested", "scheduled")
        case _:
            assert_never(status)
    if not goes_on:
        return []
    return [
        PickupMoved(
            order_id=found.order_id,
            return_id=found.return_id,
            status=status,
            window=window,
            at=now,
        )
    ]


def delivery_id(return_id: str) -> str:
    """The id of the delivery that fetches a return's goods: each finds the other."""
    return f"dlv_r{return_id.removeprefix('ret_')}"


def return_id(delivery_id: str) -> str:
    """The id of the return whose goods a delivery fetches."""
    return f"ret_{delivery_id.removeprefix('dlv_r')}"
