"""Histories of an order that two warehouses send: two mugs come from Vaduz, three bowls from
Zurich."""

from functools import reduce

from ordering.contract import PricedItem, ReturnedItem, Shipment, ShipmentStatus, ShippedItem, Slot
from ordering.order import CancellationRequested, GoodsReturned, Order, OrderEvent, evolve
from ordering.returns import ReturnReceived, ReturnRefunded, ReturnRequested
from ordering.shipments import OrderSplit, Part, ShipmentMoved
from tests.ordering.histories import (
    ARRANGED,
    CANCELLED,
    COMPLETED,
    CONFIRMED,
    DELIVERED,
    DELIVERY,
    MUGS,
    NOW,
    PLACED,
    PRICE,
    SHIPPED,
    TAKEN,
    calling_off,
    money_back,
    requested,
)

FIRST, SECOND = "dlv_1", "dlv_1-2"
VADUZ, ZURICH = "vaduz", "zurich"

BOWL = PRICE.times(2)
BOWLS = PricedItem(sku="BOWL", name="Bowl", quantity=3, unit_price=BOWL, line_total=BOWL.times(3))
GOODS = MUGS.line_total + BOWLS.line_total
TOTAL = GOODS + DELIVERY

PARTS = (
    Part(warehouse_id=VADUZ, items=(ShippedItem(sku="MUG-BLUE", quantity=2),)),
    Part(warehouse_id=ZURICH, items=(ShippedItem(sku="BOWL", quantity=3),)),
)
SHIPMENTS = tuple(
    Shipment(delivery_id=id, warehouse_id=part.warehouse_id, items=part.items)
    for id, part in zip((FIRST, SECOND), PARTS, strict=True)
)


def moved(delivery_id: str, status: ShipmentStatus, slot: Slot | None = None) -> ShipmentMoved:
    return ShipmentMoved(
        order_id="ord_1",
        delivery_id=delivery_id,
        warehouse_id=VADUZ if delivery_id == FIRST else ZURICH,
        status=status,
        slot=slot,
        at=NOW,
    )


def called_off(reason: str = "changed_my_mind") -> CancellationRequested:
    return calling_off(reason).model_copy(update={"deliveries": (FIRST, SECOND)})


def replay(history: list[OrderEvent]) -> Order:
    """The order after all that."""
    order: Order | None = reduce(evolve, history, None)
    assert order is not None
    return order


BOTH_PLACED = PLACED.model_copy(
    update={"items": (MUGS, BOWLS), "product_cost": GOODS, "total": TOTAL}
)
SPLIT = OrderSplit(order_id="ord_1", shipments=SHIPMENTS, at=NOW)
ASKED_FOR = requested().model_copy(update={"amount": TOTAL})
ALL_TAKEN = TAKEN.model_copy(update={"amount": TOTAL})
LEFT = SHIPPED.model_copy(update={"in_parts": True})

TWO_MUGS = (ReturnedItem(sku="MUG-BLUE", quantity=2),)
THREE_BOWLS = (ReturnedItem(sku="BOWL", quantity=3),)

ALL_RETURNED = GoodsReturned(order_id="ord_1", items=(*TWO_MUGS, *THREE_BOWLS), at=NOW)
SECOND_RETURNED = GoodsReturned(order_id="ord_1", items=THREE_BOWLS, at=NOW)

UNDELIVERED = (
    ReturnRequested(
        order_id="ord_1",
        return_id="ret_1_1",
        items=THREE_BOWLS,
        reason="returned_to_sender",
        refund=BOWLS.line_total,
        at=NOW,
    ),
    ReturnReceived(
        order_id="ord_1",
        return_id="ret_1_1",
        payment_id="pay_1",
        restock=THREE_BOWLS,
        write_off=(),
        refund=BOWLS.line_total,
        warehouse_id=ZURICH,
        at=NOW,
    ),
)
GIVEN_BACK = ReturnRefunded(order_id="ord_1", return_id="ret_1_1", amount=BOWLS.line_total, at=NOW)

NEW: list[OrderEvent] = [BOTH_PLACED]
PAYING: list[OrderEvent] = [*NEW, SPLIT, ASKED_FOR]
PAID: list[OrderEvent] = [*PAYING, CONFIRMED]
HALF_BOOKED: list[OrderEvent] = [*PAID, moved(SECOND, "scheduled")]
SCHEDULED: list[OrderEvent] = [*HALF_BOOKED, moved(FIRST, "scheduled"), ARRANGED]
ONE_LEFT: list[OrderEvent] = [*SCHEDULED, moved(SECOND, "shipped"), LEFT]
CAPTURED: list[OrderEvent] = [*ONE_LEFT, ALL_TAKEN]
ONE_CAME: list[OrderEvent] = [*CAPTURED, moved(SECOND, "delivered")]
ONE_BACK: list[OrderEvent] = [*CAPTURED, moved(SECOND, "returned")]
BOTH_LEFT: list[OrderEvent] = [*CAPTURED, moved(FIRST, "shipped")]
LAST_ON_THE_WAY: list[OrderEvent] = [*ONE_CAME, moved(FIRST, "shipped")]
DONE: list[OrderEvent] = [*LAST_ON_THE_WAY, moved(FIRST, "delivered"), DELIVERED, COMPLETED]
UNPAID_AT_THE_DOOR: list[OrderEvent] = [
    *ONE_LEFT,
    moved(SECOND, "returned"),
    moved(FIRST, "shipped"),
    moved(FIRST, "delivered"),
    DELIVERED,
]
PARTLY_DONE: list[OrderEvent] = [
    *ONE_BACK,
    moved(FIRST, "shipped"),
    moved(FIRST, "delivered"),
    DELIVERED,
    COMPLETED,
    *UNDELIVERED,
]
PARTLY_PAID_BACK: list[OrderEvent] = [*PARTLY_DONE, GIVEN_BACK]
ALL_CAME_BACK: list[OrderEvent] = [
    *ONE_BACK,
    moved(FIRST, "shipped"),
    moved(FIRST, "returned"),
    ALL_RETURNED,
    called_off("returned_to_sender"),
]
ALL_REFUNDED: list[OrderEvent] = [*ALL_CAME_BACK, money_back(TOTAL), CANCELLED]
CANCELLING: list[OrderEvent] = [*SCHEDULED, called_off()]
ONE_CALLED_OFF: list[OrderEvent] = [*CANCELLING, moved(FIRST, "cancelled")]
ONE_GONE: list[OrderEvent] = [*CANCELLING, money_back(), moved(SECOND, "shipped")]
CANCELLED_ORDER: list[OrderEvent] = [
    *ONE_CALLED_OFF,
    moved(SECOND, "cancelled"),
    money_back(),
    CANCELLED,
]
GONE_ANYWAY: list[OrderEvent] = [*ONE_GONE, moved(FIRST, "cancelled"), CANCELLED]

SHAPES: dict[str, list[OrderEvent]] = {
    "split_new": NEW,
    "split_paying": PAYING,
    "split_paid": PAID,
    "split_half_booked": HALF_BOOKED,
    "split_scheduled": SCHEDULED,
    "split_one_left": ONE_LEFT,
    "split_captured": CAPTURED,
    "split_one_came": ONE_CAME,
    "split_one_back": ONE_BACK,
    "split_both_left": BOTH_LEFT,
    "split_done": DONE,
    "split_unpaid_at_the_door": UNPAID_AT_THE_DOOR,
    "split_partly_done": PARTLY_DONE,
    "split_partly_paid_back": PARTLY_PAID_BACK,
    "split_all_came_back": ALL_CAME_BACK,
    "split_all_refunded": ALL_REFUNDED,
    "split_cancelling": CANCELLING,
    "split_one_called_off": ONE_CALLED_OFF,
    "split_one_gone": ONE_GONE,
    "split_cancelled": CANCELLED_ORDER,
    "split_gone_anyway": GONE_ANYWAY,
}
"""An order of two shipments in every stage there is."""

ENDS = {
    name: SHAPES[name]
    for name in (
        "split_unpaid_at_the_door",
        "split_done",
        "split_partly_paid_back",
        "split_all_refunded",
        "split_cancelled",
        "split_gone_anyway",
    )
}
"""Those in which all that can happen to shipments has happened."""
