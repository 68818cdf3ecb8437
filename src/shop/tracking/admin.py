"""Tracking's part of the CLI: `shop orders track`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import typer

from bus.console import AsJson, show_one
from bus.messages import Principal
from ordering.admin import OrderId
from ordering.contract import GetOrder

if TYPE_CHECKING:
    from shop.running import Running

ADMIN = Principal(scope="admin", name="cli")

HERE = "http://127.0.0.1:8000"
"""Where a shop is found that was told nothing else."""


def commands(app: typer.Typer, opened: Callable[[], AbstractContextManager[Running]]) -> None:
    """Add to the commands of `shop orders`."""

    @app.command()
    def track(order_id: OrderId, as_json: bool = AsJson) -> None:
        """A link that shows the order to its buyer, at SHOP_PUBLIC_URL."""
        with opened() as running:
            running.run(running.bus.ask(GetOrder(order_id=order_id), principal=ADMIN))
            link = running.run(running.shop.links().make(order_id, HERE))
        if as_json:
            show_one(link.model_dump(mode="json"), as_json=True)
        else:
            typer.echo(link.url)
