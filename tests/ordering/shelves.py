"""What orders say of the shelves: whose pieces are kept where, and which have left."""

from collections import Counter
from typing import NamedTuple

from catalog.contract import ANYWHERE
from ordering.contract import Shipment, ShipmentStatus
from ordering.order import Order
from ordering.returns import pieces as pieces_of
from ordering.shipments import packed


class Shelf(NamedTuple):
    """What has become of pieces of a SKU that a warehouse sends: they are `waiting`, `kept` or
    `gone`."""

    sku: str
    warehouse_id: str
    how: str

    def holds(self, sku: str, place: str, how: str) -> bool:
        """Whether it is about a place's pieces; anybody sends those that are kept anywhere."""
        return (self.sku, self.how) == (sku, how) and place in (ANYWHERE, self.warehouse_id)


def shelved(order: Order) -> Counter[Shelf]:
    """How many pieces of which warehouse an order has, and what has become of them."""
    alone = Shipment(
        delivery_id=order.delivery_id,
        warehouse_id=order.warehouse_id,
        items=packed(pieces_of(order.items)),
        status=so_far(order),
    )
    found: Counter[Shelf] = Counter()
    for each in order.shipments or (alone,):
        how = become(order, each)
        for item in each.items if how else ():
            found[Shelf(item.sku, each.warehouse_id, how)] += item.quantity
    return found


def become(order: Order, shipment: Shipment) -> str:
    """What has become of a shipment's pieces; nothing if they are for sale again."""
    if shipment.status == "returned":
        # It is on the shelf again when the last has come or come back.
        back = order.status == "completed" or order.fulfillment_status == "returned"
        return "" if back else "gone"
    if shipment.status in ("shipped", "delivered"):
        return "gone"
    return {"pending": "waiting", "confirmed": "kept"}.get(order.status, "")


def so_far(order: Order) -> ShipmentStatus:
    """How far an order is that comes at once."""
    if order.fulfillment_status == "returned":
        return "returned"
    return "shipped" if order.shipped else "unfulfilled"
