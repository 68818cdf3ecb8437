"""Payment's part of the CLI: `shop payments`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from bus.console import AsJson, Open, Running, ago, fail, money, progress, show, show_one
from bus.messages import Principal, now
from payment.commands import AskAgain, RecordOutcome
from payment.gateway import Approved, Declined
from payment.queries import (
    CallDocument,
    GetPayment,
    ListPayments,
    PaymentDocument,
    Reconcile,
    Report,
    Status,
    Trouble,
)

COLUMNS = (
    "payment_id",
    "reference",
    "status",
    "amount",
    "captured",
    "refunded",
    "attempts",
    "trouble",
    "reason",
)
CALLS = ("key", "operation", "attempt", "amount", "status", "tries", "reason")

AMOUNTS = ("amount", "credit", "captured", "refunded")

ADMIN = Principal(scope="admin", name="cli")

PaymentId = Annotated[str, typer.Argument(help="The payment's id.")]


class Found(StrEnum):
    """What a person has found at the gateway."""

    approved = "approved"
    declined = "declined"


def commands(shop: Open) -> typer.Typer:
    """The commands of `shop payments`."""
    app = typer.Typer(help="What became of the money.", no_args_is_help=True)

    @app.command("list")
    def list_(
        status: Annotated[Status | None, typer.Option(help="Only those in this status.")] = None,
        unknown: Annotated[
            bool, typer.Option("--unknown", help="Nobody knows what a call led to.")
        ] = False,
        failed: Annotated[
            bool, typer.Option("--failed", help="The gateway declined what it should not.")
        ] = False,
        limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 20,
        as_json: bool = AsJson,
    ) -> None:
        """The payments, newest first."""
        if unknown and failed:
            raise typer.BadParameter("choose --unknown or --failed: a payment in both is in either")
        trouble: Trouble | None = "unknown" if unknown else "failed" if failed else None
        query = ListPayments(status=status, trouble=trouble, limit=limit)
        with shop() as running:
            head = running.run(_head(running))
            query = query.model_copy(update={"min_position": head})
            found = running.run(running.bus.ask(query))
        show([row(each, as_json) for each in found], COLUMNS, as_json=as_json)

    @app.command("show")
    def show_(payment_id: PaymentId, as_json: bool = AsJson) -> None:
        """One payment, with every call of the gateway."""
        with shop() as running:
            found = running.run(_newest(running, payment_id))
        _tell(found, as_json)

    @app.command()
    def retry(
        payment_id: PaymentId,
        key: Annotated[str | None, typer.Option(help="Only the call under this key.")] = None,
        as_json: bool = AsJson,
    ) -> None:
        """Make calls again whose outcome is unknown, and those that failed."""
        with shop() as running:
            found = running.run(_done(running, AskAgain(payment_id=payment_id, gateway_key=key)))
        _tell(found, as_json)

    @app.command()
    def settle(
        payment_id: PaymentId,
        key: Annotated[str, typer.Argument(help="The call's key, as `show` has it.")],
        outcome: Annotated[Found, typer.Argument(help="What the gateway's own books say.")],
        reason: Annotated[str, typer.Option(help="How you know; why it was declined.")],
        authorization: Annotated[
            str | None, typer.Option(help="The gateway's own name of the hold, if it has one.")
        ] = None,
        as_json: bool = AsJson,
    ) -> None:
        """Say what a call led to, having looked it up at the gateway."""
        answer = (
            Approved(authorization=authorization)
            if outcome is Found.approved
            else Declined(reason=reason)
        )
        told = RecordOutcome(payment_id=payment_id, gateway_key=key, outcome=answer)
        with shop() as running:
            _check_open(running.run(_newest(running, payment_id)), key, outcome)
            found = running.run(_done(running, told))
        typer.echo(f"{key} is settled as {outcome}: {reason}", err=True)
        _tell(found, as_json)

    @app.command()
    def reconcile(
        since: Annotated[
            str | None, typer.Option(help="Only payments begun since: 2d, 12h, 2026-11-23T12:00Z.")
        ] = None,
        as_json: bool = AsJson,
    ) -> None:
        """Compare the gateway's own books with the events. Changes nothing."""
        asked = Reconcile(since=None if since is None else ago(since, now()))
        with shop() as running, progress() as bars:
            bars.add_task("comparing the books", total=None)
            report = running.run(running.bus.ask(asked))
        _report(report, as_json)

    return app


async def _head(running: Running) -> int:
    return await running.platform.contexts["payment"].log.head()


async def _newest(running: Running, payment_id: str) -> PaymentDocument:
    """A payment as it stands now."""
    asked = GetPayment(payment_id=payment_id, min_position=await _head(running))
    return await running.bus.ask(asked)


async def _done(running: Running, command: AskAgain | RecordOutcome) -> PaymentDocument:
    """A payment once a command about it is done."""
    await running.bus.send(command, principal=ADMIN)
    return await _newest(running, command.payment_id)


def _check_open(payment: PaymentDocument, key: str, outcome: Found) -> None:
    """Fail unless the call waits for an answer, or failed and was done after all."""
    call = next((each for each in payment.calls if each.key == key), None)
    if call is None:
        known = ", ".join(each.key for each in payment.calls) or "none"
        fail(f"payment {payment.payment_id} has no call {key}: it has {known}")
    failed = call.status == "failed" and call.operation != "authorize"
    if call.status in ("requested", "unknown") or (failed and outcome is Found.approved):
        return
    fail(f"{key} was answered already: it {call.status}; see `shop payments show`")


def row(payment: PaymentDocument, as_json: bool) -> dict[str, Any]:
    """A payment as it is printed."""
    fields = payment.model_dump(mode="json", exclude_none=True)
    if as_json:
        return fields
    amounts = {name: money(fields[name]) for name in AMOUNTS if name in fields}
    return {**fields, **amounts, "trouble": ", ".join(payment.trouble) or None}


def _tell(payment: PaymentDocument, as_json: bool) -> None:
    fields = row(payment, as_json)
    if as_json:
        show_one(fields, as_json=True)
        return
    lists = ("calls", "refunds")
    told = {name: each for name, each in fields.items() if name not in lists and each is not None}
    show_one(told, as_json=False)
    if payment.calls:
        typer.echo()
        show([_call(each) for each in payment.calls], CALLS, as_json=False)
    if payment.refunds:
        typer.echo()
        refunds = [{**each.model_dump(), "amount": str(each.amount)} for each in payment.refunds]
        show(refunds, ("refund_id", "amount"), as_json=False)


def _call(call: CallDocument) -> dict[str, Any]:
    return {**call.model_dump(), "amount": None if call.amount is None else str(call.amount)}


def _report(report: Report, as_json: bool) -> None:
    """Each difference in a line on stdout, the summary on stderr; exit 1 when there is any."""
    for each in report.differences:
        if as_json:
            typer.echo(each.model_dump_json())
        else:
            typer.echo(
                f"{each.payment_id} ({each.reference})  gateway: {each.gateway};"
                f"  events: {each.events};  do: {each.do}"
            )
    differences = "difference" if len(report.differences) == 1 else "differences"
    summary = f"{report.compared:,} payments compared, {len(report.differences):,} {differences}"
    if report.under_way:
        summary += f", {report.under_way:,} under way all the time and left out"
    if report.more:
        summary += "; there are more: settle these, then compare again"
    typer.echo(summary, err=True)
    if report.differences or report.more:
        raise typer.Exit(1)
