"""However a buyer's payments go, side by side: no credit is spent twice, and none is lost."""

from collections.abc import Callable
from functools import reduce

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from bus.messages import Money, Refused
from payment import answers, balance
from payment.authorization import authorize
from payment.balance import CreditGranted, Ledger
from payment.calls import Asked
from payment.cancellation import cancel
from payment.capture import capture
from payment.contract import (
    AuthorizePayment,
    CancelPayment,
    CapturePayment,
    Means,
    RefundPayment,
)
from payment.credit import entries
from payment.gateway import ActionRequired, Approved, Declined, Outcome
from payment.payment import Payment, PaymentEvent, evolve
from payment.refund import refund
from payment.renewal import renew
from tests.payment.histories import ACTION, AT, euros

Rule = Callable[[Payment | None], list[PaymentEvent]]

some = st.integers(1, 20)
begun = precondition(lambda self: self.payments)
outcomes = st.sampled_from(
    (Approved(), Declined(reason="card_declined"), ActionRequired(action=ACTION))
)
means = st.sampled_from(
    (
        Means(method="store_credit"),
        Means(method="card", token="pm_card_visa", use_credit=True),
        Means(method="card", token="pm_card_visa"),
    )
)


class Purse(RuleBasedStateMachine):
    """One buyer, whose payments draw on the same credit; each decision is one commit, as it is in
    the handlers."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger: Ledger | None = None
        self.given = 0
        self.payments: dict[str, Payment] = {}
        self.calls: list[Asked] = []

    def decide(self, payment_id: str, decision: Rule) -> None:
        payment = self.payments.get(payment_id)
        try:
            events = decision(payment)
        except Refused:
            return
        self.ledger = reduce(balance.evolve, entries(payment, events), self.ledger)
        for event in events:
            self.payments[payment_id] = payment = evolve(payment, event)
            if isinstance(event, Asked):
                self.calls.append(event)

    def answer(self, call: Asked, outcome: Outcome) -> None:
        self.decide(
            call.payment_id,
            lambda payment: answers.record(payment, call.payment_id, call.gateway_key, outcome, AT),
        )

    @initialize(amount=some)
    def begin(self, amount: int) -> None:
        self.give(amount=amount)

    @rule(amount=some)
    def give(self, amount: int) -> None:
        event = CreditGranted(buyer_id="b1", amount=euros(amount), reason="a gift")
        for granted in balance.grant(self.ledger, event, "EUR"):
            self.ledger = balance.evolve(self.ledger, granted)
        self.given += amount

    @rule(id=st.sampled_from(("p1", "p2", "p3")), amount=some, means=means)
    def pay(self, id: str, amount: int, means: Means) -> None:
        payment = self.payments.get(id)
        asked = AuthorizePayment(
            payment_id=id,
            reference=f"order-{id}",
            buyer_id="b1",
            attempt=1 if payment is None else len(payment.attempts) + 1,
            amount=euros(amount),
            means=means,
        )
        self.decide(id, lambda payment: authorize(payment, asked, self.available(), AT))

    @precondition(lambda self: self.calls)
    @rule(back=st.integers(0, 3), outcome=outcomes)
    def hear(self, back: int, outcome: Outcome) -> None:
        call = self.calls[-1 - back % len(self.calls)]
        self.answer(call, outcome if call.operation == "authorize" else Approved())

    @begun
    @rule(data=st.data(), amount=st.none() | some)
    def take(self, data: st.DataObject, amount: int | None) -> None:
        id = self.one(data)
        asked = CapturePayment(payment_id=id, amount=None if amount is None else euros(amount))
        self.decide(id, lambda payment: capture(answers.known(payment, id), asked, AT))

    @begun
    @rule(data=st.data(), name=st.sampled_from(("r1", "r2")), amount=some)
    def give_back(self, data: st.DataObject, name: str, amount: int) -> None:
        id = self.one(data)
        asked = RefundPayment(payment_id=id, refund_id=name, amount=euros(amount))
        self.decide(id, lambda payment: refund(answers.known(payment, id), asked, AT))

    @begun
    @rule(data=st.data())
    def hold_for_longer(self, data: st.DataObject) -> None:
        id = self.one(data)
        attempt = self.payments[id].paid_by or 1
        self.decide(id, lambda payment: renew(payment, attempt, AT))

    @begun
    @rule(data=st.data())
    def call_off(self, data: st.DataObject) -> None:
        self.cancel(self.one(data))

    def one(self, data: st.DataObject) -> str:
        """One of the payments there are."""
        found: str = data.draw(st.sampled_from(sorted(self.payments)))
        return found

    def cancel(self, id: str) -> None:
        asked = CancelPayment(payment_id=id, reference=f"order-{id}")
        self.decide(id, lambda payment: cancel(payment, asked, AT))

    def available(self) -> Money:
        return euros(0) if self.ledger is None else self.ledger.available

    @invariant()
    def what_was_given_is_there_or_was_spent(self) -> None:
        if self.ledger is None:
            assert not any(payment.on_credit for payment in self.payments.values())
            return
        spent = sum(map(spent_on, self.payments.values()))
        assert self.ledger.balance == euros(self.given - spent)

    @invariant()
    def what_is_set_aside_is_there_and_for_a_payment_under_way(self) -> None:
        if self.ledger is not None:
            assert self.ledger.available + self.ledger.held == self.ledger.balance
            kept = sum(map(kept_for, self.payments.values()))
            assert self.ledger.held == euros(kept)

    def teardown(self) -> None:
        """What is called off, and seen through by the gateway, leaves the buyer all there was."""
        for id in list(self.payments):
            self.cancel(id)
        answered = 0
        while answered < len(self.calls):
            self.answer(self.calls[answered], Approved())
            answered += 1
        if self.ledger is not None:
            assert (self.ledger.balance, self.ledger.held) == (euros(self.given), euros(0))


def spent_on(payment: Payment) -> int:
    """The credit that went into a payment and has not come back."""
    back = sum(refund.credit.amount for refund in payment.refunds if refund.done)
    return (payment.credited.amount if payment.credited else 0) - back


def kept_for(payment: Payment) -> int:
    """The credit set aside for its attempts."""
    return sum(attempt.credit.amount for attempt in payment.attempts if attempt.credit)


TestPurse = Purse.TestCase
TestPurse.settings = settings(max_examples=120, stateful_step_count=40)
