"""Whatever comes, in whatever order and however often: what never happens to an order."""

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from bus.messages import Busy, Refused
from ordering import cancelling, return_rules, rules
from ordering.contract import TERMINAL, Item, Status
from ordering.order import (
    DeliveryCalledOff,
    GoodsGone,
    Order,
    OrderCancelled,
    OrderCompleted,
    OrderConfirmed,
    OrderEvent,
    OrderShipped,
    PaymentTaken,
    evolve,
)
from ordering.return_rules import Terms
from ordering.returns import Return, ReturnRefunded, ReturnRequested
from tests.ordering.histories import ACTION, EXPIRY, NOTHING, OTHER, PLACED, START, TOTAL, replay

Step = Callable[[Order, datetime], rules.Events]

ATTEMPTS = (1, 2, 3)

TERMS = Terms(auto_approve=0)

BOTH = (Item(sku="MUG-BLUE", quantity=2),)


def known(order: Order) -> Return:
    """The first return there was of an order."""
    return return_rules.known(order, "ret_1_1")


def declining(attempt: int) -> Step:
    return lambda order, now: rules.decline(order, attempt, "card_declined", now)


def asking(attempt: int) -> Step:
    return lambda order, now: rules.require_action(order, attempt, ACTION, now)


STEPS: dict[str, Step] = {
    "place": lambda order, now: rules.place(order, PLACED),
    "reject": lambda order, now: rules.reject(order, "out_of_stock", now),
    "request": rules.request_payment,
    "pay": lambda order, now: rules.pay(order, OTHER, now),
    "confirm": rules.confirm,
    "expire": rules.expire,
    "arrange": lambda order, now: rules.arrange_delivery(order, None, now),
    "ship": rules.ship,
    "capture": lambda order, now: rules.take_payment(order, TOTAL, now),
    "deliver": rules.deliver,
    "take back": cancelling.take_back,
    "cancel": lambda order, now: cancelling.cancel(order, "changed_my_mind", now),
    "abandon": lambda order, now: cancelling.abandon(order, "out_of_stock", now),
    "call off": cancelling.call_off_delivery,
    "void": lambda order, now: cancelling.return_money(order, NOTHING, now),
    "refund": lambda order, now: cancelling.return_money(order, TOTAL, now),
    "send back": lambda order, now: return_rules.request(order, BOTH, "chipped", TERMS, now),
    "approve": lambda order, now: return_rules.approve(known(order), "admin:cli", now),
    "turn down": lambda order, now: return_rules.reject(known(order), "used", now),
    "receive": lambda order, now: return_rules.receive(order, known(order), (), now),
    "settle": lambda order, now: return_rules.settle(order, "ret_1_1", TOTAL, now),
    **{f"decline {n}": declining(n) for n in ATTEMPTS},
    **{f"ask {n}": asking(n) for n in ATTEMPTS},
}

MOVES: dict[Status, set[Status]] = {
    "pending": {"confirmed", "rejected", "expired", "cancelling"},
    "confirmed": {"completed", "cancelling"},
    "cancelling": {"cancelled"},
    "completed": set(),
    "rejected": set(),
    "expired": set(),
    "cancelled": set(),
}
"""The life of an order, DESIGN section 8."""


def lived(names: list[str], times: list[datetime]) -> list[OrderEvent]:
    """An order's history when these steps are tried at these times."""
    history: list[OrderEvent] = [PLACED]
    for name, now in zip(names, times, strict=True):
        try:
            history += STEPS[name](replay(history), now)
        except (Refused, Busy):
            continue
    return history


def check(history: list[OrderEvent]) -> None:
    """Every law, at every event."""
    order = replay(history[:1])
    before: list[OrderEvent] = history[:1]
    for event in history[1:]:
        after = evolve(order, event)
        assert after.status == order.status or after.status in MOVES[order.status]
        if order.status in TERMINAL:
            assert after.status == order.status
        match event:
            case PaymentTaken():
                assert any(isinstance(earlier, OrderShipped | GoodsGone) for earlier in before)
            case OrderConfirmed():
                assert order.status == "pending"
                assert order.attempt > 0
            case OrderCompleted():
                assert (order.fulfillment_status, order.payment_status) == ("delivered", "captured")
            case OrderCancelled():
                assert order.payment_status in ("voided", "refunded")
                assert order.delivery_called_off or order.shipped
            case OrderShipped():
                assert order.status == "confirmed"
            case ReturnRequested():
                assert (order.status, order.payment_status) == ("completed", "captured")
            case ReturnRefunded():
                assert known(order).status == "received"
                assert (after.payment_status, after.refunded) == ("refunded", TOTAL)
            case DeliveryCalledOff():
                assert not order.shipped
            case _:
                pass
        assert after.refunded.amount <= after.total.amount
        assert after.updated_at == event.at
        order, before = after, [*before, event]


moments = st.integers(0, 3600).map(lambda seconds: START + timedelta(seconds=seconds))
steps = st.lists(st.sampled_from(sorted(STEPS)), max_size=40)

USUAL = ["request", "confirm", "arrange", "ship", "capture", "deliver"]
USUAL += ["send back", "approve", "receive", "settle"]
"""What usually happens: random steps alone seldom come as far."""


@settings(max_examples=300)
@given(names=steps, data=st.data())
def test_no_order_of_steps_breaks_a_law(names: list[str], data: st.DataObject) -> None:
    times = data.draw(st.lists(moments, min_size=len(names), max_size=len(names)))
    check(lived(names, times))


@settings(max_examples=300)
@given(extra=steps, data=st.data())
def test_what_usually_happens_survives_whatever_comes_between(
    extra: list[str], data: st.DataObject
) -> None:
    names = list(USUAL)
    for name in extra:
        names.insert(data.draw(st.integers(0, len(names))), name)
    times = sorted(data.draw(st.lists(moments, min_size=len(names), max_size=len(names))))
    history = lived(names, times)
    check(history)
    assert all(a.at <= b.at for a, b in pairwise(history))


@settings(max_examples=200)
@given(names=steps)
def test_a_step_that_is_repeated_at_once_adds_nothing(names: list[str]) -> None:
    times = [EXPIRY] * len(names)
    # To pay twice is to pay once: the second is refused while the first is under way.
    twice = [name for name in names for _ in range(2)]
    assert lived(twice, [EXPIRY] * len(twice)) == lived(names, times)
