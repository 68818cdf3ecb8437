"""Stock: how many pieces there are, when they are few, and whether more may be sold."""

from __future__ import annotations

from bus.messages import Event, Refused
from catalog.commands import MAX_ON_HAND
from catalog.contract import ANYWHERE, StockRanLow
from catalog.item import (
    BackorderChanged,
    Item,
    Level,
    LowStockSet,
    StockAdjusted,
    StockReceived,
)


def count(
    item: Item, sku: str, on_hand: int, reason: str, warehouse_id: str = ANYWHERE
) -> list[Event]:
    """Set the pieces in a place to what was counted there; refused with `stock_promised`."""
    there = item.at(warehouse_id)
    return adjust(item, sku, on_hand - there.on_hand, reason, warehouse_id)


def adjust(
    item: Item, sku: str, change: int, reason: str, warehouse_id: str = ANYWHERE
) -> list[Event]:
    """There are so many pieces more or fewer than we thought; refused with `stock_promised` and
    `too_many_pieces`."""
    if not change:
        return []
    there = item.at(warehouse_id)
    check_promises(there, sku, there.on_hand + change, anyway=item.backorder)
    check_room(sku, there.on_hand + change)
    return [
        StockAdjusted(sku=sku, change=change, reason=reason, warehouse_id=warehouse_id),
        *ran_low(item, sku, change),
    ]


def receive(
    item: Item, sku: str, quantity: int, reason: str, warehouse_id: str = ANYWHERE
) -> list[Event]:
    """So many pieces came from a supplier; refused with `too_many_pieces`."""
    check_room(sku, item.at(warehouse_id).on_hand + quantity)
    return [StockReceived(sku=sku, quantity=quantity, reason=reason, warehouse_id=warehouse_id)]


def allow_backorder(item: Item, sku: str, *, allowed: bool, reason: str = "") -> list[Event]:
    """Sell it before it is there, or no longer; what is promised already stays so."""
    if item.backorder == allowed:
        return []
    return [BackorderChanged(sku=sku, allowed=allowed, reason=reason)]


def set_low_stock(item: Item, sku: str, threshold: int, reason: str = "") -> list[Event]:
    """Say when no more than so many pieces are available."""
    if item.low_at == threshold:
        return []
    return [LowStockSet(sku=sku, threshold=threshold, reason=reason)]


def ran_low(item: Item, sku: str, change: int) -> list[Event]:
    """That it is low once its pieces have changed by so many, if it was not before."""
    left = item.available + change
    if not item.low_at or not left <= item.low_at < item.available:
        return []
    return [StockRanLow(sku=sku, available=left, threshold=item.low_at)]


def check_promises(there: Level, sku: str, on_hand: int, *, anyway: bool) -> None:
    """Refuse to have fewer pieces than are promised to buyers, unless they may be owed."""
    promised = there.reserved + there.allocated
    if on_hand < 0 or (on_hand < promised and not anyway):
        raise Refused(
            "stock_promised",
            f"{sku} cannot have {on_hand} pieces there: it has {there.on_hand}, of which {promised}"
            f" are promised to buyers ({there.reserved} reserved, {there.allocated} paid for)",
            sku=sku,
            reserved=there.reserved,
            allocated=there.allocated,
        )


def check_room(sku: str, on_hand: int) -> None:
    """Refuse more pieces than one place can have."""
    if on_hand > MAX_ON_HAND:
        raise Refused(
            "too_many_pieces",
            f"{sku} would have {on_hand} pieces in one place, which may have {MAX_ON_HAND}: "
            "count it anew",
            sku=sku,
        )
