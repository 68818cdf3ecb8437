"""A buyer's ledger: what is given, set aside, spent and given back, entry by entry."""

from functools import reduce

import pytest

from bus.messages import MAX_INTEGER, Money, Refused
from payment.balance import (
    BalanceEvent,
    CreditGranted,
    CreditHeld,
    CreditReleased,
    CreditReturned,
    CreditTaken,
    Ledger,
    evolve,
    grant,
)
from tests.payment.histories import euros


def granted(cents: int, currency: str = "EUR") -> CreditGranted:
    return CreditGranted(
        buyer_id="b1", amount=Money(amount=cents, currency=currency), reason="a gift"
    )


def held(cents: int, hold: str = "p1:1") -> CreditHeld:
    return CreditHeld(buyer_id="b1", hold=hold, amount=euros(cents))


def taken(cents: int, hold: str = "p1:1") -> CreditTaken:
    return CreditTaken(buyer_id="b1", hold=hold, amount=euros(cents))


def returned(cents: int) -> CreditReturned:
    return CreditReturned(buyer_id="b1", payment_id="p1", refund_id="r1", amount=euros(cents))


RELEASED = CreditReleased(buyer_id="b1", hold="p1:1")


def ledger(*history: BalanceEvent) -> Ledger | None:
    return reduce(evolve, history, None)


@pytest.mark.parametrize(
    ("history", "balance", "set_aside", "available"),
    [
        ([granted(10_00)], 10_00, 0, 10_00),
        ([granted(10_00), granted(5_00)], 15_00, 0, 15_00),
        ([granted(10_00), held(4_00)], 10_00, 4_00, 6_00),
        ([granted(10_00), held(4_00), held(6_00, "p2:1")], 10_00, 10_00, 0),
        ([granted(10_00), held(4_00), RELEASED], 10_00, 0, 10_00),
        ([granted(10_00), held(4_00), RELEASED, RELEASED], 10_00, 0, 10_00),
        ([granted(10_00), held(4_00), taken(4_00)], 6_00, 0, 6_00),
        ([granted(10_00), held(4_00), taken(1_00)], 9_00, 0, 9_00),
        ([granted(10_00), held(4_00), held(2_00, "p2:1"), taken(4_00)], 6_00, 2_00, 4_00),
        ([granted(10_00), held(4_00), taken(4_00), returned(3_00)], 9_00, 0, 9_00),
        ([returned(3_00)], 3_00, 0, 3_00),
    ],
)
def test_a_history_leads_to(
    history: list[BalanceEvent], balance: int, set_aside: int, available: int
) -> None:
    found = ledger(*history)
    assert found is not None
    sums = (found.balance, found.held, found.available)
    assert sums == (euros(balance), euros(set_aside), euros(available))


@pytest.mark.parametrize("event", [held(1), taken(1), RELEASED], ids=lambda event: event.type_name)
def test_no_ledger_begins_with_less_than_nothing(event: BalanceEvent) -> None:
    with pytest.raises(ValueError, match="before b1 had any credit"):
        ledger(event)


@pytest.mark.parametrize("history", [(), (granted(10_00),), (granted(10_00), held(4_00))])
def test_credit_is_given(history: tuple[BalanceEvent, ...]) -> None:
    assert grant(ledger(*history), granted(5_00), "EUR") == [granted(5_00)]


@pytest.mark.parametrize(
    ("history", "asked", "code"),
    [
        ((), granted(0), "nothing_to_credit"),
        ((), granted(5_00, "USD"), "foreign_currency"),
        ((), granted(500, "JPY"), "foreign_currency"),
        ((granted(500, "JPY"),), granted(5_00), "foreign_currency"),
        ((granted(1),), granted(MAX_INTEGER), "balance_too_large"),
        ((granted(MAX_INTEGER),), granted(1), "balance_too_large"),
    ],
)
def test_credit_is_refused(
    history: tuple[BalanceEvent, ...], asked: CreditGranted, code: str
) -> None:
    with pytest.raises(Refused) as refused:
        grant(ledger(*history), asked, "EUR")
    assert refused.value.code == code
    assert "give" in refused.value.message


@pytest.mark.parametrize("asked", [granted(5_00), granted(500, "JPY")])
def test_who_has_credit_of_a_former_currency_needs_another_id(asked: CreditGranted) -> None:
    with pytest.raises(Refused, match=r"b1 has 70 JPY .* in EUR under another buyer id"):
        grant(ledger(granted(70, "JPY")), asked, "EUR")


def test_as_much_as_can_be_counted_can_be_given() -> None:
    assert grant(ledger(granted(1)), granted(MAX_INTEGER - 1), "EUR")


def test_what_was_spent_always_finds_room_when_it_comes_back() -> None:
    spent = ledger(granted(MAX_INTEGER), held(5_00), taken(5_00))
    with pytest.raises(Refused) as refused:
        grant(spent, granted(1), "EUR")
    assert refused.value.code == "balance_too_large"
    assert evolve(spent, returned(5_00)).balance == euros(MAX_INTEGER)
