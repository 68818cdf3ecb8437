"""What follows from what: each event, and exactly the commands it leads to."""

import inspect
from collections.abc import Iterable
from types import ModuleType
from typing import Any, get_args

import pytest

import catalog.contract
import delivery.contract
import payment.contract
from bus.dispatch import context_of
from bus.messages import Command, Event
from bus.messages import Window as Period
from bus.policies import CallOff, Later
from catalog.contract import (
    ANYWHERE,
    AllocateStock,
    AllocationFailed,
    Line,
    Lot,
    ReleaseStock,
    ReservationLapsed,
    ReserveStock,
    RestockStock,
    ShipStock,
    StockDenied,
    StockRanLow,
    StockReserved,
    Taken,
)
from delivery.contract import (
    CancelDelivery,
    DeliveryAssigned,
    DeliveryAttemptFailed,
    DeliveryCancelled,
    DeliveryDelivered,
    DeliveryPickedUp,
    DeliveryRescheduled,
    DeliveryReturned,
    DeliveryScheduled,
    FreeSlot,
)
from delivery.contract import Slot as Window
from ordering import commands as steps
from ordering.contract import PickupStatus
from ordering.handlers import STEPS
from ordering.order import OrderEvent
from ordering.policies import POLICIES, SCHEDULES
from payment.contract import (
    AuthorizePayment,
    CancelPayment,
    CapturePayment,
    PaymentActionRequired,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentLapsed,
    PaymentRefunded,
    PaymentVoided,
    RefundPayment,
)
from payment.contract import Means as PaymentMeans
from payment.contract import NextAction as PaymentAction
from payment.contract import PaymentDeclined as Declined
from tests.ordering.fetching import STAYS, WANTED
from tests.ordering.histories import (
    ACTION,
    CANCELLED,
    CONFIRMED,
    DOOR,
    EXPIRED,
    EXPIRY,
    GONE,
    NOTHING,
    NOW,
    PLACED,
    PRICE,
    REJECTED,
    RETURNED,
    SHIPPED,
    SLOT,
    START,
    TOTAL,
    calling_off,
    came_back,
    requested,
)
from tests.ordering.shared import (
    FIRST,
    LEFT,
    PARTS,
    SECOND,
    UNDELIVERED,
    ZURICH,
    called_off,
    moved,
)

LINES = (Line(sku="MUG-BLUE", quantity=2, unit_price=PRICE),)
LOT = (Lot(sku="MUG-BLUE", quantity=1),)
WINDOW = Window.model_validate({"slot_id": "s1", "from": START, "to": EXPIRY})

CANCEL_PAYMENT = CancelPayment(payment_id="pay_1", reference="ord_1")
FREE_SLOT = FreeSlot(slot_id="s1", reference="ord_1")


def in_slot(event: Event) -> Event:
    """The same, of an order that has a place in a slot."""
    return event.model_copy(update={"slot_id": "s1"})


def scheduled(slot: Window | None) -> DeliveryScheduled:
    return DeliveryScheduled(
        delivery_id="dlv_1",
        reference="ord_1",
        warehouse_id="vaduz",
        destination=DOOR,
        carrier="house",
        tracking_number="1",
        slot=slot,
    )


FETCHES: Any = {"delivery_id": "dlv_r1_1", "reference": "ord_1", "kind": "return"}


def fetched(status: PickupStatus, window: Period | None = None) -> steps.MovePickup:
    return steps.MovePickup(order_id="ord_1", return_id="ret_1_1", status=status, window=window)


WHEN = Period.model_validate({"from": START, "to": EXPIRY})

TABLE: list[tuple[Event, list[Command[Any]]]] = [
    (
        PLACED,
        [
            ReserveStock(
                reservation_id="ord_1",
                lines=LINES,
                expires_at=EXPIRY,
                warehouses=("vaduz",),
                ordered_at=START,
            ),
        ],
    ),
    (
        requested(2),
        [
            AuthorizePayment(
                payment_id="pay_1",
                reference="ord_1",
                buyer_id="b1",
                attempt=2,
                amount=TOTAL,
                means=PaymentMeans(method="card", token="pm_card_visa"),
            )
        ],
    ),
    (
        CONFIRMED,
        [AllocateStock(reservation_id="ord_1"), steps.BookDelivery(order_id="ord_1")],
    ),
    (REJECTED, []),
    (in_slot(REJECTED), [FREE_SLOT]),
    (EXPIRED, [CANCEL_PAYMENT, ReleaseStock(reservation_id="ord_1")]),
    (in_slot(EXPIRED), [CANCEL_PAYMENT, ReleaseStock(reservation_id="ord_1"), FREE_SLOT]),
    (SHIPPED, [CapturePayment(payment_id="pay_1"), ShipStock(reservation_id="ord_1")]),
    (LEFT, [CapturePayment(payment_id="pay_1")]),
    (moved(SECOND, "shipped"), [ShipStock(reservation_id="ord_1", warehouse_id=ZURICH)]),
    *((moved(SECOND, status), []) for status in ("scheduled", "delivered", "cancelled")),
    (GONE, [ShipStock(reservation_id="ord_1")]),
    (
        calling_off(),
        [CANCEL_PAYMENT, CancelDelivery(delivery_id="dlv_1", reference="ord_1")],
    ),
    (
        in_slot(calling_off()),
        [
            CANCEL_PAYMENT,
            CancelDelivery(delivery_id="dlv_1", reference="ord_1", slot_id="s1"),
        ],
    ),
    (
        called_off(),
        [
            CANCEL_PAYMENT,
            CancelDelivery(delivery_id=FIRST, reference="ord_1"),
            CancelDelivery(delivery_id=SECOND, reference="ord_1"),
        ],
    ),
    (CANCELLED, [ReleaseStock(reservation_id="ord_1")]),
    (
        StockReserved(reservation_id="ord_1", lines=LINES, expires_at=EXPIRY),
        [steps.RequestPayment(order_id="ord_1")],
    ),
    (
        StockReserved(
            reservation_id="ord_1",
            lines=LINES,
            expires_at=EXPIRY,
            warehouse_id="vaduz",
            taken=(
                Taken(sku="MUG-BLUE", quantity=1, warehouse_id="vaduz", sent_by="vaduz"),
                Taken(sku="MUG-BLUE", quantity=1, warehouse_id=ANYWHERE, sent_by="vaduz"),
                Taken(sku="BOWL", quantity=3, warehouse_id=ZURICH, sent_by=ZURICH),
            ),
        ),
        [steps.RequestPayment(order_id="ord_1", warehouse_id="vaduz", parts=PARTS)],
    ),
    (
        StockDenied(reservation_id="ord_1", reason="price_changed", skus=("MUG-BLUE",)),
        [steps.RejectOrder(order_id="ord_1", reason="price_changed", skus=("MUG-BLUE",))],
    ),
    (
        AllocationFailed(reservation_id="ord_1", skus=("MUG-BLUE",)),
        [steps.AbandonOrder(order_id="ord_1", reason="out_of_stock")],
    ),
    (
        PaymentAuthorized(payment_id="pay_1", reference="ord_1", attempt=1, amount=TOTAL),
        [steps.ConfirmOrder(order_id="ord_1")],
    ),
    (
        Declined(payment_id="pay_1", reference="ord_1", attempt=2, reason="card_declined"),
        [steps.DeclinePayment(order_id="ord_1", attempt=2, reason="card_declined")],
    ),
    (
        PaymentActionRequired(
            payment_id="pay_1",
            reference="ord_1",
            attempt=2,
            action=PaymentAction(type=ACTION.type, url=ACTION.url),
        ),
        [steps.RequireAction(order_id="ord_1", attempt=2, action=ACTION)],
    ),
    (
        PaymentCaptured(payment_id="pay_1", reference="ord_1", amount=TOTAL),
        [steps.TakePayment(order_id="ord_1", amount=TOTAL)],
    ),
    (PaymentVoided(payment_id="pay_1", reference="ord_1"), [steps.ReturnMoney(order_id="ord_1")]),
    (
        PaymentRefunded(payment_id="pay_1", reference="ord_1", amount=TOTAL),
        [steps.ReturnMoney(order_id="ord_1", amount=TOTAL)],
    ),
    (
        PaymentRefunded(payment_id="pay_1", reference="ord_1", amount=PRICE, refund_id="ret_1_1"),
        [steps.SettleReturn(order_id="ord_1", return_id="ret_1_1", amount=PRICE)],
    ),
    (
        PaymentLapsed(payment_id="pay_1", reference="ord_1", reason="card_declined"),
        [steps.AbandonOrder(order_id="ord_1", reason="authorization_expired")],
    ),
    (
        RETURNED,
        [
            RestockStock(
                reservation_id="ord_1",
                return_id="returned_to_sender",
                restock=(Lot(sku="MUG-BLUE", quantity=2),),
            )
        ],
    ),
    (RETURNED.model_copy(update={"items": ()}), []),
    (
        came_back(1, 1, TOTAL),
        [
            RestockStock(reservation_id="ord_1", return_id="ret_1_1", restock=LOT, write_off=LOT),
            RefundPayment(payment_id="pay_1", refund_id="ret_1_1", amount=TOTAL),
        ],
    ),
    (
        UNDELIVERED[1],
        [
            RestockStock(
                reservation_id="ord_1",
                return_id="ret_1_1",
                warehouse_id=ZURICH,
                restock=(Lot(sku="BOWL", quantity=3),),
            ),
            RefundPayment(payment_id="pay_1", refund_id="ret_1_1", amount=UNDELIVERED[1].refund),
        ],
    ),
    (
        came_back(1, 0, NOTHING),
        [RestockStock(reservation_id="ord_1", return_id="ret_1_1", restock=LOT)],
    ),
    (scheduled(None), [steps.ArrangeDelivery(order_id="ord_1", delivery_id="dlv_1")]),
    (scheduled(WINDOW), [steps.ArrangeDelivery(order_id="ord_1", delivery_id="dlv_1", slot=SLOT)]),
    (
        DeliveryPickedUp(delivery_id="dlv_1", reference="ord_1", at=NOW),
        [steps.ShipOrder(order_id="ord_1", delivery_id="dlv_1")],
    ),
    (
        DeliveryDelivered(delivery_id="dlv_1", reference="ord_1", at=NOW),
        [steps.DeliverOrder(order_id="ord_1", delivery_id="dlv_1")],
    ),
    (
        DeliveryReturned(delivery_id="dlv_1", reference="ord_1", at=NOW),
        [steps.TakeBack(order_id="ord_1", delivery_id="dlv_1")],
    ),
    (
        DeliveryCancelled(delivery_id="dlv_1", reference="ord_1"),
        [steps.CallOffDelivery(order_id="ord_1", delivery_id="dlv_1")],
    ),
    (
        DeliveryRescheduled(delivery_id="dlv_1", reference="ord_1", attempt=1, slot=WINDOW, at=NOW),
        [steps.ChangeSlot(order_id="ord_1", delivery_id="dlv_1", slot=SLOT)],
    ),
    (WANTED, [steps.BookPickup(order_id="ord_1", return_id="ret_1_1")]),
    (STAYS, [CancelDelivery(delivery_id="dlv_r1_1", reference="ord_1", kind="return")]),
    (scheduled(None).model_copy(update=FETCHES), [fetched("scheduled")]),
    (scheduled(WINDOW).model_copy(update=FETCHES), [fetched("scheduled", WHEN)]),
    (DeliveryRescheduled(**FETCHES, attempt=1, slot=WINDOW, at=NOW), [fetched("scheduled", WHEN)]),
    (DeliveryPickedUp(**FETCHES, at=NOW), [fetched("on_its_way")]),
    (DeliveryDelivered(**FETCHES, at=NOW), [fetched("arrived")]),
    (DeliveryReturned(**FETCHES, at=NOW), [fetched("failed")]),
    (DeliveryCancelled(**FETCHES), [fetched("cancelled")]),
]

UNHEARD = {
    ReservationLapsed: "the order's own timer expires it; one that is paid by then asks for the "
    "stock again, and hears AllocationFailed when it is gone",
    DeliveryAssigned: "whoever brings it, the order waits for the goods to be picked up",
    DeliveryAttemptFailed: "the goods are still on their way; delivery has them brought again",
    StockRanLow: "the shop's own people order more; no order is short of anything yet",
}
"""Public events of the other contexts that move no order, and why."""

NOTHING_FOLLOWS = {
    "OrderRerouted": "what follows is said by the PaymentRequested beside it",
    "OrderSplit": "what follows is said by the PaymentRequested beside it",
    "PaymentDeclined": "it is the buyer's turn",
    "ActionRequired": "it is the buyer's turn",
    "DeliveryArranged": "it is the carrier's turn",
    "PaymentTaken": "it is the carrier's turn",
    "OrderDelivered": "the money is on its way already",
    "OrderCompleted": "done",
    "SlotChanged": "it is the carrier's turn",
    "DeliveryCalledOff": "what follows is said by the OrderCancelled that comes with the money",
    "MoneyReturned": "what follows is said by the OrderCancelled beside it",
    "ReturnRequested": "the shop's rule approves it at once, or a person has to look",
    "ReturnApproved": "it is the buyer's turn",
    "ReturnRejected": "nothing goes back",
    "ReturnRefunded": "done",
    "PickupMoved": "it is the carrier's turn, or somebody at the warehouse has to look",
}
"""An order's own events from which nothing follows, and why."""


@pytest.mark.parametrize(("event", "commands"), TABLE, ids=lambda it: type(it).__name__)
def test_an_event_leads_to_exactly_these_commands(event: Event, commands: list[Any]) -> None:
    assert list(POLICIES[type(event)](event)) == commands


def test_every_policy_is_in_the_table() -> None:
    assert {type(event) for event, _ in TABLE} == set(POLICIES)


def public_events(contract: ModuleType) -> Iterable[type[Event]]:
    for _, thing in inspect.getmembers(contract, inspect.isclass):
        if issubclass(thing, Event) and thing.type_name and thing.__module__ == contract.__name__:
            yield thing


@pytest.mark.parametrize("contract", [catalog.contract, delivery.contract, payment.contract])
def test_every_public_event_is_heard_or_left_for_a_reason(contract: ModuleType) -> None:
    public = set(public_events(contract))
    assert public
    for event in public:
        assert (event in POLICIES) != (event in UNHEARD), event.type_name


def test_nothing_follows_from_an_own_event_only_for_a_reason() -> None:
    for event in get_args(OrderEvent):
        assert (event in POLICIES) != (event.__name__ in NOTHING_FOLLOWS), event.type_name


def test_an_order_expires_in_time_unless_it_gets_on_before() -> None:
    due = steps.ExpireOrder(order_id="ord_1")
    assert SCHEDULES[type(PLACED)](PLACED) == Later("expire-ord_1", EXPIRY, due)
    for event in (CONFIRMED, REJECTED, calling_off()):
        assert SCHEDULES[type(event)](event) == CallOff("expire-ord_1")


def test_every_step_that_a_policy_sends_is_handled() -> None:
    sent = {type(command) for _, commands in TABLE for command in commands} | {steps.ExpireOrder}
    own = {command for command in sent if context_of(command) == "ordering"}
    assert own - {steps.BookDelivery, steps.BookPickup} == set(STEPS)
