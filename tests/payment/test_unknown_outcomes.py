"""When nobody can say what a call led to: it is made again under its key, then a person looks."""

import pytest

from payment.answers import PAUSES
from payment.calls import Asked, OutcomeUnknown
from payment.commands import AskAgain, Unknown
from payment.contract import PaymentAuthorized
from payment.gateway import Approved, Declined
from payment.payment import PaymentEvent
from payment.policies import ask_later
from tests.payment import decisions as rules
from tests.payment.histories import (
    AT,
    AUTHORIZED,
    CANCEL,
    CANCELLING,
    CAPTURING,
    REFUNDING,
    TAKEN,
    authorized,
    declined,
    replay,
    requested,
    voiding,
)

ASKED: list[tuple[list[PaymentEvent], Asked]] = [
    ([], requested()),
    (AUTHORIZED, CAPTURING),
    ([*AUTHORIZED, CANCELLING], voiding()),
    ([*TAKEN, CANCELLING], REFUNDING),
]


def unknown(asked: Asked) -> OutcomeUnknown:
    return OutcomeUnknown(
        payment_id="p1",
        reference="o1",
        operation=asked.operation,
        attempt=asked.attempt,
        gateway_key=asked.gateway_key,
        tries=asked.tries,
        ask_at=AT + PAUSES[asked.tries - 1] if asked.tries <= len(PAUSES) else None,
    )


@pytest.mark.parametrize(("before", "asked"), ASKED)
def test_an_unknown_outcome_is_neither_success_nor_failure(
    before: list[PaymentEvent], asked: Asked
) -> None:
    history = [*before, asked]
    assert rules.record(replay(history), asked.gateway_key, Unknown()) == [unknown(asked)]
    once = [*history, unknown(asked)]
    assert rules.record(replay(once), asked.gateway_key, Unknown()) == []


@pytest.mark.parametrize(("before", "asked"), ASKED)
def test_it_is_asked_again_under_the_same_key(before: list[PaymentEvent], asked: Asked) -> None:
    history = [*before, asked, unknown(asked)]
    (again,) = rules.ask_again(replay(history))
    assert again == asked.model_copy(update={"tries": 2})
    assert rules.ask_again(replay([*history, again])) == []
    late = rules.record(replay([*history, again]), asked.gateway_key, Approved())
    assert late == rules.record(replay([*before, asked]), asked.gateway_key, Approved())


def test_it_is_asked_later_and_later_until_a_person_has_to_look() -> None:
    history: list[PaymentEvent] = [requested()]
    pauses = []
    while True:
        (told,) = rules.record(replay(history), "p1:authorize:1", Unknown())
        assert isinstance(told, OutcomeUnknown)
        if told.ask_at is None:
            break
        pauses.append(told.ask_at - AT)
        history += [told, *rules.ask_again(replay([*history, told]))]
    assert tuple(pauses) == PAUSES
    assert sorted(pauses) == pauses


def test_a_timer_asks_again_and_none_when_a_person_has_to() -> None:
    timer = ask_later(unknown(requested()))
    assert timer == (
        "ask-p1:authorize:1",
        AT + PAUSES[0],
        AskAgain(payment_id="p1", gateway_key="p1:authorize:1"),
    )
    last = unknown(requested()).model_copy(update={"ask_at": None})
    assert ask_later(last) == ("ask-p1:authorize:1",)


def test_a_person_may_say_what_became_of_it() -> None:
    history: list[PaymentEvent] = [requested(), unknown(requested())]
    assert rules.record_authorization(replay(history), 1, Approved()) == [authorized()]
    no = Declined(reason="not_found_at_the_gateway")
    found = rules.record_authorization(replay(history), 1, no)
    assert found == [declined(reason="not_found_at_the_gateway")]


def test_a_cancellation_waits_for_what_is_unknown() -> None:
    history: list[PaymentEvent] = [requested(), unknown(requested())]
    cancelled = [*history, *rules.cancel(replay(history), CANCEL)]
    assert cancelled[-1] == CANCELLING
    late = rules.record_authorization(replay(cancelled), 1, Approved())
    assert late == [voiding()]
    assert PaymentAuthorized not in map(type, late)
