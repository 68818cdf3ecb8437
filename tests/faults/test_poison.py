"""One reader fails on a few events: only their streams wait, and a retry completes them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from statistics import quantiles
from typing import Any

import pytest

from ordering.order import OrderConfirmed, OrderPlaced
from tests.faults.app import poisoned
from tests.faults.books import Books
from tests.faults.checks import Evidence
from tests.faults.operations import AT_ONCE
from tests.faults.scenes import scene, wait_until
from tests.faults.sizes import LONG, SHORT, SIZES, Size, seed
from tests.ordering.whole import at_rest

SPARE = 0.25
"""Seconds of lag that are no matter on a busy machine."""


@pytest.mark.parametrize("length", [SHORT, pytest.param(LONG, marks=pytest.mark.long)])
def test_only_the_streams_of_events_that_fail_are_parked(length: str, tmp_path: Path) -> None:
    some_fail(tmp_path, SIZES["poison", length], seed())


def some_fail(folder: Path, size: Size, seed: str, **how: Any) -> None:
    """The first half of the orders all go well; of the second, one in `faults` cannot be paid."""
    half = size.orders // 2
    with scene(folder, size, seed, retry_attempts="5", **how) as stage:
        books = stage.evidence.books
        stage.customers.until(half)
        stage.shop.poison.write_text(str(size.faults))
        stage.customers.until(size.orders)
        ill = {id for id in books.read().orders if poisoned(id, size.faults)}
        late = range(half + AT_ONCE, size.orders)
        sure = {id for id in ill & of_buyers(books, late) if books.orders[id].status == "pending"}
        wait_until(lambda: parked(stage.evidence) >= sure)
        wait_until(lambda: unrest(stage.evidence) <= parked(stage.evidence))
        assert parked(stage.evidence) <= ill
        assert lag(books, late, ill) <= 2 * lag(books, range(half - AT_ONCE), ill) + SPARE
        stage.shop.poison.unlink()
        stage.shop.run("parked", "retry", "--all")
        stage.settle()


def of_buyers(books: Books, numbers: Iterable[int]) -> set[str]:
    """The orders of these buyers that are to be paid for."""
    return {id for number in numbers for id in books.buyers.get(f"buyer-{number}", [])}


def parked(evidence: Evidence) -> set[str]:
    """The orders whose payments wait for a person; nothing else does."""
    names = [
        parked["stream"]
        for name in evidence.books.books
        for parked in evidence.books.database(name)["parked"].find()
    ]
    assert all(name.startswith("payment-pay_") for name in names), names
    return {name.replace("payment-pay_", "ord_") for name in names}


def unrest(evidence: Evidence) -> set[str]:
    """The orders that wait for something."""
    orders = evidence.books.read().orders.values()
    return {order.order_id for order in orders if not at_rest(order)}


def lag(books: Books, numbers: Iterable[int], ill: set[str]) -> float:
    """The seconds from order to confirmation that 19 of 20 healthy orders take at most."""
    healthy = of_buyers(books, numbers) - ill
    placed, took = {}, []
    for commit in books.books["ordering"].commits:
        for happened in commit.events:
            event = happened.event
            if isinstance(event, OrderPlaced):
                placed[event.order_id] = commit.at
            elif isinstance(event, OrderConfirmed) and event.order_id in healthy:
                took.append((commit.at - placed[event.order_id]).total_seconds())
    return quantiles(took, n=20)[-1]
