"""A buyer's store credit: what was granted, what is set aside, what was spent. It is never spent
twice, for every hold is a decision on the buyer's own stream."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import assert_never, get_args

from bus.messages import MAX_INTEGER, Event, Money, Refused


class CreditGranted(Event, name="payment.CreditGranted"):
    """The shop gives the buyer this much to spend."""

    buyer_id: str
    amount: Money
    reason: str


class CreditHeld(Event, name="payment.CreditHeld"):
    """So much is set aside under the name `hold`, for one attempt to pay."""

    buyer_id: str
    hold: str
    amount: Money


class CreditTaken(Event, name="payment.CreditTaken"):
    """So much of what was set aside is spent; the rest is free again."""

    buyer_id: str
    hold: str
    amount: Money


class CreditReleased(Event, name="payment.CreditReleased"):
    """What was set aside is free again."""

    buyer_id: str
    hold: str


class CreditReturned(Event, name="payment.CreditReturned"):
    """What was spent on a payment is the buyer's again."""

    buyer_id: str
    payment_id: str
    refund_id: str
    amount: Money


BalanceEvent = CreditGranted | CreditHeld | CreditTaken | CreditReleased | CreditReturned
BALANCE_EVENTS: tuple[type[Event], ...] = get_args(BalanceEvent)


@dataclass(frozen=True, slots=True)
class Ledger:
    """A buyer's credit: all of it, and what of it is set aside under which name.

    `granted` is all that was ever given. What is spent may come back, so the balance is never more.
    """

    buyer_id: str
    balance: Money
    granted: Money
    holds: Mapping[str, Money] = field(default_factory=dict)

    @property
    def held(self) -> Money:
        """All that is set aside."""
        return sum(self.holds.values(), self.balance.zero())

    @property
    def available(self) -> Money:
        """What can be spent."""
        return self.balance - self.held


def grant(ledger: Ledger | None, granted: CreditGranted, currency: str) -> list[BalanceEvent]:
    """Give the buyer credit, in the shop's currency, which must be that of what is there.

    Refused with `nothing_to_credit`, `foreign_currency` and `balance_too_large`.
    """
    buyer_id, amount = granted.buyer_id, granted.amount
    if not amount.amount:
        raise Refused("nothing_to_credit", f"{amount} is no credit for {buyer_id}: give more")
    if ledger is not None and ledger.balance.currency != currency:
        raise Refused(
            "foreign_currency",
            f"{buyer_id} has {ledger.balance} from when the shop had another currency, and a buyer"
            f" has credit in one: give credit in {currency} under another buyer id",
            currency=currency,
        )
    if amount.currency != currency:
        raise Refused(
            "foreign_currency",
            f"{amount} is not in the shop's currency: give credit in {currency}",
            currency=currency,
        )
    if ledger is not None and ledger.granted.amount + amount.amount > MAX_INTEGER:
        raise Refused(
            "balance_too_large",
            f"{buyer_id} has been given {ledger.granted}, and with {amount} that is more than can"
            " be kept: give less",
            granted=ledger.granted,
        )
    return [granted]


def evolve(ledger: Ledger | None, event: BalanceEvent) -> Ledger:
    """A buyer's credit after an event."""
    if ledger is None:
        if not isinstance(event, CreditGranted | CreditReturned):
            raise ValueError(f"{event.type_name} before {event.buyer_id} had any credit")
        ledger = Ledger(event.buyer_id, event.amount.zero(), event.amount.zero())
    match event:
        case CreditGranted(amount=amount):
            return replace(ledger, balance=ledger.balance + amount, granted=ledger.granted + amount)
        case CreditReturned(amount=amount):
            return replace(ledger, balance=ledger.balance + amount)
        case CreditHeld(hold=hold, amount=amount):
            return replace(ledger, holds={**ledger.holds, hold: amount})
        case CreditTaken(hold=hold, amount=amount):
            return replace(
                ledger, balance=ledger.balance - amount, holds=_without(ledger.holds, hold)
            )
        case CreditReleased(hold=hold):
            return replace(ledger, holds=_without(ledger.holds, hold))
        case _:
            assert_never(event)


def _without(holds: Mapping[str, Money], hold: str) -> Mapping[str, Money]:
    return {name: amount for name, amount in holds.items() if name != hold}
