"""Whatever buyers, carriers, banks and crashes do, in whatever order: nobody is charged twice or
for nothing, and all of it comes to an end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from bus.messages import Money
from delivery.commands import RecordCheckpoint
from delivery.contract import Scan
from ordering.commands import ApproveReturn, ReceiveReturn
from ordering.contract import CancelOrder, Item, Means, PayOrder, PlaceOrder, RequestReturn
from ordering.order import Order
from payment import answers, authorization
from payment.balance import Ledger
from payment.balance_commands import CreditBuyer
from payment.calls import Asked, Call
from payment.commands import AskAgain, RecordOutcome
from payment.gateway import Approved
from payment.payment import Payment, PaymentEvent
from tests.ordering.histories import DOOR
from tests.payment.machine.bank import Fate, Hold
from tests.payment.machine.laws import hold_always, hold_in_the_end
from tests.payment.machine.world import World

Fates = tuple[Fate, ...]

FATES: tuple[Fates, ...] = (
    (),
    ("lost",),
    ("unheard",),
    ("lost", "lost", "lost"),
    ("unheard", "unheard", "unheard"),
    ("lost", "unheard", "away"),
    ("unheard", "unheard"),
    ("away",),
    ("declined",),
)
"""What becomes of a call, and of those that follow because nobody knows."""

PAUSES = tuple(timedelta(minutes=minutes) for minutes in (1, 20, 40, 24 * 60, 6 * 24 * 60))

PATIENCE = 4
"""Rounds in which everybody does all they can."""

SCANS: tuple[Scan, ...] = ("picked_up", "delivered", "returned_to_sender")

TOKENS = ("works", "works", "asks", "declined")

orders = st.integers(0, 2)
tokens = st.sampled_from(TOKENS)
gifts = st.sampled_from((5, 30, 71))
picks = st.integers(0, 2**16)


class Shop(RuleBasedStateMachine):
    """Three orders of two buyers."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.placed: dict[int, str] = {}
        self.asked = 0

    @initialize(
        token=tokens,
        use_credit=st.booleans(),
        euros=gifts,
        far=st.integers(0, 4),
        fates=st.sampled_from(FATES),
        old=st.booleans(),
    )
    def open(
        self, token: str, use_credit: bool, euros: int, far: int, fates: Fates, old: bool
    ) -> None:
        """An order has come so far, for steps at random seldom do; and it may have stayed there
        until what is set aside is to be renewed."""
        self.credit("b0", euros)
        self.place(0, token, use_credit)
        for status in (None, "picked_up", "delivered", None)[:far]:
            self.many_arrive(50)
            if status is not None:
                self.scan(0, status)
        self.bad_day(fates)
        if old:
            self.wait(PAUSES[-1])
            self.many_arrive(50)

    @rule(number=orders, token=tokens, use_credit=st.booleans())
    def place(self, number: int, token: str, use_credit: bool) -> None:
        """Once; the same request again changes nothing."""
        means = Means(method="card", token=token, use_credit=use_credit)
        asked = PlaceOrder(
            buyer_id=f"b{number % 2}",
            items=(Item(sku="MUG", quantity=2),),
            destination=DOOR,
            payment=means,
        )
        done = self.world.do(asked, f"place-{number}")
        assert done is not None
        assert self.placed.setdefault(number, done.answer.order_id) == done.answer.order_id

    @rule(number=orders, token=tokens, use_credit=st.booleans())
    def pay(self, number: int, token: str, use_credit: bool) -> None:
        """Again, with the same card or another, or having seen to what the bank had asked for."""
        if order := self.order(number):
            self.world.do(
                PayOrder(order_id=order.order_id, method="card", token=token, use_credit=use_credit)
            )

    @rule(number=orders)
    def pay_by_credit(self, number: int) -> None:
        """All of it."""
        if order := self.order(number):
            self.world.do(PayOrder(order_id=order.order_id, method="store_credit"))

    @rule(number=orders)
    def cancel(self, number: int) -> None:
        """It may be too late."""
        if order := self.order(number):
            self.world.do(CancelOrder(order_id=order.order_id))

    @rule(number=orders, status=st.sampled_from(SCANS))
    def scan(self, number: int, status: Scan) -> None:
        """The carrier has come, or been there, or come back."""
        if order := self.order(number):
            self.world.do(RecordCheckpoint(delivery_id=order.delivery_id, status=status))

    @rule(number=orders, quantity=st.integers(1, 2))
    def send_back(self, number: int, quantity: int) -> None:
        """The buyer wants to."""
        if order := self.order(number):
            items = (Item(sku="MUG", quantity=quantity),)
            asked = RequestReturn(order_id=order.order_id, items=items, reason="too blue")
            self.world.do(asked)

    @rule(number=orders, which=st.integers(0, 1))
    def receive(self, number: int, which: int) -> None:
        """What was to come back is there, whether a person had to say yes first or not."""
        order = self.order(number)
        if order is not None and len(order.returns) > which:
            return_id = order.returns[which].return_id
            self.world.do(ApproveReturn(return_id=return_id))
            self.world.do(ReceiveReturn(return_id=return_id))

    @rule(buyer=st.sampled_from(("b0", "b1")), euros=gifts)
    def credit(self, buyer: str, euros: int) -> None:
        """Given for whatever reason."""
        amount = Money(amount=euros * 100, currency="EUR")
        self.world.do(CreditBuyer(buyer_id=buyer, amount=amount, reason="a gift"))

    @rule(pick=picks, told=st.booleans())
    def confirm(self, pick: int, told: bool) -> None:
        """The buyer does what the bank asked for, and the gateway may tell of it."""
        waiting = [hold for hold in self.world.bank.holds.values() if hold.status == "open"]
        if waiting:
            hold = waiting[pick % len(waiting)]
            self.world.bank.confirm(hold)
            if told:
                self.tell(hold)

    @rule(pick=picks)
    def ring(self, pick: int) -> None:
        """A webhook, late or for no reason: how the money is held now is recorded."""
        held = [hold for hold in self.world.bank.holds.values() if hold.status == "held"]
        if held:
            self.tell(held[pick % len(held)])

    @rule(pick=picks, again=st.booleans())
    def one_arrives(self, pick: int, again: bool) -> None:
        """Any of the messages, perhaps not for the last time."""
        if steps := self.world.steps():
            work, number = steps[pick % len(steps)]
            self.world.step(work, number, again=again)

    @rule(many=st.integers(1, 25))
    def many_arrive(self, many: int) -> None:
        """In the order in which they were sent."""
        for _ in range(many):
            if not any(self.world.step(work) for work in list(self.world.bag)):
                return

    @rule(fates=st.sampled_from(FATES))
    def bad_day(self, fates: Fates) -> None:
        """At the bank, from now on: what becomes of each call, and of those that follow because
        nobody knows."""
        self.world.bad_day = fates

    @rule()
    def crash(self) -> None:
        """All is read again."""
        self.world.crash()

    @rule(pause=st.sampled_from(PAUSES))
    def wait(self, pause: timedelta) -> None:
        """Orders expire, calls are made again, what is set aside is renewed or runs out."""
        self.world.wait(pause)

    @rule(scarce=st.booleans())
    def look_at_the_shelf(self, scarce: bool) -> None:
        """What was reserved is broken."""
        self.world.scarce = scarce

    @rule(number=orders)
    def a_person_asks(self, number: int) -> None:
        """`shop payments retry`."""
        if order := self.order(number):
            self.world.do(AskAgain(payment_id=order.payment_id))

    @invariant()
    def the_laws_hold(self) -> None:
        hold_always(self.world)

    def teardown(self) -> None:
        try:
            self.come_to_rest()
            hold_always(self.world)
            hold_in_the_end(self.world)
        finally:
            self.world.close()

    def order(self, number: int) -> Order | None:
        """One of the orders, if it was placed."""
        return self.world.order(self.placed[number]) if number in self.placed else None

    def tell(self, hold: Hold) -> None:
        """As a webhook does."""
        outcome = Approved(authorization=hold.name, capture_before=hold.until)
        payment_id = hold.key.partition(":")[0]
        told = RecordOutcome(payment_id=payment_id, gateway_key=hold.key, outcome=outcome)
        self.world.do(told)

    def come_to_rest(self) -> None:
        """Everything arrives, everybody does what they are waited for, all timers ring."""
        self.world.scarce, self.world.bad_day = False, ()
        for _ in range(PATIENCE):
            self.many_arrive(500)
            for order, payment in list(self.world.orders()):
                for status in ("picked_up", "delivered"):
                    scan = RecordCheckpoint(delivery_id=order.delivery_id, status=status)
                    self.world.do(scan)
                if payment is not None:
                    self.world.do(AskAgain(payment_id=payment.payment_id))
                self.many_arrive(500)
            self.world.wait(timedelta(days=1))


TestMoney = Shop.TestCase
TestMoney.settings = settings(max_examples=80, stateful_step_count=40)


@pytest.mark.long
def test_a_long_run_breaks_no_law_either() -> None:
    """`make fuzz`: other steps each time."""
    run_state_machine_as_test(Shop, settings=settings(max_examples=5_000, stateful_step_count=80))


def every_try_has_a_key_of_its_own(patch: pytest.MonkeyPatch) -> None:
    """The gateway takes the second for another call."""
    real = answers._again

    def again(payment: Payment, call: Call, now: datetime) -> PaymentEvent | None:
        asked = real(payment, call, now)
        if not isinstance(asked, Asked):
            return asked
        return asked.model_copy(update={"gateway_key": f"{asked.gateway_key}.{asked.tries}"})

    patch.setattr(answers, "_again", again)


def late_authorizations_count(patch: pytest.MonkeyPatch) -> None:
    """Whatever has become of the payment meanwhile."""
    patch.setattr(authorization, "_wanted", lambda payment, attempt: True)


def credit_that_is_set_aside_is_free(patch: pytest.MonkeyPatch) -> None:
    """Two orders may spend it."""
    patch.setattr(Ledger, "available", property(lambda ledger: ledger.balance))


def a_cancelled_order_waits_for_nothing(patch: pytest.MonkeyPatch) -> None:
    """The money may be back later."""
    patch.setattr(Order, "wound_up", property(lambda order: True))


@pytest.mark.parametrize(
    "plant",
    [
        pytest.param(every_try_has_a_key_of_its_own, marks=pytest.mark.long),
        pytest.param(late_authorizations_count, marks=pytest.mark.long),
        pytest.param(credit_that_is_set_aside_is_free, marks=pytest.mark.long),
        a_cancelled_order_waits_for_nothing,
    ],
)
def test_a_rule_that_is_broken_is_found(
    plant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    enough = settings(
        TestMoney.settings,
        max_examples=2_000,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        report_multiple_bugs=False,
    )
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Shop, settings=enough)
