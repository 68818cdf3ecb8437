"""`shop parked`: the streams that a reader could not go on with, and what is to be done with
them."""

from __future__ import annotations

import asyncio
import getpass
import json
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bus.console import AsJson, Open, fail, harmless, progress, show, show_one, stderr, stdout
from bus.messages import NotFound, Refused
from shop.work_admin import looking

if TYPE_CHECKING:
    from bus.console import Running
    from shop.parked_streams import Parked

LOOK = 0.1
"""Seconds between looks whether a stream goes on again."""

PATIENCE = 60.0
"""Seconds in which at least one of the streams must get on; then it is no use to wait."""

SHOWN = 20
"""Of the events that wait behind, how many are shown."""

Id = Annotated[str, typer.Argument(help="As `shop parked list` names it.", metavar="ID")]


def commands(shop: Any) -> typer.Typer:
    """The commands of `shop parked`."""
    opened: Open = shop
    app = typer.Typer(
        help="Streams that a reader has given up on: look, try again, or skip an event.",
        no_args_is_help=True,
    )

    @app.command("list")
    def list_parked(
        skipped: Annotated[
            bool, typer.Option("--skipped", help="The events that were skipped, and why.")
        ] = False,
        as_json: bool = AsJson,
    ) -> None:
        """Every parked stream: one row each, the longest parked first."""
        from shop import parked_streams as parked

        with looking() as platform:
            if skipped:
                show(parked.skipped(platform), parked.SKIPPED, as_json=as_json)
                return
            rows = [parked.row(each, as_json) for each in parked.all_of(platform)]
        show(rows, parked.COLUMNS, as_json=as_json)

    @app.command("show")
    def show_parked(id: Id, as_json: bool = AsJson) -> None:
        """All about one: the event, the error with its traceback, what waits behind it."""
        from shop import parked_streams as parked

        with looking() as platform:
            (found,) = _wanted(parked.all_of(platform), [id])
            whole = parked.whole(found, SHOWN)
        if as_json:
            show_one(whole, as_json=True)
            return
        traceback, behind = whole.pop("traceback"), whole.pop("behind")
        event = json.dumps(whole.pop("event"), indent=2, default=str, ensure_ascii=False)
        show_one({name: value for name, value in whole.items() if value is not None}, as_json=False)
        told = harmless(f"\n{event}\n\n{traceback or ''}", "\t\n")
        stdout.print(told, markup=False, soft_wrap=True)
        if behind:
            show(behind, ["position", "at", "type"], as_json=False)
        stderr.print(f"[dim]shop parked retry {id}, or: shop parked skip {id} --reason WHY[/dim]")

    @app.command()
    def retry(
        ids: Annotated[
            list[str] | None,
            typer.Argument(help="As `shop parked list` names them.", metavar="[ID]..."),
        ] = None,
        every: Annotated[bool, typer.Option("--all", help="All that are parked.")] = False,
        as_json: bool = AsJson,
    ) -> None:
        """Handle the event again, and then in order what waits behind it."""
        if bool(ids) == every:
            raise typer.BadParameter("name what to retry as `shop parked list` does, or say --all")
        with opened() as running:
            _see_through(running, list(dict.fromkeys(ids)) if ids else None, as_json=as_json)

    @app.command()
    def skip(
        id: Id,
        reason: Annotated[str, typer.Option(help="Why this event need not be handled.")],
        as_json: bool = AsJson,
    ) -> None:
        """Never handle this event; go on with what waits behind it. Kept in `list --skipped`."""
        if not reason.strip():
            raise typer.BadParameter("say why: whoever looks later has only your word for it")
        with opened() as running:
            _see_through(running, [id], reason=reason.strip(), as_json=as_json)

    return app


def _see_through(
    running: Running, ids: Sequence[str] | None, *, as_json: bool, reason: str | None = None
) -> None:
    """Ask for these streams to go on, wait until they do, and say which did not."""
    from shop import parked_streams as parked

    found = parked.all_of(running.platform)
    asked = _asked(found if ids is None else _wanted(found, ids), reason)
    if ids is not None and len(asked) < len(ids):
        raise Refused(
            "changed", "it is being tried again or is not what it was: see `shop parked list`"
        )
    for context in {each.home.name for each in asked}:
        running.platform.ask(context)
    results = running.run(_waited_for(asked))
    show(
        [result._asdict() for result in results],
        ["id", "reader", "stream", "state", "error"],
        as_json=as_json,
    )
    failed = [result for result in results if result.state != parked.GOES_ON]
    if len(failed) == 1:
        error = " ".join(str(failed[0].error).split())
        fail(f"{failed[0].stream} {failed[0].state}: {error}")
    if failed:
        fail(f"{len(failed)} of {len(results)} streams are still parked: see `shop parked list`")


def _asked(wanted: Sequence[Parked], reason: str | None) -> list[Parked]:
    """Those that have been asked to go on, and stand as they were seen."""
    from shop import parked_streams as parked

    by, skip = _person(), reason is not None
    with progress() as bar:
        asking = bar.track(wanted, description="asking")
        return [each for each in asking if parked.ask(each, skip=skip, by=by, reason=reason)]


async def _waited_for(wanted: Sequence[Parked]) -> list[Any]:
    """What became of each."""
    from shop import parked_streams as parked

    left, results = list(wanted), []
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PATIENCE
    with progress() as bar:
        task = bar.add_task("going on", total=len(wanted))
        while left and loop.time() < deadline:
            news = await asyncio.to_thread(parked.outcomes, left)
            if news:
                deadline = loop.time() + PATIENCE
                results += news
                settled = {outcome.id for outcome in news}
                left = [each for each in left if each.id not in settled]
                bar.update(task, completed=len(results))
            else:
                await asyncio.sleep(LOOK)
    return results + [parked.outcome(each, parked.WAITS, "see `shop readers`") for each in left]


def _wanted(found: Sequence[Parked], ids: Sequence[str]) -> list[Parked]:
    """Those that a person has named."""
    by_id = {each.id: each for each in found}
    for id in ids:
        if id not in by_id:
            raise NotFound("unknown_id", f"nothing is parked as {id}: see `shop parked list`")
    return [by_id[id] for id in ids]


def _person() -> str:
    """Who types this."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container has users without a name
        return f"user {os.getuid()}"
