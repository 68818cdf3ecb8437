"""`shop webhooks`: who is told what happens, and what they were told."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bus.console import AsJson, ago, progress, show, show_one, stderr

if TYPE_CHECKING:
    from bus.messages import Command
    from shop.running import Running
    from shop.webhooks.commands import EndpointDocument, NoticeDocument, WithSecret

Open = Callable[..., AbstractContextManager["Running"]]

COLUMNS = ("endpoint_id", "url", "client", "only", "state", "waiting", "failed", "last_taken")
TOLD = ("message_id", "happened_at", "type", "order_id", "endpoint_id", "state", "tries", "last")

Id = Annotated[str, typer.Argument(help="As `shop webhooks list` names it.", metavar="ENDPOINT")]
Since = Annotated[
    str | None, typer.Option(help="What happened since: 2d, 12h, 30min, or 2026-11-23T12:00Z.")
]

HOURS = 24
"""For which an old secret signs too, unless told otherwise."""


def commands(opened: Open) -> typer.Typer:
    """The commands of `shop webhooks`."""
    app = typer.Typer(
        help="Tell others what happens to orders and deliveries, signed.", no_args_is_help=True
    )
    _about_endpoints(app, opened)
    _about_secrets(app, opened)
    _about_notices(app, opened)
    return app


def _about_endpoints(app: typer.Typer, opened: Open) -> None:
    @app.command()
    def add(
        url: Annotated[str, typer.Argument(help="https://...", metavar="URL")],
        client: Annotated[
            str | None, typer.Option(help="Only of the orders that this client placed.")
        ] = None,
        only: Annotated[
            list[str] | None,
            typer.Option(help="Only this type, order.confirmed or order.*; may come again."),
        ] = None,
        as_json: bool = AsJson,
    ) -> None:
        """Tell an address what happens from now on; prints the secret that signs it, this once."""
        from shop.webhooks.commands import AddEndpoint

        with opened() as running:
            command = AddEndpoint(url=url, client=client, only=tuple(only or ()))
            _tell_secret(running.run(running.bus.send(command)), as_json)

    @app.command("list")
    def list_(as_json: bool = AsJson) -> None:
        """Who is told, and whether it is taken."""
        from shop.webhooks.commands import ListEndpoints

        with opened(work=False) as running:
            found = running.run(running.bus.ask(ListEndpoints()))
        show([_endpoint(each, as_json) for each in found], COLUMNS, as_json=as_json)

    def change(command: Command[EndpointDocument], as_json: bool) -> None:
        with opened() as running:
            found = running.run(running.bus.send(command))
        show([_endpoint(found, as_json)], COLUMNS[:5], as_json=as_json)

    @app.command()
    def disable(
        endpoint: Id,
        reason: Annotated[str, typer.Option(help="Why.")] = "by hand",
        as_json: bool = AsJson,
    ) -> None:
        """Tell it nothing for now; what waits, waits."""
        from shop.webhooks.commands import DisableEndpoint

        change(DisableEndpoint(endpoint_id=endpoint, reason=reason), as_json)

    @app.command()
    def enable(endpoint: Id, as_json: bool = AsJson) -> None:
        """Tell it again: what waits, and what happens from now on. What it missed: redeliver."""
        from shop.webhooks.commands import EnableEndpoint

        change(EnableEndpoint(endpoint_id=endpoint), as_json)

    @app.command()
    def remove(endpoint: Id, as_json: bool = AsJson) -> None:
        """Forget it, its secrets, and what it was told."""
        from shop.webhooks.commands import RemoveEndpoint

        with opened() as running:
            running.run(running.bus.send(RemoveEndpoint(endpoint_id=endpoint)))
        show_one({"endpoint_id": endpoint, "removed": True}, as_json=as_json)

    @app.command("test")
    def test(endpoint: Id, as_json: bool = AsJson) -> None:
        """Send it a webhook.test at once, and show its answer; exit 1 if it does not take it."""
        from shop.webhooks.commands import TryEndpoint

        with opened(work=False) as running:
            tried = running.run(running.bus.send(TryEndpoint(endpoint_id=endpoint)))
        fields = tried.attempt.model_dump(mode="json", exclude_none=True)
        show_one({"taken": tried.taken, **fields, "said": tried.said}, as_json=as_json)
        if not tried.taken:
            raise typer.Exit(1)


def _about_secrets(app: typer.Typer, opened: Open) -> None:
    secret = typer.Typer(help="The secret that signs what an endpoint is told.")
    app.add_typer(secret, name="secret", no_args_is_help=True)

    @secret.command()
    def rotate(
        endpoint: Id,
        overlap: Annotated[
            int,
            typer.Option(
                min=0, max=720, help="Hours for which the old one signs too; 0 if it leaked."
            ),
        ] = HOURS,
        as_json: bool = AsJson,
    ) -> None:
        """Sign with a fresh one, which is printed this once; for some hours with both."""
        from shop.webhooks.commands import RotateSecret

        command = RotateSecret(endpoint_id=endpoint, overlap=timedelta(hours=overlap))
        with opened() as running:
            _tell_secret(running.run(running.bus.send(command)), as_json)


def _about_notices(app: typer.Typer, opened: Open) -> None:
    @app.command()
    def deliveries(
        endpoint: Annotated[str | None, typer.Option(help="Only to this endpoint.")] = None,
        order: Annotated[str | None, typer.Option(help="Only about this order.")] = None,
        state: Annotated[str | None, typer.Option(help="waiting, taken or failed.")] = None,
        since: Since = None,
        limit: Annotated[int, typer.Option("-n", min=1, max=10_000, help="How many.")] = 50,
        as_json: bool = AsJson,
    ) -> None:
        """What was sent or is to be, and what came of it, the latest first."""
        from shop.webhooks.commands import ListNotices

        wanted = {
            "endpoint_id": endpoint,
            "order_id": order,
            "state": state,
            "since": _moment(since),
            "limit": limit,
        }
        query = ListNotices.model_validate(wanted)
        with opened(work=False) as running:
            found = running.run(running.bus.ask(query))
        show([_told(each, as_json) for each in found], TOLD, as_json=as_json)

    @app.command()
    def redeliver(
        messages: Annotated[
            list[str] | None,
            typer.Argument(
                help="As `shop webhooks deliveries` names them.", metavar="[MESSAGE]..."
            ),
        ] = None,
        endpoint: Annotated[
            str | None, typer.Option(help="With --failed or --since: whose.")
        ] = None,
        failed: Annotated[bool, typer.Option("--failed", help="All that failed.")] = False,
        since: Since = None,
        as_json: bool = AsJson,
    ) -> None:
        """Send these messages again, under the same ids; or all of an endpoint's that --failed; or
        all it was told, or missed, --since a time."""
        if bool(messages) == (endpoint is not None) or (
            endpoint is not None and failed == (since is not None)
        ):
            raise typer.BadParameter(
                "name messages, or an --endpoint with either --failed or --since"
            )
        then = _moment(since)
        with opened() as running:
            if endpoint is not None and then is not None:
                count = _since(running, endpoint, then)
            else:
                count = _again(running, messages or [], endpoint)
        show_one({"sent_again": count}, as_json=as_json)


def _again(running: Running, messages: list[str], failed_of: str | None) -> int:
    from shop.webhooks.commands import SendAgain

    command = SendAgain(messages=tuple(messages), failed_of=failed_of)
    return running.run(running.bus.send(command))


def _moment(since: str | None) -> datetime | None:
    from bus.messages import now

    return None if since is None else ago(since, now())


def _since(running: Running, endpoint: str, since: datetime) -> int:
    """Look through the logs for what an endpoint is to be told again."""
    webhooks = running.shop.webhooks()
    with progress() as bars:
        bar = bars.add_task("commits")

        def told(done: int, total: int) -> None:
            bars.update(bar, completed=done, total=total)

        found = running.run(webhooks.handlers.open(endpoint))
        return int(running.run(webhooks.outbox.again(found, since, told)))


def _tell_secret(made: WithSecret, as_json: bool) -> None:
    """The secret alone on stdout, to be piped to where it is kept."""
    id = made.endpoint.endpoint_id
    if as_json:
        show_one({**_endpoint(made.endpoint, True), "secret": made.secret}, as_json=True)
        return
    stderr.print(f"[dim]{id} signs with this, which is shown only now:[/dim]")
    typer.echo(made.secret)


def _endpoint(endpoint: EndpointDocument, as_json: bool) -> dict[str, Any]:
    fields = endpoint.model_dump(mode="json", exclude_none=not as_json)
    if as_json:
        return fields
    state = "enabled" if endpoint.disabled is None else f"disabled: {endpoint.disabled}"
    return {**fields, "only": ", ".join(endpoint.only), "state": state}


def _told(notice: NoticeDocument, as_json: bool) -> dict[str, Any]:
    fields = notice.model_dump(mode="json")
    if as_json:
        return fields
    last = notice.attempts[-1] if notice.attempts else None
    came = "" if last is None else last.error or f"{last.status} in {last.took_ms} ms"
    return {**fields, "tries": len(notice.attempts), "last": came}
