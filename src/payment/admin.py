"""Payment's part of the CLI: `shop payments`."""

from __future__ import annotations

from typing import Any

import typer

from bus.console import AsJson, Open, money, show, show_one
from payment.queries import GetPayment, ListPayments, PaymentDocument, Status

COLUMNS = (
    "payment_id",
    "reference",
    "status",
    "amount",
    "captured",
    "refunded",
    "trouble",
    "reason",
)


def commands(shop: Open) -> typer.Typer:
    """The commands of `shop payments`."""
    app = typer.Typer(help="What became of the money.", no_args_is_help=True)

    @app.command("list")
    def list_(
        status: Status | None = None,
        limit: int = typer.Option(20, min=1, max=1000),
        as_json: bool = AsJson,
    ) -> None:
        """The payments, newest first."""
        with shop() as running:
            found = running.run(running.bus.ask(ListPayments(status=status, limit=limit)))
        show([row(each, as_json) for each in found], COLUMNS, as_json=as_json)

    @app.command("show")
    def show_(payment_id: str, as_json: bool = AsJson) -> None:
        """One payment."""
        with shop() as running:
            found = running.run(running.bus.ask(GetPayment(payment_id=payment_id)))
        show_one(row(found, as_json), as_json=as_json)

    return app


def row(payment: PaymentDocument, as_json: bool) -> dict[str, Any]:
    """A payment as it is printed."""
    fields = payment.model_dump(mode="json", exclude_none=True)
    if not as_json and "amount" in fields:
        fields["amount"] = money(fields["amount"])
    return fields
