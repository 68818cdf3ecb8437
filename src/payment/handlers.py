"""What each command to payment does: one decision on one payment's stream, and on its buyer's store
credit where that is touched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bus.envelope import Envelope
from bus.messages import Money, Refused, now
from bus.streams import Happening, Kind, States, Streams
from payment import answers, balance
from payment.authorization import authorize
from payment.balance import Ledger
from payment.cancellation import cancel
from payment.capture import capture
from payment.commands import AskAgain, RecordOutcome, RenewAuthorization
from payment.contract import AuthorizePayment, CancelPayment, CapturePayment, RefundPayment
from payment.credit import entries
from payment.payment import Payment, PaymentEvent, evolve
from payment.refund import refund
from payment.renewal import renew

payments = Kind("payment", evolve)
balances = Kind("balance", balance.evolve)

Rule = Callable[[Payment | None, Ledger | None], list[PaymentEvent]]


class TouchesCredit(Exception):
    """The decision is about store credit, too: it has to be made on the buyer's ledger as well."""

    def __init__(self, buyer_id: str) -> None:
        super().__init__(buyer_id)
        self.buyer_id = buyer_id


class Handlers:
    """The handlers of payment's commands, on its streams; `currency` is the shop's."""

    def __init__(self, streams: Streams, currency: str) -> None:
        self._streams = streams
        self._currency = currency

    async def authorize(self, asked: AuthorizePayment, envelope: Envelope[Any]) -> None:
        """Have money set aside."""
        self._check(asked.amount)
        means = asked.means
        await self._decide(
            asked.payment_id,
            lambda payment, ledger: authorize(
                payment, asked, spendable(ledger, self._currency), now()
            ),
            envelope,
            new=asked.attempt == 1,
            buyer=asked.buyer_id if means.use_credit or means.method == "store_credit" else None,
        )

    async def capture(self, asked: CapturePayment, envelope: Envelope[Any]) -> None:
        """Have it taken."""
        self._check(asked.amount)
        await self._decide(
            asked.payment_id,
            lambda payment, _: capture(answers.known(payment, asked.payment_id), asked, now()),
            envelope,
        )

    async def cancel(self, asked: CancelPayment, envelope: Envelope[Any]) -> None:
        """Have all of it given back."""
        await self._decide(
            asked.payment_id, lambda payment, _: cancel(payment, asked, now()), envelope
        )

    async def refund(self, asked: RefundPayment, envelope: Envelope[Any]) -> None:
        """Have some of it given back."""
        self._check(asked.amount)
        await self._decide(
            asked.payment_id,
            lambda payment, _: refund(answers.known(payment, asked.payment_id), asked, now()),
            envelope,
        )

    async def record(self, told: RecordOutcome, envelope: Envelope[Any]) -> None:
        """Keep what came of a call of the gateway."""
        await self._decide(
            told.payment_id,
            lambda payment, _: answers.record(
                payment, told.payment_id, told.gateway_key, told.outcome, now()
            ),
            envelope,
        )

    async def ask_again(self, asked: AskAgain, envelope: Envelope[Any]) -> None:
        """Have calls made again."""
        await self._decide(
            asked.payment_id,
            lambda payment, _: answers.ask_again(
                payment, asked.payment_id, asked.gateway_key, now()
            ),
            envelope,
        )

    async def renew(self, asked: RenewAuthorization, envelope: Envelope[Any]) -> None:
        """Have money set aside anew."""
        await self._decide(
            asked.payment_id, lambda payment, _: renew(payment, asked.attempt, now()), envelope
        )

    async def _decide(
        self,
        payment_id: str,
        rule: Rule,
        envelope: Envelope[Any],
        *,
        new: bool = False,
        buyer: str | None = None,
    ) -> None:
        """Decide on a payment alone, as most do, or together with its buyer's store credit."""
        stream = payments(payment_id)

        def alone(payment: Payment | None) -> list[PaymentEvent]:
            events = rule(payment, None)
            touched = entries(payment, events)
            if touched:
                raise TouchesCredit(touched[0].buyer_id)
            return events

        if buyer is None:
            try:
                await self._streams.decide(stream, alone, envelope, new=new)
                return
            except TouchesCredit as touches:
                buyer = touches.buyer_id
        ledger = balances(buyer)

        def together(states: States) -> list[Happening]:
            payment = states[stream]
            events = rule(payment, states[ledger])
            return [
                *((stream, event) for event in events),
                *((ledger, entry) for entry in entries(payment, events)),
            ]

        await self._streams.decide_all(
            (stream, ledger), together, envelope, new=stream if new else None
        )

    def _check(self, amount: Money | None) -> None:
        if amount is not None and amount.currency != self._currency:
            raise Refused(
                "foreign_currency",
                f"{amount} is not in the shop's currency: ask for an amount in {self._currency}",
                currency=self._currency,
            )


def spendable(ledger: Ledger | None, currency: str) -> Money:
    """What a buyer can spend; what was granted in a currency that the shop had before, cannot."""
    if ledger is None or ledger.balance.currency != currency:
        return Money(amount=0, currency=currency)
    return ledger.available
