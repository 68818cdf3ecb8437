"""`shop keys`: who may ask the REST surface."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Annotated

import typer

from bus.console import AsJson, show

if TYPE_CHECKING:
    from shop.running import Running


def commands(opened: Callable[[], AbstractContextManager[Running]]) -> typer.Typer:
    """`shop keys create|list|revoke`."""
    app = typer.Typer(help="Keys for the REST surface.", no_args_is_help=True)

    @app.command()
    def create(
        name: Annotated[
            str, typer.Argument(help="The client's name; it sees the orders of this name.")
        ],
        scope: Annotated[str, typer.Option(help="shop, carrier or admin.")],
        as_json: bool = AsJson,
    ) -> None:
        """Make a key and print it: this is the only time it is shown."""
        with opened() as running:
            key = running.run(running.shop.keys().create(name, scope))
        if as_json:
            show([{"key": key, "name": name, "scope": scope}], [], as_json=True)
        else:
            typer.echo(key)

    @app.command("list")
    def list_(as_json: bool = AsJson) -> None:
        """The keys there are, without their secrets."""
        with opened() as running:
            found = running.run(running.shop.keys().list())
        show(
            [key._asdict() for key in found],
            ["prefix", "name", "scope", "created", "revoked"],
            as_json=as_json,
        )

    @app.command()
    def revoke(
        prefix: Annotated[str, typer.Argument(help="What stands before the key's dot.")],
        as_json: bool = AsJson,
    ) -> None:
        """Close a key; every replica knows within seconds."""
        with opened() as running:
            running.run(running.shop.keys().revoke(prefix))
        show(
            [{"prefix": prefix.partition(".")[0], "revoked": True}],
            ["prefix", "revoked"],
            as_json=as_json,
        )

    return app
