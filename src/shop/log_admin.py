"""`shop log`: look at the logs, and verify that they are what they must be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from bus.audit import Audit, Fault
from bus.console import AsJson, Open, fail, progress, show, stderr
from bus.messages import NotFound

if TYPE_CHECKING:
    from bus.commits import Commit
    from bus.platform import Context

ContextName = Annotated[
    str, typer.Option("--context", help="ordering, catalog, payment or delivery.")
]


def commands(shop: Any) -> typer.Typer:
    """The commands of `shop log`."""
    opened: Open = shop
    app = typer.Typer(help="The event logs.", no_args_is_help=True)

    @app.command()
    def verify(as_json: bool = AsJson) -> None:
        """Read every log and check it; exit 1 with the first fault of each."""
        with opened() as running:
            results = [_verified(context) for context in running.platform.contexts.values()]
        show(results, ["context", "commits", "state", "fault"], as_json=as_json)
        broken = [result for result in results if result["fault"]]
        if broken:
            fail(f"the {broken[0]['context']} log is not what it must be: {broken[0]['fault']}")

    @app.command()
    def tail(
        context: ContextName = "ordering",
        number: Annotated[
            int, typer.Option("-n", min=1, max=10_000, help="How many commits.")
        ] = 10,
        as_json: bool = AsJson,
    ) -> None:
        """The newest commits of a log, the newest last."""
        with opened() as running:
            home = _home(running, context)
            head = running.run(home.log.head())
            commits = running.run(home.log.read(max(head - number, 0), number))
        show(
            [_row(commit) for commit in commits],
            ["position", "at", "events", "streams"],
            as_json=as_json,
        )

    @app.command("show")
    def show_commit(
        position: int, context: ContextName = "ordering", as_json: bool = AsJson
    ) -> None:
        """One commit, whole."""
        with opened() as running:
            commits = running.run(_home(running, context).log.read(position - 1, 1))
        if not commits:
            raise NotFound("unknown_position", f"the {context} log has no position {position} yet")
        show([_whole(commits[0])], [], as_json=True)

    return app


def _home(running: Any, name: str) -> Context:
    contexts: dict[str, Context] = running.platform.contexts
    if name not in contexts:
        raise NotFound(
            "unknown_context", f"there is no log of {name}: choose {', '.join(contexts)}"
        )
    return contexts[name]


def _verified(context: Context) -> dict[str, object]:
    audit = Audit(context.log.codec)
    collection = context.log.collection
    with progress() as bar:
        task = bar.add_task(
            f"verifying {context.name}", total=collection.estimated_document_count()
        )
        documents = _counted(collection.find().sort("_id", 1), bar, task)
        fault: Fault | None = next(audit.check(documents), None)
    if fault is not None:
        stderr.print(f"{context.name}: position {fault.position}: {fault.what}", markup=False)
    return {
        "context": context.name,
        "commits": audit.read,
        "state": "ok" if fault is None else "broken",
        "fault": None if fault is None else f"position {fault.position}: {fault.what}",
    }


def _counted(documents: Any, bar: Any, task: Any) -> Any:
    for number, document in enumerate(documents, start=1):
        yield document
        if number % 1000 == 0:
            bar.update(task, completed=number)


def _row(commit: Commit) -> dict[str, object]:
    return {
        "position": commit.position,
        "at": commit.at.isoformat(),
        "events": ", ".join(happened.kind.type_name for happened in commit.events),
        "streams": ", ".join(f"{stream} v{version}" for stream, version in commit.writes),
        "principal": commit.meta.principal,
    }


def _whole(commit: Commit) -> dict[str, object]:
    return {
        "position": commit.position,
        "command": commit.command,
        "at": commit.at.isoformat(),
        "meta": {key: value for key, value in commit.meta._asdict().items() if value is not None},
        "writes": [write._asdict() for write in commit.writes],
        "events": [
            {
                "type": happened.kind.type_name,
                "stream": happened.stream,
                "data": happened.event.model_dump(mode="json", exclude_none=True),
            }
            for happened in commit.events
        ],
    }
