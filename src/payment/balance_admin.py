"""Store credit's part of the CLI: `shop balances`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from bus.console import AsJson, Open, Running, money, show, show_one, stderr
from bus.envelope import sealed
from bus.messages import Done, Money, Principal, Refused, derived_id
from payment.balance_commands import CreditBuyer, Entry, GetLedger, ListBalances
from payment.contract import Balance, GetBalance

ADMIN = Principal(scope="admin", name="cli")

COLUMNS = ("buyer_id", "balance", "held", "available")
LEDGER_COLUMNS = ("at", "what", "amount", "balance", "available", "for")

Buyer = Annotated[str, typer.Argument(help="The buyer's id.")]


def commands(shop: Open) -> typer.Typer:
    """The commands of `shop balances`."""
    app = typer.Typer(help="Store credit.", no_args_is_help=True)

    @app.command("show")
    def show_(buyer: Buyer, as_json: bool = AsJson) -> None:
        """What a buyer has, and how much of it can be spent."""
        with shop() as running:
            found = running.run(running.bus.ask(GetBalance(buyer_id=buyer)))
        show_one(row(found, as_json=as_json), as_json=as_json)

    @app.command()
    def credit(
        buyer: Buyer,
        amount: Annotated[str, typer.Argument(help="Such as 10.50, in the shop's currency.")],
        reason: Annotated[str, typer.Option(help="Why.")] = "given by the shop",
        key: Annotated[
            str | None,
            typer.Option(help="A name for this credit: under the same one it is given once."),
        ] = None,
        as_json: bool = AsJson,
    ) -> None:
        """Give a buyer credit: each time, unless it has a --key."""
        if key is not None and not key.strip():
            raise typer.BadParameter("a key is not empty: leave --key out, or name this credit")
        with shop() as running:
            done = running.run(give(running, buyer, amount, reason, key))
        if done.repeated:
            stderr.print(f"credited under this key before, at position {done.position}")
        show_one(row(done.answer, as_json=as_json), as_json=as_json)

    @app.command("list")
    def list_(
        limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 20,
        as_json: bool = AsJson,
    ) -> None:
        """Those who ever had credit, the latest to get some first."""
        with shop() as running:
            found = running.run(listed(running, limit))
        show([row(each, as_json=as_json) for each in found], COLUMNS, as_json=as_json)

    @app.command()
    def history(buyer: Buyer, as_json: bool = AsJson) -> None:
        """Every entry of a buyer's ledger, oldest first."""
        with shop() as running:
            found = running.run(running.bus.ask(GetLedger(buyer_id=buyer)))
        show([line(entry, as_json=as_json) for entry in found], LEDGER_COLUMNS, as_json=as_json)

    return app


async def give(
    running: Running, buyer: str, amount: str, reason: str, key: str | None
) -> Done[Balance]:
    """Credit the buyer; refused with `invalid_amount` besides what the command is refused with."""
    there = await running.bus.ask(GetBalance(buyer_id=buyer))
    try:
        credit = Money.parse(amount, there.balance.currency)
    except ValueError as error:
        raise Refused("invalid_amount", str(error)) from None
    command = CreditBuyer(buyer_id=buyer, amount=credit, reason=reason)
    envelope = sealed(
        command,
        id=derived_id("shop balances credit", key) if key is not None else None,
        principal=ADMIN,
        fingerprint=derived_id(command.model_dump_json()) if key is not None else None,
    )
    done: Done[Balance] = await running.bus.deliver(envelope)
    return done


async def listed(running: Running, limit: int) -> tuple[Balance, ...]:
    """The balances as of now."""
    head = await running.platform.contexts["payment"].log.head()
    return await running.bus.ask(ListBalances(limit=limit, min_position=head))


def row(found: Balance, *, as_json: bool) -> dict[str, Any]:
    """A balance as it is printed."""
    if as_json:
        return found.model_dump(mode="json")
    amounts = {name: str(getattr(found, name)) for name in COLUMNS[1:]}
    return {"buyer_id": found.buyer_id, **amounts}


def line(entry: Entry, *, as_json: bool) -> dict[str, Any]:
    """An entry of a ledger as it is printed."""
    fields = entry.model_dump(mode="json")
    if as_json:
        return fields
    data = fields["data"]
    what = entry.type.rpartition(".")[2].removeprefix("Credit").lower()
    return {
        "at": fields["at"],
        "what": what,
        "amount": money(data["amount"]) if "amount" in data else "",
        "balance": str(entry.balance),
        "available": str(entry.available),
        "for": next((data[name] for name in ("refund_id", "hold", "reason") if name in data), ""),
    }
