"""What is told of what."""

import re
from pathlib import Path
from typing import get_args

import pytest

from delivery.contract import Scan
from delivery.delivery import CheckpointRecorded, DeliveryEvent
from ordering.order import OrderEvent
from shop.webhooks.news import SCANS, TOLD, TYPES, UNTOLD, matches, type_of
from tests.ordering.histories import ALL_BACK, SHAPES
from tests.shop.webhooks.telling import scanned

GUIDE = Path(__file__).parents[3] / "docs" / "webhooks.md"


def test_of_every_event_it_is_said_whether_it_is_told() -> None:
    """A new event: put it into one of the tables of `shop.webhooks.news`, and into the guide."""
    known = {*get_args(OrderEvent), *get_args(DeliveryEvent)}
    assert known - {CheckpointRecorded} == TOLD.keys() | UNTOLD
    assert not TOLD.keys() & UNTOLD


def test_of_every_checkpoint_something_is_told_once() -> None:
    own = {scan for scan in get_args(Scan) if f"delivery.{scan}" in TOLD.values()}
    assert own | SCANS.keys() == set(get_args(Scan))
    assert not own & SCANS.keys()
    for scan in get_args(Scan):
        assert type_of(scanned(scan)) == SCANS.get(scan)


def test_a_type_is_named_after_what_became_of_it() -> None:
    told = [type_of(event) for event in (*SHAPES["done"], *ALL_BACK[-4:])]
    assert [type_ for type_ in told if type_] == [
        "order.placed", "order.confirmed", "order.scheduled", "order.shipped",
        "order.payment_captured", "order.delivered", "order.completed",
        "return.requested", "return.approved", "return.received", "return.refunded",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("only", "type_", "wanted"),
    [
        ((), "order.placed", True),
        (("order.placed",), "order.placed", True),
        (("order.placed",), "order.cancelled", False),
        (("order.*",), "order.cancelled", True),
        (("order.*",), "return.requested", False),
        (("return.*", "order.placed"), "order.placed", True),
    ],
)
def test_a_kind_is_all_its_types(only: tuple[str, ...], type_: str, wanted: bool) -> None:
    assert matches(type_, only) is wanted


def test_the_guide_names_every_type_and_no_other() -> None:
    named = re.findall(r"`((?:order|return|delivery)\.[a-z_]+)`", GUIDE.read_text())
    assert set(named) == set(TYPES)
