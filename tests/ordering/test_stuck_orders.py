"""No order is left behind in silence: what should move on by itself and does not is shown."""

from dataclasses import replace
from typing import Any

import pytest
from pymongo import MongoClient

from bus.messages import now
from bus.views import Documents, Stored
from ordering.contract import TERMINAL
from ordering.return_views import RETURNS
from ordering.views import ORDERS
from shop import doctor, figures
from tests.ordering.fetching import FETCHING
from tests.ordering.histories import SHAPES as ALONE
from tests.ordering.histories import replay
from tests.ordering.shared import SHAPES as SHARED

pytestmark = pytest.mark.anyio

SHAPES = {**ALONE, **SHARED}

STUCK = {"new", "paying", "refused", "asked", "paid", "under_way", "at_the_door"} | {
    "cancelling",
    "sent_back",
    "split_new",
    "split_paying",
    "split_paid",
    "split_half_booked",
    "split_one_left",
    "split_unpaid_at_the_door",
    "split_all_came_back",
    "split_cancelling",
    "split_one_called_off",
    "split_one_gone",
}
"""Stages that an order leaves by itself, or by its expiry, which is long ago."""

WAITING = {
    "scheduled": "the carrier has not come yet",
    "captured": "the carrier is on the road",
    "split_scheduled": "no carrier has come yet",
    "split_captured": "one carrier is on the road, the other has not come yet",
    "split_one_came": "the other carrier has not come yet",
    "split_one_back": "the other carrier has not come yet",
    "split_both_left": "both carriers are on the road",
}
"""Stages that may last."""


def findings(database: Any, state: str = "bad") -> list[str]:
    orders = database[f"view_{ORDERS.name}_v{ORDERS.version}"]
    return [found.detail for found in doctor._stuck(orders) if found.state == state]


@pytest.mark.parametrize("stage", SHAPES)
async def test_an_order_that_stays_where_it_should_not_is_shown(
    mongo: MongoClient[dict[str, Any]], prefix: str, stage: str
) -> None:
    order = replay(SHAPES[stage])
    assert order.updated_at < now() - figures.STUCK
    assert order.expires_at < now() - figures.STUCK
    database = mongo[f"{prefix}_ordering"]
    await Documents(ORDERS, database).put([Stored("ord_1", order, 1, 1, 1)])
    assert findings(database) == (["ord_1"] if stage in STUCK else [])


@pytest.mark.parametrize("stage", SHARED)
async def test_an_order_of_which_a_part_is_not_fetched_is_shown(
    mongo: MongoClient[dict[str, Any]], prefix: str, stage: str
) -> None:
    waits = stage in ("split_captured", "split_one_came", "split_one_back", "split_one_left")
    database = mongo[f"{prefix}_ordering"]
    documents = Documents(ORDERS, database)
    order = replay(SHARED[stage])
    await documents.put([Stored("ord_1", order, 1, 1, 1)])
    assert findings(database, "look") == (["ord_1"] if waits else [])
    soon = replace(order, updated_at=now() - doctor.HALF_SENT / 2)
    await documents.put([Stored("ord_1", soon, 2, 2, 1)])
    assert findings(database, "look") == []


async def test_an_order_that_has_just_moved_is_not_shown(
    mongo: MongoClient[dict[str, Any]], prefix: str
) -> None:
    database = mongo[f"{prefix}_ordering"]
    documents = Documents(ORDERS, database)
    for number, stage in enumerate(sorted(STUCK), start=1):
        fresh = SHAPES[stage][-1].model_copy(update={"at": now()})
        order = replay([*SHAPES[stage][:-1], fresh])
        await documents.put([Stored(stage, order, 1, number, number)])
    assert findings(database) == []


def test_every_stage_moves_by_itself_or_may_last_or_has_ended() -> None:
    for stage, history in SHAPES.items():
        ended = replay(history).status in TERMINAL
        assert [stage in STUCK, stage in WAITING, ended].count(True) == 1, stage


@pytest.mark.parametrize(
    ("stage", "shown"),
    [
        ("asked_back", [("look", "1 to approve or reject")]),
        ("to_come_back", []),
        ("kept", []),
        ("came_back", [("bad", "ret_1_1")]),
        ("partly_back", []),
        ("pickup_on_its_way", []),
        ("pickup_arrived", [("look", "1 fetched and to be received")]),
    ],
)
async def test_a_return_that_somebody_waits_for_is_shown(
    mongo: MongoClient[dict[str, Any]], prefix: str, stage: str, shown: list[tuple[str, str]]
) -> None:
    (found,) = replay({**SHAPES, **FETCHING}[stage]).returns
    assert found.updated_at < now() - figures.STUCK
    documents = Documents(RETURNS, mongo[f"{prefix}_ordering"])

    def told() -> list[tuple[str, str]]:
        return [(each.state, each.detail) for each in doctor._returns(documents.collection)]

    await documents.put([Stored("ret_1_1", found, 1, 1, 1)])
    assert told() == shown
    fresh = replace(found, updated_at=now())
    await documents.put([Stored("ret_1_1", fresh, 2, 2, 1)])
    assert told() == [each for each in shown if each[0] == "look"]
