"""`shop doctor` names the deliveries that nobody seems to look after, and no others."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pymongo import MongoClient

from bus.messages import now
from bus.views import Documents, Stored
from delivery.delivery import DeliveryEvent
from delivery.views import DELIVERIES
from shop import doctor
from tests.delivery.histories import (
    CANCELLED,
    EVENING,
    NOON,
    PENDING,
    SCHEDULED,
    assigned,
    at,
    lived,
    moved,
    said,
    slot,
    stand,
)

pytestmark = pytest.mark.anyio

FAILED = lived(said("attempt_failed", 1))
LOST = SCHEDULED.model_copy(update={"slot_lost": "schaan:2026-03-02:0900-1200"})
TODAY = SCHEDULED.model_copy(update={"slot": slot(at(1), at(2))})


@pytest.mark.parametrize(
    ("history", "found"),
    [
        ([PENDING], ["delivery without a time"]),
        ([SCHEDULED], []),
        ([LOST], ["lost slot"]),
        ([LOST, moved(0, 1, slot(NOON, EVENING))], ["late delivery"]),
        ([TODAY], ["late delivery"]),
        ([TODAY, assigned("post")], ["late delivery"]),
        ([TODAY, assigned("post"), CANCELLED], []),
        (lived(said("picked_up", 1)), ["silent delivery"]),
        (lived(said("en_route", 1)), ["silent delivery"]),
        (lived(said("arrived", 1)), ["silent delivery"]),
        (FAILED, ["failed delivery"]),
        ([*FAILED, moved(1, 5, slot(at(10), at(20)))], ["late delivery"]),
        (lived(said("delivered", 1)), []),
        (lived(said("returned_to_sender", 1)), []),
    ],
)
async def test_a_delivery_that_nobody_looks_after_is_named(
    mongo: MongoClient[dict[str, Any]],
    prefix: str,
    history: Sequence[DeliveryEvent],
    found: list[str],
) -> None:
    documents = Documents(DELIVERIES, mongo[f"{prefix}_delivery"])
    delivery = stand(history)
    await documents.put([Stored("d1", delivery, 1, 1, 1)])
    findings = list(doctor._undelivered(documents.collection))
    assert [each.what for each in findings] == found
    assert all(each.state == "look" and "d1" in each.do for each in findings)

    soon = delivery.slot and slot(now(), now() + timedelta(hours=1))
    fresh = replace(delivery, since=now(), slot=soon)
    await documents.put([Stored("d1", fresh, 2, 2, 1)])
    waiting = [each.what for each in doctor._undelivered(documents.collection)]
    timeless = ("delivery without a time", "lost slot")
    assert waiting == [what for what in found if what in timeless]
