"""`shop doctor` names the payments that a person may have to look at, and no others."""

from functools import reduce
from typing import Any

import pytest
from pymongo.database import Database

from bus.views import Documents, Stored
from payment.commands import Unknown
from payment.documents import shown
from payment.payment import PaymentEvent
from payment.views import PAYMENTS
from shop import doctor
from tests.payment import decisions as rules
from tests.payment.histories import AUTHORIZED, CAPTURING, replay, requested

pytestmark = pytest.mark.anyio

NOBODY_KNOWS = rules.record(replay([requested()]), "p1:authorize:1", Unknown())
DECLINED_LATE = rules.record_capture(replay([*AUTHORIZED, CAPTURING]), reason="processing_error")


@pytest.mark.parametrize(
    ("history", "found"),
    [
        (AUTHORIZED, []),
        ([requested(), *NOBODY_KNOWS], ["look: 1 whose outcome nobody knows"]),
        ([*AUTHORIZED, CAPTURING, *DECLINED_LATE], ["bad: 1 that the gateway declined too late"]),
    ],
    ids=["well", "unknown", "failed"],
)
async def test_payments_in_trouble_are_named(
    database: Database[dict[str, Any]], history: list[PaymentEvent], found: list[str]
) -> None:
    documents = Documents(PAYMENTS, database)
    document = reduce(shown, history, None)
    assert document is not None
    await documents.put([Stored("p1", document, 1, 1, 1)])
    findings = list(doctor._in_trouble(documents.collection))
    assert [f"{each.state}: {each.detail}" for each in findings] == found
    assert all("shop payments list --" in each.do for each in findings)
