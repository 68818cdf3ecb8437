"""Whatever carriers and the shop say, in whatever order, a delivery stands as the latest has it,
ends once, and is one carrier's."""

from collections.abc import Callable
from typing import Any, get_args
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from bus.messages import Refused
from delivery.checkpoints import record
from delivery.contract import (
    DeliveryAssigned,
    DeliveryAttemptFailed,
    DeliveryCancelled,
    DeliveryDelivered,
    DeliveryKind,
    DeliveryPickedUp,
    DeliveryRescheduled,
    DeliveryReturned,
    Scan,
)
from delivery.delivery import CheckpointRecorded, Delivery, DeliveryEvent
from delivery.dispatch import assign
from delivery.redelivery import Redelivery, reschedule, retry
from delivery.scheduling import cancel
from tests.delivery.histories import (
    CANCEL,
    PENDING,
    SCHEDULED,
    VADUZ,
    at,
    replay,
    said,
    slot,
    stand,
)

ENDS = (DeliveryDelivered, DeliveryReturned, DeliveryCancelled)
UTC = ZoneInfo("UTC")

Act = Callable[[Delivery, int], list[DeliveryEvent]]
"""What somebody does at a minute."""

carriers = st.sampled_from([None, "post", "vans"])
minutes = st.integers(0, 40)


def says(status: Scan, minute: int | None, carrier: str | None) -> Act:
    return lambda delivery, now: record(delivery, said(status, minute), at(now), carrier)


def gives(carrier: str) -> Act:
    return lambda delivery, now: assign(delivery, carrier, at(now))


def moves(minute: int) -> Act:
    return lambda delivery, now: reschedule(delivery, slot(at(now), at(now + minute + 1)), at(now))


def tries(delivery: Delivery, now: int) -> list[DeliveryEvent]:
    return retry(delivery, Redelivery(), at(now), UTC)


def cancels(delivery: Delivery, now: int) -> list[DeliveryEvent]:
    return cancel(delivery, CANCEL.model_copy(update={"kind": delivery.kind}))


reports = st.builds(
    says, st.sampled_from(get_args(Scan)[:4]), st.one_of(minutes, st.none()), carriers
)
ends = st.builds(says, st.sampled_from(get_args(Scan)[4:]), st.one_of(minutes, st.none()), carriers)
acts: st.SearchStrategy[Act] = st.one_of(
    reports,
    reports,
    reports,
    ends,
    st.builds(gives, st.sampled_from(["post", "vans"])),
    st.builds(moves, minutes),
    st.just(tries),
    st.just(cancels),
)


def lives(begins: DeliveryEvent, doings: list[Act]) -> list[DeliveryEvent]:
    """What comes of it; who is refused has done nothing. Between two acts pass five minutes."""
    history = [begins]
    for number, act in enumerate(doings):
        before = stand(history)
        try:
            history += act(before, 5 * number)
        except Refused:
            continue
        after = stand(history)
        assert not before.ended or after.status == before.status
        if before.assigned and before.picked_up:
            assert after.carrier == before.carrier
    return history


@settings(max_examples=300)
@given(
    st.sampled_from([SCHEDULED, PENDING]),
    st.sampled_from(get_args(DeliveryKind)),
    st.lists(acts, max_size=14),
)
def test_a_delivery_stands_as_the_latest_has_it(
    begins: Any, kind: DeliveryKind, doings: list[Act]
) -> None:
    fetched = {"kind": kind, "origin": VADUZ if kind == "return" else None}
    history = lives(begins.model_copy(update=fetched), doings)
    delivery = stand(history)
    assert delivery == replay(history)

    over = [event for event in history if isinstance(event, ENDS)]
    scans = [
        (e.at, order(e.status), e.status) for e in history if isinstance(e, CheckpointRecorded)
    ]
    again = [
        (event.at, order("rescheduled"), "rescheduled")
        for event in history
        if isinstance(event, DeliveryRescheduled) and event.attempt
    ]
    assert len(over) <= 1
    assert delivery.ended == bool(over)
    if not over and scans:
        assert delivery.status == max([*scans, *again])[2]
    assert [(scan.at, scan.status) for scan in delivery.checkpoints] == [
        (when, status) for when, _, status in sorted(scans)
    ]

    kinds = [type(event) for event in history]
    assert kinds.count(DeliveryPickedUp) <= 1
    assert not {DeliveryPickedUp, DeliveryCancelled} <= set(kinds)
    assert kind == "return" or not scans or DeliveryPickedUp in kinds
    failures = [event.attempt for event in history if isinstance(event, DeliveryAttemptFailed)]
    assert failures == sorted(set(failures))
    took = [event.carrier for event in history if isinstance(event, DeliveryAssigned)]
    assert delivery.carrier == (took[-1] if took else "house")
    assert all(getattr(event, "kind", kind) == kind for event in history)


def order(status: str) -> int:
    """At one moment, what is said of the way comes before what was arranged after it."""
    return [*get_args(Scan), "rescheduled"].index(status)
