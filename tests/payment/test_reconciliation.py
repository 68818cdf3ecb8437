"""The gateway's books and the events, held against each other: every way to differ is found, and
what is only under way is not."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import Any, cast

import pytest
from pymongo.database import Database

from bus.messages import Money
from payment import builtin, reconciliation, views
from payment.builtin import BuiltinGateway
from payment.builtin_rules import Entry, holds_in, judge, standing, written
from payment.contract import (
    PaymentActionRequired,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentDeclined,
    PaymentRefunded,
    PaymentVoided,
)
from payment.documents import shown
from payment.gateway import Outcome, Standing
from payment.payment import PaymentEvent
from payment.queries import PaymentDocument, Reconcile, Report
from payment.reconciliation import Sums, booked, differences, expected, payment_of, worth
from tests.golden.shapes import SHAPES
from tests.payment.histories import (
    AT,
    AUTHORIZED,
    CANCELLING,
    PRICE,
    REFUNDED,
    REFUNDING,
    TAKEN,
    VOIDED,
    attempt_voided,
    authorized,
    euros,
    requested,
    voiding,
)
from tests.payment.shop import Open, Shop
from tests.waiting import eventually

NOTHING = euros(0)


def document(history: Sequence[PaymentEvent]) -> PaymentDocument:
    doc = reduce(shown, history, None)
    assert doc is not None
    return doc


def stands(status: Any, key: str = "p1:authorize:1", **amounts: int) -> Standing:
    told = {name: euros(cents) for name, cents in amounts.items()}
    none = {"held": NOTHING, "captured": NOTHING, "refunded": NOTHING}
    return Standing(
        authorization=key,
        key=key,
        reference="o1",
        status=status,
        amount=PRICE,
        at=AT,
        **{**none, **told},
    )


HELD = stands("held", held=10_50)
TOOK = stands("captured", captured=10_50)
GONE = stands("voided")
BACK = stands("captured", captured=10_50, refunded=10_50)
UNDONE: list[PaymentEvent] = [*AUTHORIZED, CANCELLING, voiding(), attempt_voided(), VOIDED]
GIVEN_BACK: list[PaymentEvent] = [*TAKEN, CANCELLING, REFUNDING, REFUNDED]


@pytest.mark.parametrize(
    ("history", "standings"),
    [
        (AUTHORIZED, [HELD]),
        (TAKEN, [TOOK]),
        (UNDONE, [GONE]),
        (UNDONE, []),
        (GIVEN_BACK, [BACK]),
        ([requested()], []),
        ([*AUTHORIZED, requested(2), voiding(2), attempt_voided(2)], [HELD]),
    ],
)
def test_books_that_say_the_same_do_not_differ(
    history: list[PaymentEvent], standings: list[Standing]
) -> None:
    assert differences("p1", document(history), standings) == []


@pytest.mark.parametrize(
    ("history", "standings", "gateway", "events", "do"),
    [
        (AUTHORIZED, [], "never heard of", "10.50 EUR held", "deliver nothing"),
        (AUTHORIZED, [TOOK], "10.50 EUR captured", "held", "give it back at the gateway"),
        (AUTHORIZED, [GONE], "nothing of p1:authorize:1, voided", "held", "the gateway has less"),
        (AUTHORIZED, [stands("expired")], "nothing of p1:authorize:1, expired", "held", "run out"),
        (TAKEN, [HELD], "10.50 EUR held", "10.50 EUR captured", "void it at the gateway"),
        (TAKEN, [BACK], "10.50 EUR refunded", "captured", "more was given back"),
        (TAKEN, [stands("captured", captured=10_00)], "10.00 EUR captured", "10.50", "has less"),
        (UNDONE, [HELD], "10.50 EUR held", "nothing of p1:authorize:1, voided", "void it"),
        (GIVEN_BACK, [TOOK], "10.50 EUR captured", "10.50 EUR refunded", "has less"),
        (
            AUTHORIZED,
            [HELD, stands("held", "p1:authorize:2", held=10_50)],
            "10.50 EUR held of p1:authorize:2",
            "nothing of p1:authorize:2",
            "void it",
        ),
        (
            TAKEN,
            [TOOK, stands("captured", "p1:authorize:2", captured=10_50)],
            "10.50 EUR captured of p1:authorize:2",
            "nothing of p1:authorize:2",
            "more was taken",
        ),
    ],
)
def test_books_that_differ_are_told_with_what_to_do(
    history: list[PaymentEvent], standings: list[Standing], gateway: str, events: str, do: str
) -> None:
    (found,) = differences("p1", document(history), standings)
    assert (found.payment_id, found.reference) == ("p1", "o1")
    assert gateway in found.gateway
    assert events in found.events
    assert do in found.do


def test_two_holds_of_one_payment_are_found_though_both_books_have_them() -> None:
    doc = document([*AUTHORIZED, requested(2), authorized(2)])
    both = [HELD, stands("held", "p1:authorize:2", held=10_50)]
    (found,) = differences("p1", doc, both)
    assert "two holds" in found.events
    renewal = document([*AUTHORIZED, requested(2, renews=1), authorized(2), voiding(1)])
    assert differences("p1", renewal, both) == []  # the first is about to be let go


def test_a_hold_for_a_payment_never_heard_of_is_found() -> None:
    (found,) = differences("p1", None, [HELD])
    assert (found.events, found.reference) == ("never heard of it", "o1")
    assert differences("p1", None, [GONE]) == []
    assert payment_of(HELD) == "p1"
    assert payment_of(stands("held", "by-hand", held=1)) == "by-hand"


def test_sums_are_even_where_both_books_say_the_same_in_whatever_order() -> None:
    sums = Sums()
    for number in range(200):
        sums.add(f"p{number}", worth(expected(document(TAKEN))))
    assert len(sums.uneven()) > 190
    for number in reversed(range(200)):
        sums.take(f"p{number}", worth([booked(HELD if number == 7 else TOOK)]))
    assert sums.uneven() == [reconciliation.bucket_of("p7")]


def test_what_the_gateway_did_twice_under_one_key_does_not_cancel_out() -> None:
    twice = [HELD.model_copy(update={"authorization": name}) for name in ("pi_1", "pi_2")]
    sums = Sums()
    sums.take("p1", worth(map(booked, twice)))
    assert sums.uneven() == [reconciliation.bucket_of("p1")]
    (found,) = differences("p1", document(AUTHORIZED), twice)
    assert found.gateway == "21.00 EUR held of p1:authorize:1, held pi_1 and held pi_2"
    assert found.do == "void it at the gateway: nothing here will ever capture it"
    assert differences("p1", document(AUTHORIZED), [HELD, HELD]) == []  # told of twice, is all


@pytest.mark.parametrize("shape", SHAPES["payment"])
def test_a_gateway_that_does_as_the_events_say_has_what_they_expect(shape: str) -> None:
    """Every call that succeeded, made at the built-in gateway's rules."""
    doc = document(cast(Sequence[PaymentEvent], SHAPES["payment"][shape]))
    ledger: list[dict[str, Any]] = []
    for call in doc.calls:
        if call.status != "succeeded":
            continue
        hold = f"p1:authorize:{call.attempt}"
        action = call.reason is not None
        token = "pm_card_threeDSecure2Required" if action else "pm_card_visa"
        starts = call.operation == "authorize"
        entry = Entry(
            call.key, call.operation, hold, call.amount, *((token, "o1") if starts else ())
        )
        known = holds_in(ledger).get(hold)
        outcome: Outcome = judge(entry, known, AT, timedelta(days=7))
        assert outcome.type == ("action_required" if action else "approved"), call
        ledger.append(written(entry, outcome, known, AT))
    standings = [standing(hold, AT) for hold in holds_in(ledger).values()]
    assert differences("p1", doc, standings) == []


async def lived(shop: Shop) -> None:
    """Payments of every sort, come to rest."""
    for name in ("held", "taken", "back", "gone"):
        await shop.pay(name)
        await shop.happens(name, PaymentAuthorized)
    for name in ("taken", "back"):
        await shop.capture(name, 8_00)
        await shop.happens(name, PaymentCaptured)
    await shop.refund("back", 3_00)
    await shop.happens("back", PaymentRefunded)
    await shop.cancel("gone")
    await shop.happens("gone", PaymentVoided)
    await shop.pay("declined", "pm_card_chargeDeclined")
    await shop.happens("declined", PaymentDeclined)
    await shop.pay("asked", "pm_card_threeDSecure2Required")
    await shop.happens("asked", PaymentActionRequired)


def tampered(database: Database[dict[str, Any]]) -> dict[str, str]:
    """What somebody does at the gateway behind the shop's back: to each payment, and what the
    gateway then has."""
    gateway = BuiltinGateway(database)

    async def meddle() -> None:
        await gateway.capture("x1", "held:authorize:1", PRICE)
        await gateway.refund("x2", "taken:authorize:1", euros(1))
        await gateway.authorize("gone:authorize:2", PRICE, "pm_card_visa", "order-gone")
        await gateway.authorize("by-hand", PRICE, "pm_card_visa", "order-held")

    asyncio.run(meddle())
    database["gateway_ledger"].delete_many({"authorization": "back:authorize:1"})
    return {
        "held": "10.50 EUR captured of held:authorize:1, captured",
        "taken": "8.00 EUR captured, 0.01 EUR refunded of taken:authorize:1, captured",
        "gone": "10.50 EUR held of gone:authorize:2, held",
        "by-hand": "10.50 EUR held of by-hand, held",
        "back": "never heard of back:authorize:1",
    }


@pytest.mark.anyio
@pytest.mark.parametrize("together", [2, 1000])
async def test_all_that_was_done_behind_our_back_is_found(
    opened: Open,
    database: Database[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    together: int,
) -> None:
    monkeypatch.setattr(views, "TOGETHER", together)
    monkeypatch.setattr(builtin, "TOGETHER", together)
    async with opened() as shop:
        await lived(shop)
        assert await shop.bus.ask(Reconcile()) == Report(compared=6)
        before = datetime.now(UTC) - timedelta(days=2)
        assert await shop.bus.ask(Reconcile(since=before)) == Report(compared=6)
        wanted = await asyncio.to_thread(tampered, database)
        for since in (None, before):
            report = await shop.bus.ask(Reconcile(since=since))
            assert {each.payment_id: each.gateway for each in report.differences} == wanted
            assert (report.compared, report.under_way, report.more) == (6, 0, False)
        later = await shop.bus.ask(Reconcile(since=datetime.now(UTC) + timedelta(days=1)))
        assert later == Report(compared=0)


@pytest.mark.anyio
async def test_what_began_before_is_no_difference_when_it_goes_on_since(opened: Open) -> None:
    async with opened() as shop:
        await shop.pay("p1", "pm_card_chargeDeclined")
        await shop.happens("p1", PaymentDeclined)
        since = datetime.now(UTC)
        await shop.pay("p1", attempt=2)
        await shop.happens("p1", PaymentAuthorized)
        assert await shop.bus.ask(Reconcile(since=since)) == Report(compared=0)


@pytest.mark.anyio
async def test_comparing_beside_traffic_finds_nothing_that_is_only_under_way(opened: Open) -> None:
    async with opened() as shop:
        busy = True

        async def traffic(lane: int) -> int:
            number = 0
            while busy:
                name = f"p{lane}-{number}"
                await shop.pay(name)
                await shop.happens(name, PaymentAuthorized)
                if number % 2:
                    await shop.capture(name)
                else:
                    await shop.cancel(name)
                number += 1
            return number

        lanes = [asyncio.create_task(traffic(lane)) for lane in range(4)]
        for _ in range(5):
            report = await shop.bus.ask(Reconcile())
            assert report.differences == ()
        busy = False
        made = sum(await asyncio.gather(*lanes))

        async def at_rest() -> Any:
            report = await shop.bus.ask(Reconcile())
            return report if report.under_way == 0 else None

        assert await eventually(at_rest) == Report(compared=made)


@pytest.mark.anyio
async def test_a_call_that_hangs_is_under_way_and_then_at_rest(
    opened: Open, database: Database[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gateway has carried it out; its answer does not come."""

    class Hanging(BuiltinGateway):
        async def capture(self, key: str, authorization: str, amount: Money) -> Outcome:
            outcome = await super().capture(key, authorization, amount)
            carried_out.set()
            await answers.wait()
            return outcome

    carried_out, answers = asyncio.Event(), asyncio.Event()
    monkeypatch.setattr(views, "PAUSES", (0.0,))
    async with opened(Hanging(database)) as shop:
        await shop.pay("p1")
        await shop.happens("p1", PaymentAuthorized)
        await shop.capture("p1")
        await carried_out.wait()
        assert await shop.bus.ask(Reconcile()) == Report(compared=1, under_way=1)
        monkeypatch.setattr(views, "AT_REST", timedelta(0))
        (found,) = (await shop.bus.ask(Reconcile())).differences
        assert (found.payment_id, found.gateway.partition(" of")[0]) == ("p1", "10.50 EUR captured")
        answers.set()
        await shop.happens("p1", PaymentCaptured)
        assert await shop.bus.ask(Reconcile()) == Report(compared=1)
