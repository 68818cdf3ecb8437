"""A buyer who is to be forgotten: whether that may be, and that it has been done."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bus.messages import Event, Refused
from ordering.contract import TERMINAL
from ordering.order import Order

NAMED = 5
"""Orders that a refusal names, at most."""


class BuyerForgotten(Event, name="ordering.BuyerForgotten", forgets=True):
    """What was personal about a buyer cannot be read any more."""

    buyer_id: str
    at: datetime


def is_open(order: Order) -> bool:
    """Whether somebody still has to bring the buyer something, fetch it, or give money back."""
    returning = any(each.status not in ("rejected", "refunded") for each in order.returns)
    return returning or order.status not in TERMINAL


def evolve(times: int | None, event: BuyerForgotten) -> int:
    """How often a buyer has been forgotten."""
    return (times or 0) + 1


def check_forgettable(buyer_id: str, open_orders: Sequence[str]) -> None:
    """Refuse with `orders_open` while there are any."""
    if open_orders:
        named = ", ".join(open_orders[:NAMED])
        more = len(open_orders) - NAMED
        raise Refused(
            "orders_open",
            f"{buyer_id} has orders that have not ended: {named}"
            + (f" and {more} more" if more > 0 else "")
            + "; cancel them, or wait until they are delivered",
            orders=list(open_orders),
        )
