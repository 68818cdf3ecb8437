"""The admin CLI: every context's commands, and those about the process itself."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated

import typer

import catalog.admin
import delivery.admin
import delivery.deliveries_admin
import delivery.plan_admin
import delivery.slot_admin
import delivery.zone_admin
import ordering.admin
import payment.admin
import payment.balance_admin
from bus.console import AsJson, show
from shop import (
    buyers_admin,
    driver,
    keys_admin,
    log_admin,
    parked_admin,
    views_admin,
    work_admin,
)
from shop.tracking import admin as tracking_admin
from shop.webhooks import admin as webhooks_admin

if TYPE_CHECKING:
    from shop.running import Running

# What a command needs is imported when it runs, so that `shop --help` need not wait for it.


@contextmanager
def opened(*, work: bool = True) -> Iterator[Running]:
    """A shop for a command; it does its share of the work, unless that is left to others."""
    from shop import running

    with running.opened(work=work) as shop:
        yield shop


app = typer.Typer(
    name="shop",
    help="Storefold, the order backend of a web shop. Begin with: shop serve --demo",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.add_typer(keys_admin.commands(), name="keys")
app.add_typer(catalog.admin.commands(opened, delivery.admin.open_warehouses), name="catalog")
orders = ordering.admin.commands(opened)
tracking_admin.commands(orders, opened)
app.add_typer(orders, name="orders")
app.add_typer(ordering.admin.returns(opened), name="returns")
deliveries = delivery.deliveries_admin.commands(opened)
driver.add_to(deliveries, opened)
delivery.plan_admin.add_to(deliveries, opened)
app.add_typer(deliveries, name="deliveries")
app.add_typer(delivery.admin.warehouses(opened), name="warehouses")
app.add_typer(delivery.zone_admin.commands(opened), name="zones")
app.add_typer(delivery.slot_admin.commands(opened), name="slots")
app.add_typer(payment.admin.commands(opened), name="payments")
app.add_typer(payment.balance_admin.commands(opened), name="balances")
app.add_typer(buyers_admin.commands(opened), name="buyers")
app.add_typer(log_admin.commands(opened), name="log")
app.add_typer(parked_admin.commands(opened), name="parked")
app.add_typer(webhooks_admin.commands(opened), name="webhooks")
app.add_typer(views_admin.commands(partial(opened, work=False)), name="views")


def _tell(line: str) -> None:
    typer.echo(line, err=True)


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8000,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes.")] = 1,
    demo_: Annotated[
        bool,
        typer.Option("--demo", help="Load samples into an empty shop; print a key and a curl."),
    ] = False,
) -> None:
    """Serve REST, and run readers and timers. Starts MongoDB and Redis when none are set."""
    from shop import demo, serving
    from shop.running import located

    serving.end_on_signals()
    bound = serving.listening(host, port)
    address = serving.address(host, bound)
    with located(stay=True) as settings:
        serving.reach(settings)
        key = demo.prepare(settings) if demo_ else None

        def ready() -> None:
            _tell(f"ready {address}")
            if key is not None:
                typer.echo(demo.invitation(address, key))

        serving.serve(settings, bound, workers, ready)


@app.command()
def work(
    host: Annotated[str, typer.Option(help="Address to listen on, with --port.")] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, help="Serve /livez, /readyz and /metrics here; 0 takes a free port."
        ),
    ] = None,
) -> None:
    """Run readers and timers only, without REST: a second replica."""
    from shop import serving
    from shop.running import located

    serving.end_on_signals()
    bound = None if port is None else serving.listening(host, port)
    at = f" {serving.address(host, bound)}" if bound else ""
    with located(stay=True) as settings:
        serving.reach(settings)
        serving.work(settings, bound, lambda: _tell(f"ready to work{at}"))


@app.command("doctor")
def see_doctor(as_json: bool = AsJson) -> None:
    """Settings, servers, lag, parked and stuck work: one line each, with what to do."""
    from shop import doctor
    from shop.running import located

    with located() as settings:
        findings = doctor.examine(settings)
    show(
        [finding._asdict() for finding in findings],
        ["state", "what", "detail", "do"],
        as_json=as_json,
    )
    if any(finding.state == "bad" for finding in findings):
        raise typer.Exit(1)


@app.command("version")
def show_version(as_json: bool = AsJson) -> None:
    """Which release this is."""
    release = version("storefold")
    show([{"version": release}], [], as_json=True) if as_json else typer.echo(release)


app.command()(work_admin.readers)
app.command()(work_admin.timers)


def main() -> None:
    """Run the CLI and end the process: one clear line on stderr and exit 1 for whatever stands in
    the way."""
    code = _run()
    with suppress(OSError):  # whoever read it has gone
        sys.stdout.flush()
        sys.stderr.flush()
    # An ordinary exit waits half a second for the idle threads of MongoDB's driver.
    os._exit(code)


def _run() -> int:
    try:
        app()
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else int(done.code is not None)
    except Exception as error:
        from shop.failures import line

        typer.echo(f"shop: {line(error)}", err=True)
        return 1
    return 0
