"""Shipping: what was kept leaves the house, and what comes back is restocked or written off."""

from __future__ import annotations

from bus.messages import Event, Refused
from catalog.contract import RestockStock
from catalog.item import ItemAllocated, ItemRestocked, ItemShipped
from catalog.reservation import (
    Reservation,
    ReservationReturned,
    ReservationShipped,
    came_back,
    each,
    known,
    outside,
)
from catalog.sourcing import pieces_of, sum_of


def ship(reservation: Reservation | None, id: str, warehouse_id: str | None = None) -> list[Event]:
    """The pieces have left the house, or one warehouse's part of them; refused with `not_reserved`
    when none were kept any more."""
    kept = known(reservation, id)
    if kept.status == "shipped" or warehouse_id in kept.left:
        return []
    part = kept.here if warehouse_id is None else kept.part(warehouse_id)
    if kept.status not in ("held", "allocated") or not part:
        raise Refused(
            "not_reserved",
            f"reservation {id} has been {kept.status}, so nothing was kept"
            f"{f' at {warehouse_id}' if warehouse_id else ''} that could be shipped: count the"
            " stock of its SKUs",
            reservation_id=id,
            status=kept.status,
        )
    shipped = ReservationShipped(reservation_id=id, warehouse_id=warehouse_id)
    # What is gone is gone, paid or not.
    paid = each(ItemAllocated, part) if kept.status == "held" else []
    return [shipped, *paid, *each(ItemShipped, part)]


def restock(reservation: Reservation | None, back: RestockStock) -> list[Event]:
    """Pieces came back, and those that are fit go on the shelf from which their like was taken;
    once for each return.

    Refused with `not_shipped`, and with `above_shipped` when that would be more than had left.
    """
    id = back.reservation_id
    kept = known(reservation, id)
    if back.return_id in kept.returns:
        return []
    if not kept.left:
        raise Refused(
            "not_shipped",
            f"return {back.return_id} brings back pieces of reservation {id}, which is "
            f"{kept.status}: bring it again in a moment, and if that does not help, count the "
            "stock of its SKUs",
            reservation_id=id,
            status=kept.status,
        )
    out = pieces_of(outside(kept, back.warehouse_id))
    wanted = sum_of(pieces_of(back.restock), pieces_of(back.write_off))
    above = tuple(sku for sku, pieces in wanted.items() if pieces > out.get(sku, 0))
    if above:
        raise Refused(
            "above_shipped",
            f"return {back.return_id} brings back more of {', '.join(above)} than had left with "
            f"reservation {id}: count the stock of these SKUs",
            reservation_id=id,
            skus=above,
        )
    returned = ReservationReturned(
        reservation_id=id,
        return_id=back.return_id,
        restock=back.restock,
        write_off=back.write_off,
        warehouse_id=back.warehouse_id,
    )
    fit, _ = came_back(kept, returned)
    return [returned, *each(ItemRestocked, fit)]
