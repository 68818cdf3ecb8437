"""Deliveries lost, late and repeated, and readers that die between effect and position: in the end
all is as it would be had nothing happened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.faults.books import Books
from tests.faults.scenes import Scene, scene, wait_until
from tests.faults.sizes import LONG, SHORT, SIZES, Size, seed
from tests.payment.stripe_process.ledger import Ledger


@pytest.mark.parametrize("length", [SHORT, pytest.param(LONG, marks=pytest.mark.long)])
def test_whatever_is_delivered_the_end_is_that_of_a_run_without_faults(
    length: str, tmp_path: Path
) -> None:
    size, chosen = SIZES["deliveries", length], seed()
    calm = goes_through(tmp_path / "calm", size, chosen)
    rough = {"lossy": True, "rings": True, "deaths": size.faults}
    assert goes_through(tmp_path / "rough", size, chosen, **rough) == calm


def goes_through(folder: Path, size: Size, seed: str, **how: Any) -> dict[str, Any]:
    """How a run ends."""
    with scene(folder, size, seed, patient=True, **how) as stage:
        wait_until(lambda: tended(stage), within=1200)
        stage.settle(meanwhile=stage.shop.revive)
        return end_of(stage.evidence.books, stage.evidence.ledger)


def tended(stage: Scene) -> bool:
    """Start again whoever has died; whether the customers are through."""
    stage.shop.revive()
    return not stage.customers.busy


def end_of(books: Books, ledger: Ledger) -> dict[str, Any]:
    """All that does not depend on when it happened, and in which order."""
    holds = ledger.of_orders()
    orders = {
        order.buyer_id: (
            order.status,
            order.payment_status,
            order.fulfillment_status,
            order.items,
            order.total,
            sum(hold.standing for hold in holds.get(order.order_id, [])),
            sum(hold.kept for hold in holds.get(order.order_id, [])),
        )
        for order in books.orders.values()
    }
    return {"orders": orders, "stock": books.items}
