"""`shop views`: the read models as they stand, and how to build one afresh."""

from __future__ import annotations

import gc
import re
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bus.console import AsJson, Open, fail, progress, show
from bus.messages import NotFound

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from bus.context import Context
    from bus.platform import Platform
    from bus.rebuild import Report
    from bus.views import Documents

COLUMNS = ["name", "context", "version", "documents", "position", "lag", "state", "do"]

COLLECTION = re.compile(r"view_(?P<name>.+)_v(?P<version>\d+)(?P<next>_next_\w+)?")


def commands(shop: Any) -> typer.Typer:
    """The commands of `shop views`; `shop` opens one that leaves the work to others."""
    opened: Open = shop
    app = typer.Typer(help="The read models.", no_args_is_help=True)

    @app.command("list")
    def list_views(as_json: bool = AsJson) -> None:
        """The views, how far each shows its log, and what is left of others."""
        with opened() as running:
            rows = [
                row
                for context in running.platform.contexts.values()
                for row in running.run(_rows(context))
            ]
        show(rows, COLUMNS, as_json=as_json)

    @app.command()
    def rebuild(
        name: Annotated[str, typer.Argument(help="As `shop views list` has it.")],
        accept_differences: Annotated[
            bool,
            typer.Option("--accept-differences", help="Take the new one even if it differs."),
        ] = False,
        as_json: bool = AsJson,
    ) -> None:
        """Build a view from its log beside the live one, compare them, and switch if they agree.

        Prints where they differ; then the live one stays, and the exit code is 1.
        """
        gc.set_threshold(10_000, 5, 1_000)  # what is built lives for long: look at it seldom
        with opened() as running, progress() as bars:
            context, live = _named(running.platform, name)
            report = running.run(
                _rebuilt(running.platform, context, live, bars, accept_differences)
            )
        _tell(name, live, report, as_json=as_json)

    return app


async def _rows(context: Context) -> list[dict[str, object]]:
    """What there is of each view of a context, the live ones first."""
    current = {documents.view.name: documents for documents in context.views}
    found = [COLLECTION.fullmatch(name) for name in context.database.list_collection_names()]
    others = sorted(
        (match for match in found if match and not _is_live(match, current)),
        key=lambda match: match.string,
    )
    return [
        *[await _live(context, documents) for documents in current.values()],
        *[_other(context, match, current) for match in others],
    ]


def _is_live(match: re.Match[str], current: dict[str, Documents[Any]]) -> bool:
    live = current.get(match["name"])
    return live is not None and live.collection.name == match.string


async def _live(context: Context, documents: Documents[Any]) -> dict[str, object]:
    from bus.readers import FAR

    view = documents.view
    position = await context.shown(documents)
    lag = await context.log.head() - position
    far = lag > FAR
    return {
        "name": view.name,
        "context": context.name,
        "version": view.version,
        "documents": documents.collection.estimated_document_count(),
        "position": position,
        "lag": lag,
        "state": "catching up" if far else "live",
        "do": f"shop views rebuild {view.name} is faster" if far else None,
    }


def _other(
    context: Context, match: re.Match[str], current: dict[str, Documents[Any]]
) -> dict[str, object]:
    from bus.rebuild import rebuilding

    version, live = int(match["version"]), current.get(match["name"])
    drop = f"drop the collection {context.database.name}.{match.string}"
    if match["next"]:
        at_work = live is not None and rebuilding(context, live)
        state, do = ("being built", None) if at_work else ("left over", "the next rebuild drops it")
    elif live is not None and version > live.view.version:
        state, do = "of a newer release", None
    else:
        state, do = "old", f"when no older release runs any more, {drop}"
    return {
        "name": match["name"],
        "context": context.name,
        "version": version,
        "documents": context.database[match.string].estimated_document_count(),
        "state": state,
        "do": do,
    }


def _named(platform: Platform, name: str) -> tuple[Context, Documents[Any]]:
    views = {
        documents.view.name: (context, documents)
        for context in platform.contexts.values()
        for documents in context.views
    }
    if name not in views:
        raise NotFound("unknown_view", f"there is no view {name}: choose {', '.join(views)}")
    return views[name]


async def _rebuilt(
    platform: Platform, context: Context, live: Documents[Any], bars: Progress, accept: bool
) -> Report:
    from bus.rebuild import Rebuild

    tasks: dict[str, TaskID] = {}

    def told(what: str, done: int, total: int) -> None:
        if what not in tasks:
            tasks[what] = bars.add_task(f"{live.view.name}: {what}")
        bars.update(tasks[what], completed=done, total=total)

    rebuild = Rebuild(context, live, partial(platform.ask, context.name), told)
    return await rebuild.run(accept_differences=accept)


def _tell(name: str, live: Documents[Any], report: Report, *, as_json: bool) -> None:
    found = report.comparison
    if found.shown:
        rows = [difference._asdict() for difference in found.shown]
        show(rows, ["id", "field", "live", "rebuilt"], as_json=as_json)
    if more := sum(found.differing.values()) - len(found.shown):
        typer.echo(f"... and {more:,} more differences", err=True)
    compared = "there was none to compare it with"
    if report.against is not None:
        compared = (
            f"of {found.compared:,} documents compared with {report.against} at the same position"
            f" {len(found.differing):,} differ"
        )
    if not report.switched:
        fail(
            f"{name} is left as it was: {compared}; find out why, or take the new one with"
            f" `shop views rebuild {name} --accept-differences`"
        )
    typer.echo(
        f"{live.view.name} v{live.view.version} is rebuilt to position {report.position:,}:"
        f" {compared}",
        err=True,
    )
