"""`shop keys`: who may ask the REST surface."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeVar

import typer

from bus.console import AsJson, show

if TYPE_CHECKING:
    from shop.keys import Keys, Made

R = TypeVar("R")


def length(text: str) -> timedelta:
    """A length of time as an option has it: `24h`."""
    from shop.settings import length_of_time

    try:
        return length_of_time(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


Expires = Annotated[
    timedelta | None,
    typer.Option(
        "--expires",
        parser=length,
        metavar="TIME",
        help="For how long it opens: 90d. Else for ever.",
    ),
]


def asked(work: Callable[[Keys], Coroutine[Any, Any, R]]) -> R:
    """Do this with the shop's keys: nothing else of the shop is started for it."""
    from shop.container import Shop
    from shop.running import located

    with located() as settings:
        shop = Shop(settings=settings)
        with shop.mongo():
            return asyncio.run(work(shop.keys()))


def commands() -> typer.Typer:
    """`shop keys create|list|rotate|revoke`."""
    app = typer.Typer(help="Keys for the REST surface.", no_args_is_help=True)

    @app.command()
    def create(
        name: Annotated[
            str, typer.Argument(help="The client's name; it sees the orders of this name.")
        ],
        scope: Annotated[str, typer.Option(help="shop, carrier or admin.")],
        expires: Expires = None,
        as_json: bool = AsJson,
    ) -> None:
        """Make a key and print it: this is the only time it is shown."""
        made = asked(lambda keys: keys.make(name, scope, expires))
        hand_over(made, as_json=as_json)

    @app.command("list")
    def list_(as_json: bool = AsJson) -> None:
        """The keys there are, without their secrets."""
        found = asked(lambda keys: keys.list())
        columns = "prefix name scope created last_used expires revoked successor"
        show([told(key) for key in found], columns.split(), as_json=as_json)

    @app.command()
    def rotate(
        which: Annotated[
            str,
            typer.Argument(
                metavar="NAME|PREFIX", help="Whose key, or what stands before the key's dot."
            ),
        ],
        keep: Annotated[
            timedelta,
            typer.Option(
                parser=length,
                metavar="TIME",
                show_default="24h",
                help="For how long the old one still opens.",
            ),
        ] = timedelta(hours=24),
        expires: Expires = None,
        as_json: bool = AsJson,
    ) -> None:
        """Make a client another key and print it; the old one goes on opening for a while."""
        made = asked(lambda keys: keys.rotate(which, keep, expires))
        hand_over(made, as_json=as_json)

    @app.command()
    def revoke(
        prefix: Annotated[str, typer.Argument(help="What stands before the key's dot.")],
        as_json: bool = AsJson,
    ) -> None:
        """Close a key; every replica knows within seconds."""
        asked(lambda keys: keys.revoke(prefix))
        show(
            [{"prefix": prefix.partition(".")[0], "revoked": True}],
            ["prefix", "revoked"],
            as_json=as_json,
        )

    return app


def hand_over(made: Made, *, as_json: bool) -> None:
    """Print a new key alone on stdout, and what is to be known of it on stderr."""
    if as_json:
        show([told(made)], [], as_json=True)
        return
    typer.echo(made.key)
    if made.closes:
        typer.echo(f"{made.replaces} closes at {when(made.closes)}", err=True)
    if made.expires:
        typer.echo(f"this key expires at {when(made.expires)}", err=True)


def told(fields: NamedTuple) -> dict[str, object]:
    """What is known of a key, its times as RFC 3339 has them."""
    return {
        name: when(value) if isinstance(value, datetime) else value
        for name, value in fields._asdict().items()
    }


def when(moment: datetime) -> str:
    """A time in UTC, to the second."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
