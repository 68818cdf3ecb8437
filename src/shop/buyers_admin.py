"""The CLI's `shop buyers`: what a person may ask of a shop that knows them."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from bus.console import AsJson, Open, show_one, stderr
from payment.contract import GetBalance

Buyer = Annotated[str, typer.Argument(help="The buyer's id, as it stands in their orders.")]


def commands(shop: Open) -> typer.Typer:
    """The commands of `shop buyers`."""
    app = typer.Typer(help="What is known of a buyer.", no_args_is_help=True)

    @app.command()
    def export(buyer: Buyer, as_json: bool = AsJson) -> None:
        """Everything about a buyer, as JSON: orders, what happened to them, payments, credit."""
        from shop import buyers

        with shop() as running:
            found = running.run(buyers.exported(running.platform, buyer))
        typer.echo(json.dumps(found, ensure_ascii=False, indent=None if as_json else 2))

    @app.command()
    def erase(buyer: Buyer, as_json: bool = AsJson) -> None:
        """Erase what is personal about a buyer, for good. Orders stay, with their totals, and so
        does store credit."""
        from shop import buyers

        with shop() as running:
            stderr.print(f"erasing {buyer}: this takes {buyers.LAST_SEAL:.0f} seconds")
            orders = running.run(buyers.erase(running.platform, buyer))
            credit = running.run(running.bus.ask(GetBalance(buyer_id=buyer))).balance
        left = {"orders": len(orders), "store_credit": credit.model_dump() if as_json else credit}
        show_one({"buyer_id": buyer, "erased": True, **left}, as_json=as_json)

    return app
