"""Histories of order `ord_1` to build tests on."""

from datetime import UTC, datetime, timedelta
from functools import reduce

from bus.messages import Address, Money
from ordering.contract import Means, NextAction, PricedItem, ReturnedItem, Slot
from ordering.order import (
    ActionRequired,
    CancellationRequested,
    DeliveryArranged,
    DeliveryCalledOff,
    GoodsGone,
    GoodsReturned,
    MoneyReturned,
    Order,
    OrderCancelled,
    OrderCompleted,
    OrderConfirmed,
    OrderDelivered,
    OrderEvent,
    OrderExpired,
    OrderPlaced,
    OrderRejected,
    OrderShipped,
    PaymentDeclined,
    PaymentRequested,
    PaymentTaken,
    evolve,
)
from ordering.returns import (
    ReturnApproved,
    ReturnReceived,
    ReturnRefunded,
    ReturnRejected,
    ReturnRequested,
)

START = datetime(2024, 3, 1, 12, 0, tzinfo=UTC)
NOW = START + timedelta(minutes=5)
EXPIRY = START + timedelta(minutes=30)

PRICE = Money(amount=10_50, currency="EUR")
DELIVERY = Money(amount=50_00, currency="EUR")
TOTAL = Money(amount=71_00, currency="EUR")
NOTHING = TOTAL.zero()

VISA = Means(method="card", token="pm_card_visa")
OTHER = Means(method="card", token="pm_card_mastercard")
ACTION = NextAction(type="redirect", url="https://bank.example/3ds")
SLOT = Slot.model_validate({"slot_id": "s1", "from": START, "to": EXPIRY})

MUGS = PricedItem(
    sku="MUG-BLUE", name="Mug", quantity=2, unit_price=PRICE, line_total=PRICE.times(2)
)
DOOR = Address(
    house_number="12", road="Landstrasse", district="Schaan", postcode="9494", country="LI"
)


def replay(history: list[OrderEvent]) -> Order:
    """The order after all that."""
    order: Order | None = reduce(evolve, history, None)
    assert order is not None
    return order


PLACED = OrderPlaced(
    order_id="ord_1",
    client="webshop",
    buyer_id="b1",
    items=(MUGS,),
    destination=DOOR,
    product_cost=PRICE.times(2),
    delivery_cost=DELIVERY,
    total=TOTAL,
    means=VISA,
    payment_id="pay_1",
    delivery_id="dlv_1",
    warehouse_id="vaduz",
    at=START,
    reserved_until=EXPIRY,
    expires_at=EXPIRY,
)


def requested(attempt: int = 1, means: Means = VISA, at: datetime = NOW) -> PaymentRequested:
    return PaymentRequested(
        order_id="ord_1",
        payment_id="pay_1",
        buyer_id="b1",
        attempt=attempt,
        amount=TOTAL,
        means=means,
        at=at,
    )


def declined(attempt: int = 1) -> PaymentDeclined:
    return PaymentDeclined(order_id="ord_1", attempt=attempt, reason="card_declined", at=NOW)


def needs_action(attempt: int = 1) -> ActionRequired:
    return ActionRequired(order_id="ord_1", attempt=attempt, action=ACTION, at=NOW)


def calling_off(reason: str = "changed_my_mind") -> CancellationRequested:
    return CancellationRequested(
        order_id="ord_1", payment_id="pay_1", delivery_id="dlv_1", reason=reason, at=NOW
    )


def money_back(amount: Money = NOTHING) -> MoneyReturned:
    return MoneyReturned(order_id="ord_1", amount=amount, at=NOW)


def mugs(quantity: int) -> tuple[ReturnedItem, ...]:
    return (ReturnedItem(sku="MUG-BLUE", quantity=quantity),) if quantity else ()


def sending_back(quantity: int, refund: Money, number: int = 1) -> ReturnRequested:
    return ReturnRequested(
        order_id="ord_1",
        return_id=f"ret_{number}_1",
        items=mugs(quantity),
        reason="chipped",
        buyer_id="b1",
        refund=refund,
        at=NOW,
    )


def approved(number: int = 1, by: str = "rule") -> ReturnApproved:
    return ReturnApproved(order_id="ord_1", return_id=f"ret_{number}_1", by=by, at=NOW)


def turned_down(number: int = 1) -> ReturnRejected:
    return ReturnRejected(order_id="ord_1", return_id=f"ret_{number}_1", reason="used", at=NOW)


def came_back(fit: int, spoilt: int, refund: Money, number: int = 1) -> ReturnReceived:
    return ReturnReceived(
        order_id="ord_1",
        return_id=f"ret_{number}_1",
        payment_id="pay_1",
        restock=mugs(fit),
        write_off=mugs(spoilt),
        refund=refund,
        at=NOW,
    )


def paid_back(amount: Money, number: int = 1) -> ReturnRefunded:
    return ReturnRefunded(order_id="ord_1", return_id=f"ret_{number}_1", amount=amount, at=NOW)


REJECTED = OrderRejected(order_id="ord_1", reason="out_of_stock", at=NOW)
CONFIRMED = OrderConfirmed(order_id="ord_1", at=NOW)
EXPIRED = OrderExpired(order_id="ord_1", payment_id="pay_1", at=EXPIRY)
ARRANGED = DeliveryArranged(order_id="ord_1", at=NOW)
SHIPPED = OrderShipped(order_id="ord_1", payment_id="pay_1", at=NOW)
TAKEN = PaymentTaken(order_id="ord_1", amount=TOTAL, at=NOW)
DELIVERED = OrderDelivered(order_id="ord_1", at=NOW)
COMPLETED = OrderCompleted(order_id="ord_1", at=NOW)
RETURNED = GoodsReturned(order_id="ord_1", items=mugs(2), at=NOW)
GONE = GoodsGone(order_id="ord_1", at=NOW)
CALLED_OFF = DeliveryCalledOff(order_id="ord_1", at=NOW)
CANCELLED = OrderCancelled(order_id="ord_1", at=NOW)

NEW: list[OrderEvent] = [PLACED]
PAYING: list[OrderEvent] = [*NEW, requested()]
REFUSED: list[OrderEvent] = [*PAYING, declined()]
ASKED: list[OrderEvent] = [*PAYING, needs_action()]
PAID: list[OrderEvent] = [*PAYING, CONFIRMED]
SCHEDULED: list[OrderEvent] = [*PAID, ARRANGED]
UNDER_WAY: list[OrderEvent] = [*SCHEDULED, SHIPPED]
CAPTURED: list[OrderEvent] = [*UNDER_WAY, TAKEN]
AT_THE_DOOR: list[OrderEvent] = [*UNDER_WAY, DELIVERED]
DONE: list[OrderEvent] = [*CAPTURED, DELIVERED, COMPLETED]
TURNED_DOWN: list[OrderEvent] = [*NEW, REJECTED]
LATE: list[OrderEvent] = [*REFUSED, EXPIRED]
CANCELLING: list[OrderEvent] = [*SCHEDULED, calling_off()]
CANCELLED_ORDER: list[OrderEvent] = [*CANCELLING, CALLED_OFF, money_back(), CANCELLED]
SENT_BACK: list[OrderEvent] = [*CAPTURED, RETURNED, calling_off("returned_to_sender")]
REFUNDED: list[OrderEvent] = [*SENT_BACK, money_back(TOTAL), CANCELLED]
GONE_ANYWAY: list[OrderEvent] = [*CANCELLING, GONE, money_back(), CANCELLED]
ASKED_BACK: list[OrderEvent] = [*DONE, sending_back(1, PRICE)]
TO_COME_BACK: list[OrderEvent] = [*ASKED_BACK, approved()]
KEPT: list[OrderEvent] = [*ASKED_BACK, turned_down()]
CAME_BACK: list[OrderEvent] = [*TO_COME_BACK, came_back(1, 0, PRICE)]
PARTLY_BACK: list[OrderEvent] = [*CAME_BACK, paid_back(PRICE)]
REST = PRICE + DELIVERY
ALL_BACK: list[OrderEvent] = [
    *PARTLY_BACK,
    sending_back(1, REST, 2),
    approved(2, "admin:cli"),
    came_back(0, 1, REST, 2),
    paid_back(REST, 2),
]

SHAPES: dict[str, list[OrderEvent]] = {
    "new": NEW,
    "paying": PAYING,
    "refused": REFUSED,
    "asked": ASKED,
    "paid": PAID,
    "scheduled": SCHEDULED,
    "under_way": UNDER_WAY,
    "captured": CAPTURED,
    "at_the_door": AT_THE_DOOR,
    "done": DONE,
    "turned_down": TURNED_DOWN,
    "late": LATE,
    "cancelling": CANCELLING,
    "cancelled": CANCELLED_ORDER,
    "sent_back": SENT_BACK,
    "refunded": REFUNDED,
    "gone_anyway": GONE_ANYWAY,
    "asked_back": ASKED_BACK,
    "to_come_back": TO_COME_BACK,
    "kept": KEPT,
    "came_back": CAME_BACK,
    "partly_back": PARTLY_BACK,
    "all_back": ALL_BACK,
}
"""An order in every stage there is."""
